//! The tables held to their own examples, and the table to agents seen in the wild.

use proptest::prelude::*;

use super::builtin::{self, Line};
use super::*;

/// The examples of a line; without any, its first pattern spelt out.
fn examples(line: &Line) -> Vec<String> {
    if !line.examples.is_empty() {
        return line.examples.iter().map(|example| (*example).to_owned()).collect();
    }
    let pattern = line.patterns[0].trim_start_matches('^').trim_end_matches('$');
    vec![pattern.replace('#', "1").replace('*', " ")]
}

#[test]
fn every_line_is_reached_by_its_own_examples() {
    let table = AgentTable::builtin();
    let mut wrong = Vec::new();
    for text in [builtin::SERVICES, builtin::APPS, builtin::LIBRARIES, builtin::BROWSERS] {
        for line in builtin::lines(text) {
            for example in examples(&line) {
                let row = table.describe(example.as_bytes());
                if (row.app, row.class) != (line.name, line.class) {
                    wrong.push(format!("{}: {example}: {row:?}", line.name));
                }
            }
        }
    }
    for line in builtin::lines(builtin::APP_NAMES) {
        let example = format!("{}/1.0 CFNetwork/1107.1 Darwin/19.0.0", line.name);
        let row = table.describe(example.as_bytes());
        if (row.app, row.class) != (line.name, line.class) {
            wrong.push(format!("{}: {example}: {row:?}", line.name));
        }
    }
    assert!(wrong.is_empty(), "{} examples go astray:\n{}", wrong.len(), wrong.join("\n"));
}

proptest! {
    #[test]
    fn any_bytes_have_a_class(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let table = table();
        let row = table.describe(&bytes);
        prop_assert_eq!(row.automated, row.class.is_automated());
    }
}

fn table() -> &'static AgentTable {
    static TABLE: std::sync::OnceLock<AgentTable> = std::sync::OnceLock::new();
    TABLE.get_or_init(AgentTable::builtin)
}
