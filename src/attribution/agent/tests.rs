//! The tables held to their own examples, and the table to agents seen in the wild.

use proptest::prelude::*;

use super::builtin::{self, Line};
use super::*;

fn table() -> &'static AgentTable {
    static TABLE: std::sync::OnceLock<AgentTable> = std::sync::OnceLock::new();
    TABLE.get_or_init(AgentTable::builtin)
}

/// The examples of a line; without any, its first pattern spelt out.
fn examples(line: &Line) -> Vec<String> {
    if !line.examples.is_empty() {
        return line.examples.iter().map(|example| (*example).to_owned()).collect();
    }
    let pattern = line.patterns[0].trim_start_matches('^').trim_end_matches('$');
    vec![pattern.replace('#', "1").replace('*', " ")]
}

/// Every line of the built-in tables with one of its examples.
fn lines_with_examples() -> Vec<(Line, String)> {
    let tables = [builtin::SERVICES, builtin::APPS, builtin::LIBRARIES, builtin::BROWSERS];
    let lines = tables.into_iter().flat_map(builtin::lines);
    let names = builtin::lines(builtin::APP_NAMES).map(|line| {
        let example = format!("{}/1.0 CFNetwork/1107.1 Darwin/19.0.0", line.name);
        (line, example)
    });
    lines
        .flat_map(|line| examples(&line).into_iter().map(move |example| (line.clone(), example)))
        .chain(names)
        .collect()
}

#[test]
fn every_line_is_reached_by_its_own_examples() {
    let wrong = lines_with_examples()
        .into_iter()
        .filter_map(|(line, example)| {
            let row = table().describe(example.as_bytes());
            let reached = row.app == line.name && row.class == line.class;
            (!reached).then(|| format!("{}: {example}: {row:?}", line.name))
        })
        .collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{} examples go astray:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn agents_seen_in_the_wild() {
    let seen = include_str!("../../../tests/data/agents.txt");
    let rows = seen.lines().filter(|row| !row.is_empty() && !row.starts_with('#')).collect::<Vec<_>>();
    assert!(rows.len() >= 400, "only {} rows", rows.len());
    let wrong = rows
        .into_iter()
        .filter_map(|row| {
            let [app, class, device, platform, agent] = row.splitn(5, " | ").collect::<Vec<_>>()[..] else {
                return Some(format!("not five columns: {row}"));
            };
            let found = table().describe(agent.as_bytes());
            let as_expected = found.app == app
                && found.class.name() == class
                && found.device.name() == device
                && found.platform.name() == platform;
            (!as_expected).then(|| format!("{row}\n    found {found:?}"))
        })
        .collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{} agents are misread:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_covers_its_field() {
    let apps = lines_with_examples().into_iter().filter(|(line, _)| line.class == AgentClass::App);
    let names = apps.map(|(line, _)| line.name).collect::<std::collections::BTreeSet<_>>();
    assert!(names.len() >= 500, "{} apps", names.len());
}

/// However a known app's agent is wrapped on its way into the log, nobody takes it for a bot.
#[test]
fn wrapping_does_not_make_a_bot_of_an_app() {
    for (line, example) in lines_with_examples() {
        if line.class != AgentClass::App {
            continue;
        }
        let encoded = example.replace('%', "%25").replace(' ', "%20").replace('/', "%2F");
        for wrapped in [format!("\"{example}\""), format!("{example} Dynamo/1.0"), encoded] {
            let row = table().describe(wrapped.as_bytes());
            assert!(!row.automated, "{wrapped}: {row:?}");
        }
    }
}

#[test]
fn no_agent_is_automated() {
    let row = table().describe(b"");
    assert_eq!((row.automated, row.rule.as_deref()), (true, Some("no user agent")));
    assert!(!table().describe(b" ").automated);
}

#[test]
fn a_crawler_that_begins_with_an_apps_name_is_a_crawler() {
    for (agent, automated) in [
        ("AcastBot/1.0", true),
        ("Deezercrawler", true),
        ("Tweetbot/53300 CFNetwork/1335.0.3 Darwin/21.6.0", false),
        ("Cubot/1 (Linux;Android 9) ExoPlayerLib/2.9", false),
        ("Spider-Man Podcast/1 CFNetwork/1494.0.7 Darwin/23.4.0", false),
    ] {
        assert_eq!(table().describe(agent.as_bytes()).automated, automated, "{agent}");
    }
}

#[test]
fn lists_lie_over_and_under_the_table() {
    let over = ListText {
        file: "mine.json",
        json: r#"{"version":"7","entries":[
            {"name":"My Overcast","pattern":"^Overcast/3","category":"app","device":"car"},
            {"name":"Mine","pattern":"^curl/8\\.9","category":"app"}]}"#,
    };
    let under = ListText {
        file: "bots.json",
        json: r#"{"entries":[
            {"name":"Unheard of","pattern":"unheard"},
            {"name":"Player of bots","pattern":"^MyBot/","category":"app"},
            {"name":"Never","pattern":"^curl"}]}"#,
    };
    let table = AgentTable::with_lists(&[over], &[under]).unwrap();
    for (agent, app, class, rule) in [
        ("Overcast/3.0", "My Overcast", AgentClass::App, "mine.json 7: ^Overcast/3"),
        ("curl/8.9", "Mine", AgentClass::App, r"mine.json 7: ^curl/8\.9"),
        ("unheard of/1", "Unheard of", AgentClass::Bot, "bots.json: unheard"),
        ("MyBot/1", "Player of bots", AgentClass::App, "bots.json: ^MyBot/"),
        ("YourBot/1", "other crawler", AgentClass::Crawler, "built-in"),
        ("curl/7", "curl", AgentClass::ScriptedLibrary, "built-in"),
    ] {
        let row = table.describe(agent.as_bytes());
        assert_eq!((row.app, row.class), (app, class), "{agent}");
        assert!(row.rule.clone().unwrap().starts_with(rule), "{agent}: {row:?}");
    }
    assert_eq!(table.describe(b"Overcast/3.0").device, DeviceClass::Car);
    let lists = table.lists().map(|list| (list.list, list.entries)).collect::<Vec<_>>();
    assert_eq!((lists[0], lists[1].0, lists[2]), (("mine.json", 2), "built-in", ("bots.json", 3)));
}

#[test]
fn watches_are_told_by_the_letter_of_the_guideline() {
    for (agent, expected) in [
        ("atc/1.0 watchOS/7.1 model/Watch5,4 hwp/t8006 build/18R590 (6; dt:202)", true),
        ("(null)/(null) watchOS/5.0.1 model/Watch3,3 hwp/t8004 build/16R381 (6; dt:155)", true),
        ("Podcasts (null) watchOS/9", true),
        ("atc/1.0", false),
        ("catc/1.0 watchOS/7", false),
        ("AppleCoreMedia/1.0.0.16U113 (Apple Watch; U; CPU OS 5_2_1 like Mac OS X; pl_pl)", false),
        ("Overcast (+http://overcast.fm/; Apple Watch podcast app)", false),
    ] {
        assert_eq!(is_watch_download(agent.as_bytes()), expected, "{agent}");
        assert_eq!(table().classify(agent.as_bytes()).is_watch_download, expected, "{agent}");
    }
}

#[test]
fn a_row_is_one_json_object() {
    let row = table().describe(b"Castro 2020.14/1287");
    let expected = format!(
        r#"{{"user_agent":"Castro 2020.14/1287","app":"Castro","device":"phone","platform":"ios","class":"app","automated":false,"rule":"built-in {}: ^Castro 2"}}"#,
        builtin::VERSION
    );
    assert_eq!(serde_json::to_string(&row).unwrap(), expected);
    assert_eq!(table().describe(b"\xff").user_agent, "\u{fffd}");
}

proptest! {
    #[test]
    fn any_bytes_have_a_class(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let row = table().describe(&bytes);
        prop_assert_eq!(row.automated, bytes.is_empty() || row.class.is_automated());
        prop_assert!(!row.app.is_empty());
    }

    /// What follows an app's agent never hides the app: the beginning names it.
    #[test]
    fn what_follows_does_not_hide_an_app(tail in "[a-z0-9;() ]{0,40}") {
        let agent = format!("AntennaPod/3.4.1 {tail}");
        prop_assert_eq!(table().describe(agent.as_bytes()).app, "AntennaPod");
    }
}
