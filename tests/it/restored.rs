//! An engine that goes on from a saved state, beside one that was never interrupted.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use castmeter::attribution::agent::{AgentTable, ListText};
use castmeter::attribution::{
    Closing, Engine, Memory, Mode, Policy, Receipt, Redelivery, Registry, State, Thresholds, Window,
};
use castmeter::event::Unescaped;
use castmeter::parser::LineParser;
use castmeter::rollup::{Delta, Gathered};
use castmeter::units::{AgentId, SourceId, Timestamp};
use proptest::prelude::*;

use crate::invariants::{engine, line};
use crate::plain::MONDAY;

const SECRET: [u8; 16] = *b"any secret does.";

/// As the service counts: days close, ids are forgotten.
fn policy(window: Window) -> Policy {
    Policy {
        closing: Closing::After { lateness: Duration::from_secs(3600) },
        redelivery: Redelivery(Memory { ids: 20, window: Some(Duration::from_secs(4 * 3600)) }),
        ..engine(window).policy().clone()
    }
}

fn table() -> Arc<AgentTable> {
    static TABLE: LazyLock<Arc<AgentTable>> = LazyLock::new(|| Arc::new(AgentTable::builtin()));
    Arc::clone(&TABLE)
}

fn fresh(window: Window, mode: Mode) -> Engine {
    let mut registry = Registry::new(mode, ["/night/feed"]);
    if mode == Mode::Catalog {
        registry.update(engine(window).registry().episodes().iter().cloned());
    }
    Engine::new(policy(window), registry, table(), SECRET)
}

fn interrupted(engine: &Engine, window: Window) -> Engine {
    let saved = postcard::to_stdvec(&engine.state()).unwrap();
    let state: State<'static> = postcard::from_bytes(&saved).unwrap();
    // What is in the state is not asked of the new one.
    let registry = Registry::new(Mode::Catalog, []);
    Engine::new(policy(window), registry, table(), SECRET).restored(state, SECRET)
}

/// Lines with ids that repeat, received in order by two sources.
fn lines() -> impl Strategy<Value = Vec<(String, Receipt)>> {
    let one = (line(), 0..30_u32, 0..2_u16, 0..3 * 3600_i64);
    prop::collection::vec(one, 2..60).prop_map(|lines| {
        let mut now = MONDAY + 6 * 3600;
        let receive = |(line, id, source, later): (String, u32, u16, i64)| {
            now += later;
            let at = Timestamp::from_seconds(now).unwrap();
            let receipt = Receipt { source: SourceId(source), at, redelivered: false };
            (format!("{},\"id\":\"{id}\"}}", line.strip_suffix('}').unwrap()), receipt)
        };
        lines.into_iter().map(receive).collect()
    })
}

proptest! {
    #[test]
    fn nobody_can_tell(
        lines in lines(),
        cut in any::<prop::sample::Index>(),
        window in prop::sample::select(Window::ALL.to_vec()),
        derived in any::<bool>(),
        size in prop::sample::select(vec![None, Some(400_u64), Some(2_000)]),
    ) {
        let mode = if derived { Mode::Derived { max_episodes: 6 } } else { Mode::Catalog };
        let parser = LineParser::json();
        let mut original = fresh(window, mode);
        let (before, after) = lines.split_at(cut.index(lines.len()));
        for (line, receipt) in before {
            original.observe(&parser.parse(line.as_bytes(), &Unescaped::default()), *receipt);
        }
        let mut restored = interrupted(&original, window);
        prop_assert_eq!(restored.open_sessions(), original.open_sessions());
        for (line, receipt) in after {
            let room = Unescaped::default();
            let request = parser.parse(line.as_bytes(), &room);
            prop_assert_eq!(restored.observe(&request, *receipt), original.observe(&request, *receipt));
            prop_assert_eq!(restored.changes(), original.changes());
            prop_assert_eq!(restored.watermark(receipt.at), original.watermark(receipt.at));
        }
        prop_assert_eq!(restored.registry().episodes(), original.registry().episodes());
        prop_assert_eq!(restored.registry().shows(), original.registry().shows());
        prop_assert!(restored.agent_names().eq(original.agent_names()));
        let labels = |engine: &Engine| postcard::to_stdvec(engine.labels()).unwrap();
        prop_assert_eq!(labels(&restored), labels(&original));

        // Sessions of before are judged again by what is learnt later.
        let learn = |engine: &mut Engine| {
            let mut episodes = engine.registry().episodes().to_vec();
            episodes.iter_mut().for_each(|episode| episode.size = size);
            engine.update_catalog(episodes);
            let (mut sums, mut gathered) = (Delta::default(), Gathered::default());
            gathered.add_changes(engine.changes());
            let thresholds = Thresholds { listen_ms: 30_000, ..engine.policy().thresholds };
            let policy = Policy { thresholds, ..engine.policy().clone() };
            engine.change_policy(policy, table(), mode, &[]);
            gathered.add_changes(engine.changes());
            sums.add_gathered(&gathered);
            (sums.episode_hours, sums.episode_days)
        };
        let ((hours, days), (expected_hours, expected_days)) = (learn(&mut restored), learn(&mut original));
        prop_assert_eq!(hours, expected_hours);
        prop_assert_eq!(days, expected_days);
    }
}

fn app(engine: &Engine, agent: AgentId) -> &str {
    &engine.agent_names().nth(agent.0 as usize).unwrap().app
}

/// An app's name is saved, not its number: another release may number its apps in another way.
#[test]
fn agents_keep_their_apps() {
    let mut original = fresh(Window::Calendar, Mode::Derived { max_episodes: 9 });
    let line = br#"{"v":1,"start_us":1793577600000000,"ip":"192.0.2.1","url":"/night/one.mp3","ua":"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)","status":200,"body_bytes":5}"#;
    let receipt =
        Receipt { source: SourceId(0), at: Timestamp::from_seconds(MONDAY).unwrap(), redelivered: false };
    let count = |engine: &mut Engine| {
        let outcome = engine.observe(&LineParser::json().parse(line, &Unescaped::default()), receipt);
        outcome.session.unwrap().joined.contribution.agent
    };
    let agent = count(&mut original);
    let mut restored = interrupted(&original, Window::Calendar);
    assert_eq!(app(&restored, agent), "Overcast");
    assert_eq!(count(&mut restored), agent, "no agent is given a second id");
    let list = ListText { file: "own.json", json: r#"{"entries":[{"pattern":"^Overcast","name":"Mine"}]}"# };
    let own = AgentTable::with_lists(&[list], &[]).unwrap();
    let policy = restored.policy().clone();
    restored.change_policy(policy, own.into(), Mode::Derived { max_episodes: 9 }, &[]);
    assert_eq!(app(&restored, agent), "Overcast", "whatever the new table calls that number");
    let renamed = count(&mut restored);
    assert_eq!(app(&restored, agent), "Overcast");
    // The session is of the agent it began with.
    assert_eq!(renamed, agent);
}
