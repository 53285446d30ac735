//! Log lines of a small world, in which random lines meet in sessions, and the bodies they come in.

use std::io::Write;

use bytes::Bytes;
use castmeter::units::{Encoding, Timestamp};

use crate::dice::Dice;
use crate::plain::{EPISODES, Hit, Response};

/// What is about a line, beside the request it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    None,
    Bot,
    Head,
    /// For a path that is no episode's.
    Unknown,
    Feed,
    Shield,
    Inner,
    /// No JSON.
    Broken,
    /// Cut by the end of its connection.
    Cut,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    pub hit: Hit,
    pub oddity: Oddity,
    pub id: Option<u64>,
    /// Among [`ORIGINS`].
    origin: usize,
}

/// Where a request came from and how it was answered, as nothing but slices of downloads has it.
const ORIGINS: [&str; 6] = [
    "",
    r#""country":"DE","region":"BE","pop":"FRA","state":"HIT","#,
    r#""country":"DE","region":"BY","pop":"MUC","state":"MISS","referer":"https://www.google.com/search","#,
    r#""country":"US","region":"CA","pop":"PAO","state":"HIT","referer":"https://night.example/one","#,
    r#""country":"US","pop":"PAO","state":"HIT-CLUSTER","#,
    r#""region":"NO REGION","state":"PASS","#,
];

/// Who asks for the feed.
const READERS: [&str; 4] = [
    "Overcast/3.0",
    "Feedly/1.0 (540 subscribers)",
    "Feedly/1.0 (541 subscribers)",
    "NewsBlur (7 subscribers)",
];

impl Line {
    /// One that began within hours before `now`; `number` is its own.
    pub fn random(dice: &mut Dice, now: Timestamp, number: u64) -> Self {
        let oddity = dice.weighted(&[
            (80, Oddity::None),
            (4, Oddity::Bot),
            (2, Oddity::Head),
            (2, Oddity::Unknown),
            (4, Oddity::Feed),
            (2, Oddity::Shield),
            (1, Oddity::Inner),
            (3, Oddity::Broken),
        ]);
        let now_minute = (now.seconds() - crate::plain::MONDAY - 3_600).div_euclid(60);
        // A clock gone wrong is ahead; it must not close days.
        let ago = match dice.weighted(&[(60, 0), (30, 1), (8, 2), (2, 3)]) {
            0 => dice.below(30) as i64,
            1 => dice.below(6 * 60) as i64,
            2 => dice.below(40 * 60) as i64,
            _ => -20,
        };
        let hit = Hit {
            episode: dice.index(EPISODES.len()),
            listener: dice.between(1, 9) as u8,
            minute: now_minute - ago,
            bytes: dice.between(3, 2_500),
            seconds: dice.below(90),
            response: response(dice),
        };
        Self { hit, oddity, id: dice.percent(60).then_some(number), origin: dice.index(ORIGINS.len()) }
    }

    pub fn text(&self) -> String {
        let line = self.hit.line().replacen('{', &format!("{{{}", ORIGINS[self.origin]), 1);
        let path = format!("/night/{}.mp3", EPISODES[self.hit.episode].slug);
        let with = |more: &str| line.replacen('{', &format!("{{{more},"), 1);
        let text = match self.oddity {
            Oddity::None => line,
            Oddity::Bot => line.replace("Overcast/3.0", "Googlebot/2.1"),
            Oddity::Head => with(r#""method":"HEAD""#),
            Oddity::Unknown => line.replace(&path, "/night/none.mp3"),
            Oddity::Feed => {
                let reader = READERS[self.origin % READERS.len()];
                line.replace(&path, "/night/feed").replace("Overcast/3.0", reader)
            }
            Oddity::Shield => with(r#""edge":false"#),
            Oddity::Inner => with(r#""inner":true"#),
            Oddity::Broken => line[..line.len() - 2].to_owned(),
            Oddity::Cut => line[..line.len() / 2].to_owned(),
        };
        match self.id {
            Some(id) => text.replacen('{', &format!(r#"{{"id":"{id}","#), 1),
            None => text,
        }
    }
}

fn response(dice: &mut Dice) -> Response {
    let position = |dice: &mut Dice| dice.between(2, 3_000);
    match dice.weighted(&[(4, 0), (3, 1), (2, 2), (2, 3), (1, 4), (1, 5)]) {
        0 => Response::Whole { completed: dice.percent(50) },
        1 => {
            let first = position(dice);
            let total = dice.percent(50).then(|| dice.between(1_000, 3_000));
            Response::Placed { first, last: first + dice.below(2_000), total }
        }
        2 => Response::Between { first: position(dice), last: position(dice) },
        3 => Response::From { first: position(dice) },
        4 => Response::Suffix { length: position(dice) },
        _ => Response::Unplaced,
    }
}

/// Lines as they are sent together: newline-delimited, or one JSON array.
pub fn text_of(lines: &[Line], dice: &mut Dice, may_be_array: bool) -> String {
    let texts: Vec<String> = lines.iter().map(Line::text).collect();
    let sound = lines.iter().all(|line| !matches!(line.oddity, Oddity::Broken | Oddity::Cut));
    if may_be_array && sound && dice.percent(25) {
        return format!("[{}]", texts.join(","));
    }
    let cut = lines.last().is_some_and(|line| line.oddity == Oddity::Cut);
    let between = if dice.percent(10) { "\r\n\r\n" } else { "\n" };
    let end = if cut || dice.percent(20) { "" } else { "\n" };
    texts.join(between) + end
}

/// Compresses as a sender would.
pub fn encode(encoding: Encoding, text: &str) -> Bytes {
    let text = text.as_bytes();
    let into = Vec::new();
    let written = match encoding {
        Encoding::Identity => Ok(text.to_vec()),
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(into, flate2::Compression::fast());
            encoder.write_all(text).and_then(|()| encoder.finish())
        }
        Encoding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(into, flate2::Compression::fast());
            encoder.write_all(text).and_then(|()| encoder.finish())
        }
        Encoding::Zstd => zstd::stream::encode_all(text, 1),
        Encoding::Snappy => {
            let mut encoder = snap::write::FrameEncoder::new(into);
            encoder.write_all(text).map(|()| encoder.into_inner().expect("memory takes all"))
        }
    };
    written.expect("memory takes all").into()
}
