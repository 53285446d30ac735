//! The table as a whole: what an agent is, and which line said so.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use memchr::memmem;

use super::builtin::{self, Line};
use super::device::DeviceTable;
use super::guess::{Guess, crawler_name, guess};
use super::kinds::{AgentClass, DeviceClass, Platform};
use super::lists::{List, ListError, ListText};
use super::pattern::{Pattern, PatternSet};
use super::text::readable;

/// An app's (or bot's, or browser's) index in its [`AgentTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(u32);

impl AppId {
    /// The app of agents that no pattern matches; its name is `unknown`.
    pub const UNKNOWN: Self = Self(0);
}

/// The index of the pattern that decided, in its [`AgentTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u32);

/// What is known of an agent. Small and without a lifetime: names are asked of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    pub app: AppId,
    pub class: AgentClass,
    pub device: DeviceClass,
    pub platform: Platform,
    /// None where no pattern matches.
    pub rule: Option<RuleId>,
    /// See [`is_watch_download`].
    pub is_watch_download: bool,
}

/// Where a rule stands: the list, its version and the pattern as written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'t> {
    pub list: &'t str,
    pub version: Option<&'t str>,
    pub pattern: &'t str,
}

/// `built-in 2026-11-23: Googlebot`.
impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{} {version}: {}", self.list, self.pattern),
            None => write!(f, "{}: {}", self.list, self.pattern),
        }
    }
}

/// A list that the table holds, for the description of methodology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListInfo<'t> {
    pub list: &'t str,
    pub version: Option<&'t str>,
    pub entries: usize,
}

/// What a rule says of the agents it matches.
#[derive(Debug)]
struct Meaning {
    app: AppId,
    class: AgentClass,
    device: DeviceClass,
    platform: Platform,
    pattern: Cow<'static, str>,
}

/// A run of rules that one automaton searches; rule numbers count on from `first`.
#[derive(Debug)]
struct Stage {
    patterns: PatternSet,
    first: usize,
}

/// A user list and the number of its first rule.
#[derive(Debug)]
struct UserStage {
    list: List,
    first: usize,
}

/// Classifies agents. Built once; every answer is a pure function of the lists and the agent's bytes.
#[derive(Debug)]
pub struct AgentTable {
    /// By [`AppId`].
    names: Vec<Cow<'static, str>>,
    /// By [`RuleId`]: the lists over the table, the table, the guesses, the lists under it.
    rules: Vec<Meaning>,
    over: Vec<UserStage>,
    under: Vec<UserStage>,
    /// Services, apps and libraries.
    named: Stage,
    browsers: Stage,
    first_guess: usize,
    /// The rule for apps that no table knows.
    other_app: usize,
    devices: DeviceTable,
}

impl AgentTable {
    const LIST_NAME: &str = "built-in";

    pub fn builtin() -> Self {
        Self::with_lists(&[], &[]).expect("without lists of the operator's nothing can be wrong")
    }

    /// `over` is looked at before the built-in table, `under` where the table knows no answer.
    pub fn with_lists(over: &[ListText<'_>], under: &[ListText<'_>]) -> Result<Self, ListError> {
        let mut rules = Rules::default();
        let over = rules.add_lists(over)?;
        let named_lines = [builtin::SERVICES, builtin::APPS].into_iter().flat_map(builtin::lines);
        let names = builtin::lines(builtin::APP_NAMES).map(|line| Line {
            patterns: vec![format!("^{}/*CFNetwork/", line.name)],
            device: DeviceClass::Phone,
            platform: Platform::Ios,
            ..line
        });
        let named = rules.add_lines(named_lines.chain(names).chain(builtin::lines(builtin::LIBRARIES)));
        let browsers = rules.add_lines(builtin::lines(builtin::BROWSERS));
        let first_guess = rules.meanings.len();
        for guess in Guess::ALL {
            rules.add_guess(guess);
        }
        let other_app = rules.meanings.len();
        rules.add_guessed("other app", AgentClass::App, "names a device people listen with");
        let under = rules.add_lists(under)?;
        let devices = DeviceTable::builtin();
        Ok(Self {
            names: rules.names,
            rules: rules.meanings,
            over,
            under,
            named,
            browsers,
            first_guess,
            other_app,
            devices,
        })
    }

    /// What the agent is. An agent without any bytes is unknown; that it is absent is the caller's to judge.
    pub fn classify(&self, user_agent: &[u8]) -> Agent {
        let text = readable(user_agent);
        let is_watch_download = is_watch_download(user_agent);
        let said = self.devices.device(&text);
        let Some(index) = self.first_rule(user_agent, &text).or_else(|| self.other_app(&text, said)) else {
            let (app, class, (device, platform)) = (AppId::UNKNOWN, AgentClass::Unknown, said);
            return Agent { app, class, device, platform, rule: None, is_watch_download };
        };
        let rule = &self.rules[index];
        let (device, platform) =
            if rule.class.is_automated() { (DeviceClass::Unknown, Platform::Unknown) } else { said };
        Agent {
            app: rule.app,
            class: rule.class,
            device: if device == DeviceClass::Unknown { rule.device } else { device },
            platform: if platform == Platform::Unknown { rule.platform } else { platform },
            rule: Some(RuleId(u32::try_from(index).expect("far fewer rules than that"))),
            is_watch_download,
        }
    }

    /// An agent that names a device people listen with, and not in a browser's manner, is some app.
    fn other_app(&self, text: &[u8], (device, _): (DeviceClass, Platform)) -> Option<usize> {
        let is_app =
            !matches!(device, DeviceClass::Unknown | DeviceClass::Desktop) && !text.starts_with(b"Mozilla/");
        is_app.then_some(self.other_app)
    }

    /// The order of precedence, as the module's head gives it.
    fn first_rule(&self, raw: &[u8], text: &[u8]) -> Option<usize> {
        let in_lists = |stages: &[UserStage]| {
            stages.iter().find_map(|stage| stage.list.first_match(raw, text).map(|index| stage.first + index))
        };
        let in_stage = |stage: &Stage| stage.patterns.first_match(text).map(|index| stage.first + index);
        if let Some(rule) = in_lists(&self.over) {
            return Some(rule);
        }
        if let Some(rule) = in_stage(&self.named).filter(|rule| !self.is_namesake(*rule, text)) {
            return Some(rule);
        }
        match guess(text) {
            None => in_stage(&self.browsers).or_else(|| in_lists(&self.under)),
            Some(guess) => in_lists(&self.under).or(Some(self.first_guess + guess as usize)),
        }
    }

    /// Whether an app's pattern met a crawler that only begins with the app's name: `Acast` in `AcastBot/1.0`.
    fn is_namesake(&self, rule: usize, text: &[u8]) -> bool {
        let Meaning { class, pattern, .. } = &self.rules[rule];
        *class == AgentClass::App
            && pattern.starts_with('^')
            && crawler_name(text).is_some_and(|name| memmem::find(pattern.as_bytes(), name).is_none())
    }

    /// `unknown` for [`AppId::UNKNOWN`]. Panics on another table's id.
    pub fn app_name(&self, app: AppId) -> &str {
        &self.names[app.0 as usize]
    }

    /// Where a rule of this table stands. Panics on another table's id.
    pub fn rule(&self, rule: RuleId) -> Rule<'_> {
        let index = rule.0 as usize;
        let pattern = &*self.rules[index].pattern;
        let own = self
            .over
            .iter()
            .chain(&self.under)
            .find(|stage| (stage.first..stage.first + stage.list.entries.len()).contains(&index));
        match own {
            Some(UserStage { list, .. }) => {
                Rule { list: &list.file, version: list.version.as_deref(), pattern }
            }
            None => Rule { list: Self::LIST_NAME, version: Some(builtin::VERSION), pattern },
        }
    }

    /// The lists in the order in which they are looked at.
    pub fn lists(&self) -> impl Iterator<Item = ListInfo<'_>> {
        let of_users =
            self.over.iter().chain(&self.under).map(|stage| stage.list.entries.len()).sum::<usize>();
        let table = ListInfo {
            list: Self::LIST_NAME,
            version: Some(builtin::VERSION),
            entries: self.rules.len() - of_users,
        };
        let over = self.over.iter().map(UserStage::info);
        over.chain([table]).chain(self.under.iter().map(UserStage::info))
    }
}

impl UserStage {
    fn info(&self) -> ListInfo<'_> {
        let List { file, version, entries, .. } = &self.list;
        ListInfo { list: file, version: version.as_deref(), entries: entries.len() }
    }
}

/// Whether a watch asks for what the phone it is paired with already has (IAB §5.5.2-7).
///
/// To every list such an agent is a bot, so its class is [`AgentClass::Bot`]; the rule about watches is a
/// rule of its own and comes first. Where that rule is switched off, this one should not be a bot either.
pub fn is_watch_download(user_agent: &[u8]) -> bool {
    let says = |what: &str| memmem::find(user_agent, what.as_bytes()).is_some();
    (user_agent.starts_with(b"atc/") && says("watchOS")) || says("(null) watchOS")
}

/// The rules while they are collected.
struct Rules {
    names: Vec<Cow<'static, str>>,
    ids: HashMap<Cow<'static, str>, AppId>,
    meanings: Vec<Meaning>,
}

impl Default for Rules {
    fn default() -> Self {
        let mut rules = Self { names: Vec::new(), ids: HashMap::new(), meanings: Vec::new() };
        assert_eq!(rules.app("unknown".into()), AppId::UNKNOWN);
        rules
    }
}

impl Rules {
    fn app(&mut self, name: Cow<'static, str>) -> AppId {
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        let id = AppId(u32::try_from(self.names.len()).expect("far fewer apps than that"));
        self.names.push(name.clone());
        self.ids.insert(name, id);
        id
    }

    fn add_lines(&mut self, lines: impl Iterator<Item = Line>) -> Stage {
        let first = self.meanings.len();
        let mut patterns = Vec::new();
        for line in lines {
            let app = self.app(line.name.into());
            for written in line.patterns {
                patterns.push(Pattern::parse(&written).unwrap_or_else(|| panic!("no pattern: {written:?}")));
                self.meanings.push(Meaning {
                    app,
                    class: line.class,
                    device: line.device,
                    platform: line.platform,
                    pattern: written.into(),
                });
            }
        }
        Stage { patterns: PatternSet::new(patterns), first }
    }

    fn add_guess(&mut self, guess: Guess) {
        let name = match guess.class() {
            AgentClass::Crawler => "other crawler",
            _ => "other bot",
        };
        self.add_guessed(name, guess.class(), guess.reason());
    }

    fn add_guessed(&mut self, name: &'static str, class: AgentClass, reason: &'static str) {
        let app = self.app(name.into());
        let (device, platform) = (DeviceClass::Unknown, Platform::Unknown);
        self.meanings.push(Meaning { app, class, device, platform, pattern: reason.into() });
    }

    fn add_lists(&mut self, texts: &[ListText<'_>]) -> Result<Vec<UserStage>, ListError> {
        texts.iter().map(|text| self.add_list(*text)).collect()
    }

    fn add_list(&mut self, text: ListText<'_>) -> Result<UserStage, ListError> {
        let list = List::read(text)?;
        let first = self.meanings.len();
        for entry in &list.entries {
            let app = self.app(entry.name.to_string().into());
            self.meanings.push(Meaning {
                app,
                class: entry.class,
                device: entry.device,
                platform: Platform::Unknown,
                pattern: entry.pattern.to_string().into(),
            });
        }
        Ok(UserStage { list, first })
    }
}
