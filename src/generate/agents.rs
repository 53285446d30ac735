//! User agents: who asks, how often, and how they fetch a file.
//!
//! `data/agents.txt` lists templates of real apps, players, browsers, robots and feed fetchers with their
//! shares. Each is rendered into as many variants (releases, phones, languages) as its share deserves, some
//! three thousand in all, once. The list does not depend on the seed.

use super::devices::Device;
use super::rng::{Rng, derive};
use super::weighted::Weighted;

const LIST: &str = include_str!("data/agents.txt");

/// How a client fetches an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// One plain download, resumed when it breaks.
    Whole,
    /// A `bytes=0-1` probe, then windows of the file as it is played.
    Apple,
    /// `bytes=0-`, then `bytes=N-` as it is played.
    Open,
    /// Ranges of a fixed size, one after the other.
    Blocks,
    /// One plain request read at the speed of listening.
    Slow,
    /// As `Open`, from a web page.
    Page,
    /// One request of whatever kind a robot makes.
    Script,
}

impl Manner {
    fn parse(name: &str) -> Self {
        match name {
            "whole" => Self::Whole,
            "apple" => Self::Apple,
            "open" => Self::Open,
            "blocks" => Self::Blocks,
            "slow" => Self::Slow,
            "page" => Self::Page,
            "script" => Self::Script,
            _ => panic!("agents.txt: unknown manner {name}"),
        }
    }
}

/// One user agent, ready to be written.
#[derive(Clone, Debug)]
pub struct Agent {
    /// As the client sent it; may be empty.
    pub text: String,
    /// The inside of a JSON string, as Fastly's `json.escape` writes it.
    pub json: String,
    pub manner: Manner,
}

/// An index into [`Agents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentIndex(pub u32);

/// All user agents, and the odds of each.
pub struct Agents {
    all: Vec<Agent>,
    listeners: Pool,
    bots: Pool,
    fetchers: Pool,
    fetcher_variants: u32,
}

/// A run of `Agents::all` and the odds within it.
struct Pool {
    first: u32,
    odds: Weighted,
}

impl Pool {
    fn pick(&self, random: u64) -> AgentIndex {
        AgentIndex(self.first + self.odds.pick(random) as u32)
    }
}

impl Agents {
    /// `shows`: for how many feeds the fetchers report subscribers.
    pub fn new(shows: u32) -> Self {
        let mut all = Vec::new();
        let listeners = render_pool(&mut all, "[listeners]");
        let bots = render_pool(&mut all, "[bots]");
        let fetchers = render_fetchers(&mut all, shows);
        Self { all, listeners, bots, fetchers, fetcher_variants: shows }
    }

    pub fn get(&self, index: AgentIndex) -> &Agent {
        &self.all[index.0 as usize]
    }

    pub fn pick_listener(&self, random: u64) -> AgentIndex {
        self.listeners.pick(random)
    }

    pub fn pick_bot(&self, random: u64) -> AgentIndex {
        self.bots.pick(random)
    }

    /// A service that fetches the feed of the `show`-th show.
    pub fn pick_fetcher(&self, random: u64, show: u32) -> AgentIndex {
        let service = self.fetchers.odds.pick(random) as u32;
        AgentIndex(self.fetchers.first + service * self.fetcher_variants + show)
    }
}

/// A line of the list: share, manner and template.
fn section(name: &str) -> impl Iterator<Item = (u64, Manner, &'static str)> {
    LIST.lines()
        .skip_while(move |line| *line != name)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (weight, rest) = line.trim_start().split_once(' ').expect("weight manner template");
            let (manner, template) = rest.trim_start().split_once(' ').expect("manner template");
            (weight.parse().expect("a whole number"), Manner::parse(manner), template.trim_start())
        })
}

fn render_pool(all: &mut Vec<Agent>, name: &'static str) -> Pool {
    let first = all.len() as u32;
    let mut weights = Vec::new();
    for (at, (weight, manner, template)) in section(name).enumerate() {
        let variants = if template.contains('{') { (weight / 2).clamp(8, 160) } else { 1 };
        // The common variants of an app are far more common than the rare ones.
        let shares: Vec<u64> = (0..variants).map(|variant| 1_000_000 / (variant + 3)).collect();
        let total: u64 = shares.iter().sum();
        for (variant, share) in (0..).zip(shares) {
            let device = Device::draw(Rng::new(derive(u64::from(first) + at as u64, variant)));
            all.push(render(template, manner, device, None));
            weights.push(weight * 1_000_000 * share / total);
        }
    }
    Pool { first, odds: Weighted::new(&weights) }
}

/// One agent for each service and show: a service tells each feed its own number of subscribers.
fn render_fetchers(all: &mut Vec<Agent>, shows: u32) -> Pool {
    let first = all.len() as u32;
    let mut weights = Vec::new();
    for (at, (weight, manner, template)) in section("[feeds]").enumerate() {
        weights.push(weight);
        for show in 0..shows {
            let rng = Rng::new(derive(at as u64, u64::from(show)));
            all.push(render(template, manner, Device::draw(rng.clone()), Some(rng)));
        }
    }
    Pool { first, odds: Weighted::new(&weights) }
}

fn render(template: &str, manner: Manner, mut device: Device, mut feed: Option<Rng>) -> Agent {
    let mut text = String::new();
    let mut rest = if template == "-" { "" } else { template };
    while let Some((before, after)) = rest.split_once('{') {
        let (placeholder, after) = after.split_once('}').expect("a closing brace");
        text.push_str(before);
        let value = match (placeholder, &mut feed) {
            ("subs", Some(rng)) => Some(rng.between(3, 5_000).to_string()),
            ("feed", Some(rng)) => Some(rng.between(100_000, 4_000_000).to_string()),
            _ => device.fill(placeholder),
        };
        text.push_str(&value.unwrap_or_else(|| panic!("agents.txt: unknown placeholder {placeholder}")));
        rest = after;
    }
    text.push_str(rest);
    let json = json_escape(&text);
    Agent { text, json, manner }
}

/// Fastly's `json.escape`, for text without control characters: other UTF-8 stays as it is.
fn json_escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_template_renders_and_there_are_many_agents() {
        let agents = Agents::new(3);
        assert!(section("[listeners]").count() >= 100);
        assert!(section("[bots]").count() >= 25);
        let distinct: BTreeSet<&str> = agents.all.iter().map(|agent| agent.text.as_str()).collect();
        assert!(distinct.len() > 1_800, "{}", distinct.len());
        for agent in &agents.all {
            assert!(!agent.text.contains(['{', '}', '\n', '\r']), "{}", agent.text);
            let read: String = serde_json::from_str(&format!("\"{}\"", agent.json)).unwrap();
            assert_eq!(read, agent.text);
        }
    }

    #[test]
    fn some_agents_need_escapes_some_are_not_ascii_and_one_is_empty() {
        let agents = Agents::new(1);
        for odd in ['"', '\\', 'ü', 'ポ'] {
            assert!(agents.all.iter().any(|agent| agent.text.contains(odd)), "{odd}");
        }
        assert!(agents.all.iter().any(|agent| agent.text.is_empty()));
    }

    #[test]
    fn fetchers_report_the_same_number_for_the_same_feed() {
        let agents = Agents::new(5);
        let text = |random, show| &agents.get(agents.pick_fetcher(random, show)).text;
        assert!(text(0, 2).starts_with("Overcast/1.0 Podcast Sync ("));
        assert_eq!(text(0, 2), text(0, 2));
        assert_ne!(text(0, 2), text(0, 3));
    }
}
