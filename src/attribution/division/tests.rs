//! Shares that take turns in any order find what one engine finds.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::attribution::agent::AgentTable;
use crate::attribution::testing::request;
use crate::attribution::{Memory, Mode, Policy, Redelivery, Secret};
use crate::event::Defect;
use crate::units::{ByteCount, SourceId, Timestamp};

type Line = Result<Request<'static>, Malformed>;

const SECRET: Secret = [7; 16];

/// Few paths, addresses and ids, so that they meet.
fn line() -> impl Strategy<Value = Line> {
    let path =
        prop::sample::select(vec!["/a/1.mp3", "/a/2.mp3", "/b/1.mp3", "/x/a/1.mp3", "/c/3.mp3", "/no"]);
    let id = prop::option::of(prop::sample::select(vec!["a", "b", "c", "d", "e"]));
    (path, id, 0..6u8, 0..9u64, 0..40i64).prop_map(|(path, id, address, kilobytes, hours)| {
        if hours == 0 {
            return Err(Defect::TooLong.into());
        }
        Ok(Request {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, address, 1)),
            body_bytes: ByteCount(kilobytes * 300_000),
            start: Timestamp::from_seconds(1_793_534_400 + hours * 3_600).expect("in range"),
            id: id.map(str::as_bytes),
            ..request(path)
        })
    })
}

fn engine(max_episodes: usize, ids: usize) -> Engine {
    let policy = Policy { redelivery: Redelivery(Memory { ids, window: None }), ..Policy::default() };
    let registry = Registry::new(Mode::Derived { max_episodes }, []);
    static AGENTS: LazyLock<Arc<AgentTable>> = LazyLock::new(|| Arc::new(AgentTable::builtin()));
    Engine::new(policy, registry, AGENTS.clone(), SECRET).for_sums()
}

fn receipt() -> Receipt {
    Receipt { source: SourceId(0), at: Timestamp::from_seconds(0).unwrap(), redelivered: false }
}

/// All that is found, in an order that tells nothing.
fn sorted(mut found: Vec<String>) -> Vec<String> {
    found.sort_unstable();
    found
}

/// What a thread is doing.
enum Doing {
    Nothing,
    Reading(Chunk),
    Preparing(usize, Chunk, Vec<Pending<Line>>),
    Checking(Part, Vec<Repeat>),
    Counting(Part),
    Done,
}

struct Threads<'p> {
    division: Division,
    pieces: &'p [&'p [Line]],
    taken: usize,
    found: Vec<String>,
}

impl Threads<'_> {
    /// Between any two turns of one thread others may have some.
    fn turn(&mut self, share: &mut Share, doing: &mut Doing) {
        *doing = match std::mem::replace(doing, Doing::Nothing) {
            Doing::Nothing => match self.division.next(share) {
                None => Doing::Nothing,
                Some(Step::Prepare(chunk)) => Doing::Reading(chunk),
                Some(Step::Check(part)) => {
                    let repeats = share.check_ids(&part, receipt());
                    Doing::Checking(part, repeats)
                }
                Some(Step::Count(mut part)) => {
                    let add = |outcome: &Outcome, changes: &[Change]| {
                        self.found.push(format!("{outcome:?} {changes:?}"));
                    };
                    share.count(&mut part, receipt(), add);
                    Doing::Counting(part)
                }
                Some(Step::Done) => Doing::Done,
            },
            Doing::Reading(mut chunk) => match self.pieces.get(self.taken) {
                None => {
                    self.division.end(self.pieces.len());
                    Doing::Nothing
                }
                Some(lines) => {
                    let lines = lines.iter();
                    let pending = share.prepare(&mut chunk, lines.copied(), |line, _| *line, receipt());
                    self.taken += 1;
                    Doing::Preparing(self.taken - 1, chunk, pending)
                }
            },
            Doing::Preparing(number, mut chunk, pending) => {
                if !pending.is_empty() {
                    if !self.division.may_register(number) {
                        *doing = Doing::Preparing(number, chunk, pending);
                        return;
                    }
                    share.learn(self.division.register(number, &pending, |line, _| *line));
                    share.prepare_again(&mut chunk, pending, |line, _| *line, receipt());
                }
                self.division.prepared(number, chunk);
                Doing::Nothing
            }
            Doing::Checking(part, repeats) => {
                self.division.checked(share, part, repeats);
                Doing::Nothing
            }
            Doing::Counting(part) => {
                self.division.counted(share, part);
                Doing::Nothing
            }
            Doing::Done => Doing::Done,
        }
    }
}

proptest! {
    #[test]
    fn whoever_has_which_turn(
        lines in prop::collection::vec(line(), 0..80),
        pieces in 1..9usize,
        shares in 1..4usize,
        turns in prop::collection::vec(0..4usize, 0..300),
        (max_episodes, ids) in (0..5usize, 1..9usize),
    ) {
        let (mut one, mut expected) = (engine(max_episodes, ids), Vec::new());
        one.observe_all(&lines, |line, _| **line, receipt(), |_, outcome, changes| {
            expected.push(format!("{outcome:?} {changes:?}"));
        });

        let (division, shares) = Division::new(engine(max_episodes, ids), SECRET, shares);
        let pieces: Vec<&[Line]> = lines.chunks(pieces).collect();
        let mut threads = Threads { division, pieces: &pieces, taken: 0, found: Vec::new() };
        let mut shares: Vec<_> = shares.into_iter().map(|share| (share, Doing::Nothing)).collect();
        for turn in turns {
            let turn = turn % shares.len();
            let (share, doing) = &mut shares[turn];
            threads.turn(share, doing);
        }
        // None waits for ever: all get done when all have enough turns.
        for _ in 0..1_000 {
            shares.iter_mut().for_each(|(share, doing)| threads.turn(share, doing));
        }
        prop_assert!(shares.iter().all(|(_, doing)| matches!(doing, Doing::Done)));
        prop_assert_eq!(sorted(threads.found), sorted(expected));
        prop_assert_eq!(threads.division.registry().episodes(), one.registry().episodes());
    }
}

#[test]
fn who_cannot_go_on_stops_the_others() {
    let (mut division, mut shares) = Division::new(engine(1, 1), SECRET, 2);
    assert!(matches!(division.next(&mut shares[0]), Some(Step::Prepare(_))));
    assert!(!division.may_register(1), "the first chunk is not there yet");
    division.stop();
    assert!(division.may_register(1));
    assert!(matches!(division.next(&mut shares[1]), Some(Step::Done)));
}

/// However far the others are behind, one that is quick does not fill memory.
#[test]
fn only_so_much_is_underway() {
    let (mut division, mut shares) = Division::new(engine(1, 1), SECRET, 2);
    let mut begun = 0;
    while let Some(step) = division.next(&mut shares[0]) {
        match step {
            Step::Prepare(chunk) => {
                division.prepared(begun, chunk);
                begun += 1;
            }
            Step::Check(part) => division.checked(&shares[0], part, Vec::new()),
            Step::Count(_) | Step::Done => panic!("the other share has checked nothing"),
        }
        assert!(begun < 100);
    }
    assert_eq!(begun, 8);
}
