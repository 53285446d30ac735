//! What there is to hear: shows, their episodes, and how popular each is at a given hour.
//!
//! Each show appears at its own pace up to the end of the generated days, so that some episodes come out
//! within them; a show with enough episodes has one more still to come. Popularity falls with the shows' rank
//! (Zipf) and with an episode's age (hyperbolically, so by rank within its show as well). An episode is asked
//! for from the full hour after its publication on.

use std::io;

use super::Options;
use super::rng::{Rng, derive, scale};
use super::schedule::MICROS_PER_HOUR;
use super::weighted::Weighted;
use crate::units::{Timestamp, UtcHour};

const SLUGS: [&str; 14] = [
    "ledger",
    "deep-field",
    "orbit",
    "kitchen",
    "night-shift",
    "zürich",
    "signal",
    "harbour",
    "engines",
    "dawn",
    "archive",
    "fieldnotes",
    "salt",
    "overtime",
];

/// One in so many episodes is a trailer of a minute at most.
const TRAILERS: u64 = 40;

/// A show: where its files and its feed are.
#[derive(Debug)]
pub struct Show {
    pub slug: String,
    /// The feed's path as it stands in a request.
    pub feed: String,
    popularity: u64,
    hours_between: i64,
    episodes: u64,
    bytes_per_second: u64,
    typical_minutes: u64,
}

/// Which columns of an episode the catalogue knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    All,
    AllButAudioStart,
    AllButPublication,
    OnlyThePath,
}

/// An episode and its file.
#[derive(Debug)]
pub struct Episode {
    pub show: u32,
    slug: String,
    /// Decoded, as the catalogue has it.
    pub path: String,
    /// As most clients ask for it.
    pub url: String,
    /// The same path with an escape more than is needed.
    pub odd_url: String,
    pub size: u64,
    pub bytes_per_second: u64,
    duration_seconds: u64,
    audio_start: u64,
    pub published: Timestamp,
    appeal: u64,
    known: Known,
}

/// All shows and episodes, and the odds of each at the present hour.
pub struct Library {
    pub shows: Vec<Show>,
    episodes: Vec<Episode>,
    hour: UtcHour,
    odds: Weighted,
    /// Episodes that are not out at the present hour nor in the next.
    upcoming: Vec<u32>,
}

impl Library {
    pub fn new(options: &Options) -> Self {
        let shows = plan_shows(options);
        let mut episodes = Vec::new();
        for (index, show) in (0..).zip(&shows) {
            episodes.extend((0..show.episodes).map(|age| plan_episode(options, index, show, age)));
        }
        let hour = options.start.hour();
        let (odds, upcoming) = odds_at(hour, &shows, &episodes);
        Self { shows, episodes, hour, odds, upcoming }
    }

    pub fn get(&self, index: u32) -> &Episode {
        &self.episodes[index as usize]
    }

    /// Weighs the episodes anew when another hour has begun.
    pub fn advance_to(&mut self, hour: UtcHour) {
        if hour != self.hour {
            self.hour = hour;
            (self.odds, self.upcoming) = odds_at(hour, &self.shows, &self.episodes);
        }
    }

    pub fn pick(&self, random: u64) -> u32 {
        self.odds.pick(random) as u32
    }

    /// An episode that is not out yet.
    pub fn pick_upcoming(&self, random: u64) -> Option<u32> {
        self.upcoming.get(scale(random, self.upcoming.len() as u64) as usize).copied()
    }

    /// The catalogue as CSV with a header line.
    pub fn write_catalog(&self, out: &mut impl io::Write) -> io::Result<()> {
        let mut table = csv::Writer::from_writer(out);
        table.write_record([
            "show",
            "episode",
            "path",
            "bytes",
            "duration_s",
            "published_at",
            "audio_start",
        ])?;
        for episode in &self.episodes {
            let known = |value: String, unless: &[Known]| {
                if unless.contains(&episode.known) { String::new() } else { value }
            };
            let path_only = [Known::OnlyThePath];
            table.write_record([
                self.shows[episode.show as usize].slug.as_str(),
                &episode.slug,
                &episode.path,
                &known(episode.size.to_string(), &path_only),
                &known(episode.duration_seconds.to_string(), &path_only),
                &known(episode.published.to_string(), &[Known::OnlyThePath, Known::AllButPublication]),
                &known(episode.audio_start.to_string(), &[Known::OnlyThePath, Known::AllButAudioStart]),
            ])?;
        }
        table.flush()
    }
}

fn plan_shows(options: &Options) -> Vec<Show> {
    /// Hours between episodes, and the part of all episodes that such a show has.
    const PACES: [(i64, u64); 12] = [
        (24, 6),
        (168, 3),
        (84, 4),
        (168, 3),
        (336, 2),
        (168, 3),
        (120, 3),
        (168, 3),
        (720, 1),
        (168, 3),
        (48, 5),
        (168, 3),
    ];
    const KILOBITS: [u64; 6] = [128, 96, 128, 192, 64, 160];
    const MINUTES: [u64; 7] = [45, 28, 12, 62, 95, 34, 50];
    let episodes = u64::from(options.episodes.max(1));
    let shows = u64::from(options.shows).clamp(1, episodes);
    let parts: u64 = (0..shows).map(|show| PACES[show as usize % PACES.len()].1).sum();
    let mut before = 0;
    (0..shows as usize)
        .map(|show| {
            let (hours_between, part) = PACES[show % PACES.len()];
            // Each has one; the rest is shared out by the pace.
            let extra = |parts_before: u64| (episodes - shows) * parts_before / parts;
            let count = 1 + extra(before + part) - extra(before);
            before += part;
            let slug =
                SLUGS.get(show).map_or_else(|| format!("show-{:03}", show + 1), |slug| (*slug).to_owned());
            Show {
                feed: percent_encode(&format!("/podcast/{slug}/feed")),
                slug,
                popularity: 2_000 / (show as u64 + 1) + 1,
                hours_between,
                episodes: count,
                bytes_per_second: KILOBITS[show % KILOBITS.len()] * 125,
                typical_minutes: MINUTES[show % MINUTES.len()],
            }
        })
        .collect()
}

/// The show's newest episode has the `age` 0.
fn plan_episode(options: &Options, show_index: u32, show: &Show, age: u64) -> Episode {
    let mut rng = Rng::new(derive(derive(options.seed, u64::from(show_index)), age));
    let published = publication(options, show_index, show, age);
    let number = show.episodes - age;
    let (file, slug) = file_name(show_index, number, published);
    let path = format!("/podcast/{}/{file}", show.slug);
    let url = percent_encode(&path);
    let duration_seconds = match rng.below(TRAILERS) {
        0 => rng.between(30, 61),
        _ => show.typical_minutes * rng.between(45, 76) + rng.below(60),
    };
    let audio_start = if rng.happens(7_000) { rng.between(128, 300_000) } else { 0 };
    let known = match rng.below(100) {
        0 => Known::OnlyThePath,
        1 => Known::AllButPublication,
        2..6 => Known::AllButAudioStart,
        _ => Known::All,
    };
    Episode {
        show: show_index,
        slug,
        odd_url: escape_once_more(&url),
        path,
        url,
        size: audio_start + duration_seconds * show.bytes_per_second + rng.below(show.bytes_per_second),
        bytes_per_second: show.bytes_per_second,
        duration_seconds,
        audio_start,
        published,
        appeal: rng.between(50, 201),
        known,
    }
}

/// Shows of four episodes or more have one still to come; smaller ones are all out when the traffic begins.
fn publication(options: &Options, show_index: u32, show: &Show, age: u64) -> Timestamp {
    let mut rng = Rng::new(derive(options.seed ^ 0x0b, u64::from(show_index)));
    let phase = rng.below(show.hours_between as u64) as i64;
    // At most 15 minutes past the hour: no request of the next hour then began before the publication.
    let minutes = rng.below(4) as i64 * 5;
    let last = (options.end().micros() / MICROS_PER_HOUR - phase) * MICROS_PER_HOUR;
    let age = age as i64;
    let hours_earlier = if show.episodes >= 4 {
        (age - 1) * show.hours_between
    } else {
        age * show.hours_between + 24 * i64::from(options.days) + 1
    };
    let micros = last - hours_earlier * MICROS_PER_HOUR + minutes * (MICROS_PER_HOUR / 60);
    Timestamp::from_micros(micros).unwrap_or(options.start)
}

/// The file's name and the episode's slug, which is the name without its ending.
fn file_name(show_index: u32, number: u64, published: Timestamp) -> (String, String) {
    let (stem, ending) = match show_index % 6 {
        0 | 1 => (format!("{number:03}"), "mp3"),
        2 => (format!("{}-{number}", published.day()), "mp3"),
        3 => (format!("Part {number}"), "mp3"),
        4 => (format!("{number:03}"), "m4a"),
        _ => (format!("größe-{number}"), "mp3"),
    };
    (format!("{stem}.{ending}"), stem)
}

fn odds_at(hour: UtcHour, shows: &[Show], episodes: &[Episode]) -> (Weighted, Vec<u32>) {
    let weight = |episode: &Episode| {
        let age = i64::from(hour.0) - i64::from(episode.published.hour().0);
        let popularity = shows[episode.show as usize].popularity * episode.appeal;
        if age > 0 { popularity * 10_000_000 / (age as u64 + 5) } else { 0 }
    };
    let upcoming = (0..).zip(episodes).filter(|(_, episode)| episode.published.hour() > hour);
    let weights: Vec<u64> = episodes.iter().map(weight).collect();
    (Weighted::new(&weights), upcoming.map(|(index, _)| index).collect())
}

/// Escapes all but unreserved characters (RFC 3986 §2.3) and the slash.
pub fn percent_encode(path: &str) -> String {
    let mut url = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                url.push(byte.into())
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

/// Escapes the first hyphen, or else the last full stop, which needs none.
fn escape_once_more(url: &str) -> String {
    match url.find('-').or(url.rfind('.')) {
        Some(at) => format!("{}%{:02x}{}", &url[..at], url.as_bytes()[at], &url[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_exactly_as_many_episodes_as_asked_for() {
        for (episodes, shows) in [(1_500, 12), (1, 12), (5, 5), (7, 3), (40, 30), (0, 0)] {
            let library = Library::new(&Options { episodes, shows, ..Options::default() });
            assert_eq!(library.episodes.len(), episodes.max(1) as usize);
            assert_eq!(library.shows.len(), shows.clamp(1, episodes.max(1)) as usize);
            let mut paths: Vec<&str> = library.episodes.iter().map(|episode| episode.path.as_str()).collect();
            paths.sort_unstable();
            paths.dedup();
            assert_eq!(paths.len(), library.episodes.len());
        }
    }

    #[test]
    fn only_episodes_that_are_out_are_picked_and_new_ones_most() {
        let options = Options::default();
        let mut library = Library::new(&options);
        let mut rng = Rng::new(1);
        for hour in [0, 20, 50, 71] {
            let hour = UtcHour(options.start.hour().0 + hour);
            library.advance_to(hour);
            let mut recent = 0;
            for _ in 0..10_000 {
                let episode = library.get(library.pick(rng.next()));
                assert!(episode.published < hour.start());
                recent += u32::from(hour.0 - episode.published.hour().0 <= 7 * 24);
                let upcoming = library.pick_upcoming(rng.next()).unwrap();
                assert!(library.get(upcoming).published > hour.start());
            }
            assert!((4_000..9_500).contains(&recent), "{recent}");
        }
    }

    #[test]
    fn some_episodes_come_out_within_the_days() {
        let options = Options::default();
        let library = Library::new(&options);
        let within = |episode: &&Episode| (options.start..options.end()).contains(&episode.published);
        assert!(library.episodes.iter().filter(within).count() >= 5);
    }

    #[test]
    fn a_url_is_the_path_escaped_once() {
        assert_eq!(percent_encode("/a/é b&c-1.mp3"), "/a/%C3%A9%20b%26c-1.mp3");
        assert_eq!(escape_once_more("/a/b-1.mp3"), "/a/b%2d1.mp3");
        assert_eq!(escape_once_more("/a/b.mp3"), "/a/b%2emp3");
    }
}
