//! How a client fetches one episode: the requests of a playback or download, one after the other.
//!
//! A plan knows nothing of clocks: each step says what is asked for, what is sent, how long it takes and how
//! long the client waits before it. Interrupted transfers are resumed where they stopped, sometimes a little
//! before, so that ranges overlap; listeners stop early, skip ahead and come back hours later.

use super::agents::Manner;
use super::entry::{ContentHeader, Exchange, RangeHeader};
use super::rng::Rng;
use crate::units::ByteRange;

/// No transfer takes longer; a little below the horizon.
const LONGEST_US: u64 = 40 * 60 * 1_000_000;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The file that is fetched.
#[derive(Clone, Copy, Debug)]
pub struct File {
    pub size: u64,
    /// Bytes played in a second.
    pub play_rate: u64,
}

/// One client fetching one file.
#[derive(Clone, Copy, Debug)]
pub struct Playback {
    manner: Manner,
    file: File,
    bytes_per_second: u64,
    /// The next byte wanted.
    at: u64,
    /// Where the listener stops.
    until: u64,
    block: u64,
    steps: u8,
    /// A bound on the steps, so that no playback goes on for ever.
    steps_left: u8,
}

/// One request of a playback.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Between the end of the last request and the start of this one.
    pub pause_us: u64,
    pub elapsed_us: u64,
    pub exchange: Exchange,
}

impl Playback {
    pub fn new(manner: Manner, file: File, bytes_per_second: u64, rng: &mut Rng) -> Self {
        // Six in ten listen to the end; the others stop anywhere, many of them early.
        let until = match rng.below(10) {
            0..6 => file.size,
            6..8 => rng.between(1, file.size + 1),
            _ => rng.between(1, file.size / 8 + 2),
        };
        let block = match manner {
            Manner::Blocks => ((512 * KIB) << rng.below(3)).max(file.size / 6),
            Manner::Apple => MIB << rng.between(3, 6),
            _ => MIB << rng.between(4, 6),
        };
        Self { manner, file, bytes_per_second, at: 0, until, block, steps: 0, steps_left: 40 }
    }

    /// The next request; None when the client has what it wants.
    pub fn next(&mut self, rng: &mut Rng) -> Option<Step> {
        let wants_more = self.steps == 0 || self.at < self.until;
        self.steps_left = self.steps_left.checked_sub(1)?;
        let step = match self.manner {
            Manner::Apple if self.steps == 0 => self.probe(rng),
            _ if !wants_more || self.at >= self.file.size => return None,
            Manner::Whole => self.download(rng),
            Manner::Slow => self.slow_read(rng),
            Manner::Blocks => self.next_block(rng),
            Manner::Apple | Manner::Open | Manner::Page => self.next_window(rng),
            Manner::Script => self.script(rng),
        };
        self.steps += 1;
        Some(step)
    }

    /// How Apple's players ask whether ranges are supported.
    fn probe(&self, rng: &mut Rng) -> Step {
        let part = ByteRange::new(0, self.file.size.min(2));
        let exchange = Exchange::part(RangeHeader::Between(0, 1), part, self.file.size);
        Step { pause_us: 0, elapsed_us: rng.between(8_000, 90_000), exchange }
    }

    /// The rest of the file at full speed; it may break off.
    fn download(&mut self, rng: &mut Rng) -> Step {
        let rest = self.file.size - self.at;
        let breaks = rng.happens(1_400);
        let wanted = if breaks { rng.below(rest) } else { rest };
        let range = if self.at == 0 { RangeHeader::Absent } else { RangeHeader::From(self.at) };
        let pause_us = rng.between(300_000, 600_000_000);
        let step = self.transfer(range, self.file.size, wanted, pause_us, rng);
        if !step.exchange.completed && rng.happens(3_000) {
            // It is never resumed.
            self.steps_left = 0;
        }
        step
    }

    /// The whole file as it is heard, until the listener stops or the connection does.
    fn slow_read(&mut self, rng: &mut Rng) -> Step {
        let play_rate = self.file.play_rate.max(1);
        let buffered = 512 * KIB;
        let most = buffered + play_rate * (LONGEST_US / 1_000_000);
        let wanted = (self.until - self.at).min(most);
        let range = if self.at == 0 { RangeHeader::Absent } else { RangeHeader::From(self.at) };
        let mut step = self.transfer(range, self.file.size, wanted, 200_000, rng);
        let playing = step.exchange.sent.saturating_sub(buffered) * 1_000_000 / play_rate;
        step.elapsed_us = step.elapsed_us.max(playing).min(LONGEST_US);
        step
    }

    fn next_block(&mut self, rng: &mut Rng) -> Step {
        let end = (self.at + self.block).min(self.file.size);
        let range = RangeHeader::Between(self.at, end - 1);
        let wanted = if rng.happens(150) { rng.below(end - self.at) } else { end - self.at };
        let pause_us = rng.between(1_000, 3_000_000);
        self.transfer(range, end, wanted, pause_us, rng)
    }

    /// Opens the rest of the file, reads a window ahead, and lets go until that is played.
    fn next_window(&mut self, rng: &mut Rng) -> Step {
        let played = self.block * 1_000_000 / self.file.play_rate.max(1);
        let pause_us = match (self.steps, rng.below(100)) {
            (0, _) => 0,
            (1, _) if self.manner == Manner::Apple => rng.between(5_000, 200_000),
            // Interrupted, and taken up hours later.
            (_, 0..3) => rng.between(3_600, 36_000) * 1_000_000,
            _ => rng.between(played / 2, played + 1),
        };
        match rng.below(100) {
            _ if self.at == 0 => {}
            // A jump ahead, or a little back.
            0..4 => self.at += rng.below(self.file.size - self.at),
            4..12 => self.at -= self.at.min(rng.below(64 * KIB)),
            _ => {}
        }
        let rest = self.file.size - self.at;
        let wanted =
            if rest <= self.block + MIB { rest } else { rng.between(self.block / 2, self.block + 1) };
        let range = match self.manner {
            Manner::Apple => RangeHeader::Between(self.at, self.file.size - 1),
            _ => RangeHeader::From(self.at),
        };
        self.transfer(range, self.file.size, wanted, pause_us, rng)
    }

    /// All of it, the first part of it, or a try at it; once.
    fn script(&mut self, rng: &mut Rng) -> Step {
        self.steps_left = 0;
        match rng.below(10) {
            0..5 => self.transfer(RangeHeader::Absent, self.file.size, self.file.size, 0, rng),
            5..8 => {
                let end = (64 * KIB).min(self.file.size);
                self.transfer(RangeHeader::Between(0, end - 1), end, end, 0, rng)
            }
            _ => {
                let wanted = rng.below(self.file.size / 16 + 1);
                self.transfer(RangeHeader::Absent, self.file.size, wanted, 0, rng)
            }
        }
    }

    /// Sends up to `wanted` bytes of `[at, end)` and moves on by what was sent.
    fn transfer(&mut self, range: RangeHeader, end: u64, wanted: u64, pause_us: u64, rng: &mut Rng) -> Step {
        let rate = self.bytes_per_second * rng.between(60, 141) / 100;
        let latency = rng.between(2_000, 120_000);
        let sent = wanted.min(rate * ((LONGEST_US - latency) / 1_000_000));
        let part = ByteRange::new(self.at, end);
        let (status, content) = match range {
            RangeHeader::Absent => (200, ContentHeader::Absent),
            _ => (206, ContentHeader::Part { part, total: self.file.size }),
        };
        self.at += sent;
        let exchange = Exchange { range, status, content, sent, completed: sent == part.len().0 };
        Step { pause_us, elapsed_us: latency + sent * 1_000_000 / rate, exchange }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::schedule::HORIZON;

    const MANNERS: [Manner; 7] = [
        Manner::Whole,
        Manner::Apple,
        Manner::Open,
        Manner::Blocks,
        Manner::Slow,
        Manner::Page,
        Manner::Script,
    ];

    fn playbacks(manner: Manner) -> impl Iterator<Item = (File, Vec<Step>)> {
        (0..500).map(move |seed| {
            let mut rng = Rng::new(seed);
            let size = [1, 2, 700_000, 40_000_000, 300_000_000][rng.below(5) as usize];
            let file = File { size, play_rate: 16_000 };
            let mut playback = Playback::new(manner, file, 40_000 << rng.below(8), &mut rng);
            (file, std::iter::from_fn(|| playback.next(&mut rng)).collect())
        })
    }

    #[test]
    fn every_request_stays_within_the_file_its_range_and_the_horizon() {
        for manner in MANNERS {
            for (file, steps) in playbacks(manner) {
                assert!((1..=40).contains(&steps.len()), "{manner:?}");
                for Step { elapsed_us, exchange, .. } in steps {
                    assert!(elapsed_us < HORIZON as u64, "{manner:?} {elapsed_us}");
                    let most = match exchange.content {
                        ContentHeader::Part { part, total } => {
                            assert!(part.start < part.end && part.end <= total && total == file.size);
                            part.len().0
                        }
                        _ => file.size,
                    };
                    assert!(exchange.sent <= most);
                    assert_eq!(exchange.completed, exchange.sent == most);
                    assert_eq!(exchange.status == 206, exchange.range != RangeHeader::Absent);
                }
            }
        }
    }

    #[test]
    fn each_manner_has_its_own_requests() {
        let first = |manner| playbacks(manner).map(|(_, steps)| steps[0].exchange.range).collect::<Vec<_>>();
        assert!(first(Manner::Apple).iter().all(|range| *range == RangeHeader::Between(0, 1)));
        assert!(first(Manner::Open).iter().all(|range| *range == RangeHeader::From(0)));
        assert!(first(Manner::Whole).iter().all(|range| *range == RangeHeader::Absent));
        let resumed = |(_, steps): &(File, Vec<Step>)| {
            steps.iter().any(|step| matches!(step.exchange.range, RangeHeader::From(at) if at > 0))
        };
        assert!(playbacks(Manner::Whole).filter(resumed).count() > 20);
        assert!(playbacks(Manner::Blocks).all(|(_, steps)| steps.len() <= 40));
        assert!(playbacks(Manner::Script).all(|(_, steps)| steps.len() == 1));
    }
}
