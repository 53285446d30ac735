//! The traffic itself: visits begin, their requests follow one another, and each leaves its line.
//!
//! A line comes out when its transfer ends, as Fastly writes it. The moment is given from outside, by the
//! schedule or by a caller's clock; either a waiting request is due by then, or a new visit's first request
//! ends just then, having begun as much earlier as it took. So lines are in the order of their ends while
//! their starts are out of order by up to the horizon.

use super::agents::Manner;
use super::client::Client;
use super::entry::{Blemish, Cache, Entry, Exchange, Method, Query, RangeHeader, Referer, Target, Vantage};
use super::format::Writer;
use super::oddity::Oddity;
use super::queue::Queue;
use super::rng::{Rng, derive};
use super::schedule::{HORIZON, MICROS_PER_SECOND, Schedule};
use super::transfer::{File, Playback, Step};
use super::weighted::Weighted;
use super::world::World;
use super::{Options, OutputFormat};
use crate::units::{ByteRange, Timestamp};

/// How many requests may wait, at about 250 bytes each. Beyond it, clients stop after the request at hand; only
/// thousands of lines a second for longer than a playback lasts come to that.
const MOST_WAITING: usize = 400_000;

/// What a client comes for.
#[derive(Clone, Copy, Debug)]
enum Visit {
    /// A listener plays or downloads an episode.
    Listen,
    /// The same before its publication.
    ListenEarly,
    /// A robot fetches an episode.
    Robot,
    /// A robot asks for an episode's headers.
    RobotHead,
    /// A service reads a feed.
    Feed,
    /// An app shows a cover or chapters.
    Page,
    /// A listener's player makes an odd request.
    Odd(Oddity),
}

/// Of 10,000 visits. A listener's visit is of several requests, so shares of lines differ.
const VISITS: [(Visit, u64); 14] = [
    (Visit::Listen, 6_870),
    (Visit::ListenEarly, 30),
    (Visit::Robot, 640),
    (Visit::RobotHead, 420),
    (Visit::Feed, 700),
    (Visit::Page, 700),
    (Visit::Odd(Oddity::Head), 250),
    (Visit::Odd(Oddity::Missing), 120),
    (Visit::Odd(Oddity::Unsatisfiable), 40),
    (Visit::Odd(Oddity::NotModified), 80),
    (Visit::Odd(Oddity::Moved), 60),
    (Visit::Odd(Oddity::Suffix), 50),
    (Visit::Odd(Oddity::TwoRanges), 20),
    (Visit::Odd(Oddity::Failure), 20),
];

/// A request that has yet to leave its line.
struct Waiting {
    entry: Entry,
    /// What the client does after it.
    playback: Option<Playback>,
    /// The line was written before.
    again: bool,
}

/// Makes log lines, one after the other.
pub struct Generator {
    world: World,
    schedule: Schedule,
    visits: Weighted,
    rng: Rng,
    waiting: Queue<Waiting>,
    writer: Writer,
    /// Whether the format says what Fastly's second passes over a request are; else they are not logged.
    logs_passes: bool,
    requests: u64,
    id_key: u64,
    now: Timestamp,
}

impl Generator {
    pub fn new(options: &Options) -> Self {
        let world = World::new(options);
        Self {
            schedule: Schedule::new(options, &world.places),
            world,
            visits: Weighted::new(&VISITS.map(|(_, share)| share)),
            rng: Rng::new(options.seed),
            waiting: Queue::new(),
            writer: Writer::new(options.format),
            logs_passes: options.format != OutputFormat::Csv,
            requests: 0,
            id_key: derive(options.seed, 0x1d),
            now: options.start,
        }
    }

    /// Appends the next of the options' lines with its line feed; false when there are no more.
    pub fn next_line(&mut self, out: &mut Vec<u8>) -> bool {
        match self.schedule.next() {
            Some(now) => {
                self.next_line_at(now, out);
                true
            }
            None => false,
        }
    }

    /// When the latest line came out; the options' start before the first.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Appends one line, of a transfer that has ended by `now`, and never ends: for traffic as it happens.
    ///
    /// Successive times must not go back; one that does counts as the last. Episodes appear around the
    /// options' `start`, so that should be near the first `now`.
    pub fn next_line_at(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        self.now = self.now.max(now);
        self.world.library.advance_to(self.now.hour());
        let line = match self.waiting.pop_due(self.now.micros()) {
            Some(line) => line,
            None => self.begin_visit(),
        };
        self.writer.write(&self.world, &line.entry, out);
        if line.again || self.waiting.len() >= MOST_WAITING {
            return;
        }
        if let Some(playback) = line.playback {
            self.follow_up(&line.entry, playback);
        }
        if line.entry.vantage == Vantage::Edge && self.logs_passes {
            self.repeat_within_fastly(&line.entry);
        }
        if self.rng.happens(50) {
            let delay = self.rng.between(1, 300) as i64 * MICROS_PER_SECOND;
            let again = Waiting { playback: None, again: true, ..line };
            self.waiting.push(again.entry.end_us() + delay, again);
        }
    }

    /// A new client's first request, which ends now.
    fn begin_visit(&mut self) -> Waiting {
        let (visit, _) = VISITS[self.visits.pick(self.rng.next())];
        let index = self.world.library.pick(self.rng.next());
        match visit {
            Visit::Listen => {
                let client = self.listener();
                self.begin_playback(client, index)
            }
            Visit::ListenEarly => {
                let client = self.listener();
                let index = self.world.library.pick_upcoming(self.rng.next()).unwrap_or(index);
                self.begin_playback(client, index)
            }
            Visit::Robot => {
                let client = self.robot();
                self.begin_playback(client, index)
            }
            Visit::RobotHead => {
                let client = self.robot();
                self.odd_request(client, Oddity::Head, index)
            }
            Visit::Feed => self.read_feed(self.world.library.get(index).show),
            Visit::Page => {
                let client = self.listener();
                let (show, page) = (self.world.library.get(index).show, self.rng.below(4) as u8);
                let sent = self.rng.between(900, 400_000);
                self.single(client, Target::Page { show, page }, Exchange::whole(200, sent))
            }
            Visit::Odd(oddity) => {
                let client = self.listener();
                self.odd_request(client, oddity, index)
            }
        }
    }

    fn listener(&mut self) -> Client {
        let World { places, agents, clients, .. } = &self.world;
        let utc_hour = self.now.hour().0.rem_euclid(24) as u32;
        let place = places.pick(utc_hour, self.rng.next());
        let number = places.pick_listener(place, self.rng.next());
        clients.listener(places, agents, place, number, self.now.day())
    }

    fn robot(&mut self) -> Client {
        self.world.clients.bot(&self.world.places, &self.world.agents, self.rng.next())
    }

    fn begin_playback(&mut self, client: Client, index: u32) -> Waiting {
        let episode = self.world.library.get(index);
        let file = File { size: episode.size, play_rate: episode.bytes_per_second };
        let manner = self.world.agents.get(client.agent).manner;
        let mut playback = Playback::new(manner, file, client.bytes_per_second, &mut self.rng);
        let step = playback.next(&mut self.rng).expect("a playback has a first request");
        let target = Target::Episode { index, odd: self.rng.happens(150) };
        let query = if self.rng.happens(1_800) { self.rng.below(Query::ALL.len() as u64) } else { 0 };
        let referer = match manner {
            Manner::Page => self.rng.below(Referer::ALL.len() as u64),
            _ => 0,
        };
        let mut entry = self.entry(client, target, &step);
        entry.query = Query(query as u8);
        entry.referer = Referer(referer as u8);
        Waiting { entry, playback: Some(playback), again: false }
    }

    fn read_feed(&mut self, show: u32) -> Waiting {
        let agent = self.world.agents.pick_fetcher(self.rng.next(), show);
        let client = self.world.clients.fetcher(&self.world.places, agent);
        let exchange = match self.rng.below(10) {
            0..4 => Exchange::whole(304, 0),
            _ => Exchange::whole(200, 60_000 + u64::from(show) * 7_919 + self.rng.below(64)),
        };
        self.single(client, Target::Feed { show }, exchange)
    }

    fn odd_request(&mut self, client: Client, oddity: Oddity, index: u32) -> Waiting {
        let exchange = oddity.exchange(self.world.library.get(index).size, &mut self.rng);
        let target = match oddity {
            Oddity::Missing => Target::Missing { number: self.rng.below(1_000) as u16 },
            _ => Target::Episode { index, odd: false },
        };
        let mut line = self.single(client, target, exchange);
        line.entry.method = oddity.method();
        line.entry.cache = oddity.cache().unwrap_or(line.entry.cache);
        line
    }

    /// A visit of one request.
    fn single(&mut self, client: Client, target: Target, exchange: Exchange) -> Waiting {
        let elapsed_us = self.rng.between(300, 60_000) + exchange.sent * 1_000_000 / client.bytes_per_second;
        let step = Step { pause_us: 0, elapsed_us: elapsed_us.min(HORIZON as u64), exchange };
        Waiting { entry: self.entry(client, target, &step), playback: None, again: false }
    }

    /// A request that ends now.
    fn entry(&mut self, client: Client, target: Target, step: &Step) -> Entry {
        Entry {
            id: self.next_id(),
            start: moved(self.now, -(step.elapsed_us as i64)),
            elapsed_us: step.elapsed_us,
            client,
            method: Method::Get,
            target,
            query: Query::NONE,
            referer: Referer::NONE,
            exchange: step.exchange,
            cache: self.cache(),
            vantage: Vantage::Edge,
            blemish: self.blemish(),
        }
    }

    /// The playback's next request, which begins after the last one.
    fn follow_up(&mut self, last: &Entry, mut playback: Playback) {
        let Some(step) = playback.next(&mut self.rng) else { return };
        let start = moved(last.start, last.elapsed_us as i64 + step.pause_us as i64);
        let entry = Entry {
            id: self.next_id(),
            start,
            elapsed_us: step.elapsed_us,
            exchange: step.exchange,
            cache: self.cache(),
            blemish: self.blemish(),
            ..*last
        };
        let line = Waiting { entry, playback: Some(playback), again: false };
        self.waiting.push(line.entry.end_us(), line);
    }

    /// Lines of the same request from a shield, and from the inner requests of segmented caching.
    fn repeat_within_fastly(&mut self, outer: &Entry) {
        let missed = matches!(outer.cache, Cache::Miss | Cache::MissCluster);
        if missed && self.rng.happens(1_500) {
            let delay = self.rng.below(outer.elapsed_us.min(2_000) + 1);
            self.push_pass(Entry { vantage: Vantage::Shield, ..*outer }, delay);
        }
        if let Target::Episode { index, .. } = outer.target
            && outer.exchange.sent > 1 << 20
            && self.rng.happens(90)
        {
            let size = self.world.library.get(index).size;
            let first = self.rng.below(size >> 20) << 20;
            for block in 0..self.rng.between(2, 9) {
                let part =
                    ByteRange::new(first + (block << 20), first + ((block + 1) << 20)).clipped(0, size);
                if !part.is_empty() {
                    let range = RangeHeader::Between(part.start, part.end - 1);
                    let exchange = Exchange::part(range, part, size);
                    self.push_pass(Entry { vantage: Vantage::Inner, exchange, ..*outer }, block * 50);
                }
            }
        }
    }

    /// `delay`: how much later than the outer line, in microseconds.
    fn push_pass(&mut self, pass: Entry, delay: u64) {
        let entry = Entry { id: self.next_id(), start: moved(pass.start, delay as i64), ..pass };
        self.waiting.push(entry.end_us(), Waiting { entry, playback: None, again: false });
    }

    fn next_id(&mut self) -> u64 {
        // An odd factor and an exclusive or are bijections of 40-bit numbers.
        self.requests += 1;
        (self.requests.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.id_key) & ((1 << 40) - 1)
    }

    fn cache(&mut self) -> Cache {
        match self.rng.below(1_000) {
            0..470 => Cache::Hit,
            470..770 => Cache::HitCluster,
            770..790 => Cache::HitStale,
            790..900 => Cache::Miss,
            900..990 => Cache::MissCluster,
            _ => Cache::Pass,
        }
    }

    /// One line in a thousand cannot be read.
    fn blemish(&mut self) -> Option<Blemish> {
        match self.rng.below(10_000) {
            0..5 => Some(Blemish::Cut(self.rng.below(250) as u8)),
            5..8 => Some(Blemish::Address),
            8..10 => Some(Blemish::NoStatus),
            _ => None,
        }
    }
}

/// A time moved by microseconds; one that would leave the calendar stays where it is.
fn moved(time: Timestamp, by_us: i64) -> Timestamp {
    Timestamp::from_micros(time.micros() + by_us).unwrap_or(time)
}
