//! Whatever is delivered, the engine, which goes line by line and keeps ranges, must agree with the plain rules.

use proptest::prelude::*;

use crate::invariants::{counted, windows};
use crate::plain::{EPISODES, Hit, Response, model};

fn hit() -> impl Strategy<Value = Hit> {
    let position = || 2_u64..3_000;
    let response = prop_oneof![
        3 => any::<bool>().prop_map(|completed| Response::Whole { completed }),
        3 => (position(), 0_u64..2_000, prop::option::of(1_000_u64..3_000))
            .prop_map(|(first, length, total)| Response::Placed { first, last: first + length, total }),
        2 => (position(), position()).prop_map(|(first, last)| Response::Between { first, last }),
        2 => position().prop_map(|first| Response::From { first }),
        2 => position().prop_map(|length| Response::Suffix { length }),
        1 => Just(Response::Unplaced),
    ];
    (0..EPISODES.len(), 1_u8..4, 0..4 * 24 * 60_i64, 3_u64..2_500, response).prop_map(
        |(episode, listener, minute, bytes, response)| Hit { episode, listener, minute, bytes, response },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn the_engine_agrees_with_the_plain_rules(hits in prop::collection::vec(hit(), 1..60), window in windows()) {
        let lines: Vec<String> = hits.iter().map(Hit::line).collect();
        let tables = counted(window, &lines);
        let (hours, days) = model(window, &EPISODES, &hits);
        prop_assert_eq!(tables.days, days);
        prop_assert_eq!(tables.hours, hours);
    }
}
