//! Who a request is from, and what of a file a session has: user agents, listener keys, coverage.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use castmeter::attribution::agent::AgentTable;
use castmeter::attribution::steps::{AgentDigest, Listeners, covered};
use castmeter::event::Request;
use castmeter::units::{ByteRange, UtcDay};
use divan::Bencher;

use super::input::{LINES_PER_BATCH, REQUESTS, time};

/// An address with its user agent, hashed.
type Visit = (IpAddr, AgentDigest);

static TABLE: LazyLock<Arc<AgentTable>> = LazyLock::new(|| Arc::new(AgentTable::builtin()));

fn listeners() -> Listeners {
    Listeners::new(Arc::clone(&TABLE), [7; 16])
}

fn user_agent(request: &Request<'static>) -> &'static [u8] {
    request.user_agent.unwrap_or_default()
}

/// Each line's user agent, and how many of a batch are automated by the table alone.
fn user_agents() -> Vec<(Vec<&'static [u8]>, usize)> {
    let is_bot = |text: &[u8]| {
        let agent = TABLE.classify(text);
        text.is_empty() || agent.class.is_automated() && !agent.is_watch_download
    };
    let of_batch = |batch: &'static [Request<'static>]| {
        let agents: Vec<_> = batch.iter().map(user_agent).collect();
        let bots = agents.iter().filter(|text| is_bot(text)).count();
        assert!(bots > 0 && bots < agents.len() / 2, "{bots} bots");
        (agents, bots)
    };
    REQUESTS.chunks_exact(LINES_PER_BATCH.min(REQUESTS.len())).map(of_batch).collect()
}

/// Known already, as nearly all are.
#[divan::bench]
fn agent_known(bencher: Bencher<'_, '_>) {
    let batches = user_agents();
    let mut listeners = listeners();
    for text in batches.iter().flat_map(|(agents, _)| agents) {
        listeners.agent(text);
    }
    time(bencher, &batches, |(agents, bots)| {
        assert_eq!(agents.iter().filter(|text| listeners.agent(text).bot.is_some()).count(), *bots);
    });
}

/// Never seen before: the whole table is asked for each.
#[divan::bench]
fn agent_new(bencher: Bencher<'_, '_>) {
    time(bencher, &user_agents(), |(agents, bots)| {
        let is_bot = |text: &&&[u8]| {
            let agent = TABLE.classify(text);
            text.is_empty() || agent.class.is_automated() && !agent.is_watch_download
        };
        assert_eq!(agents.iter().filter(is_bot).count(), *bots);
    });
}

/// Network and user agent into a keyed hash.
#[divan::bench]
fn listener_key(bencher: Bencher<'_, '_>) {
    let mut listeners = listeners();
    let day = REQUESTS[0].start.day();
    let mut of_batch = |batch: &[Request<'static>]| {
        let of_request = |request: &Request<'static>| {
            (request.address.to_canonical(), listeners.agent(user_agent(request)).digest)
        };
        let visits: Vec<_> = batch.iter().map(of_request).collect();
        let networks = batch.iter().map(|request| (network(request.address), user_agent(request)));
        let distinct: HashSet<_> = networks.collect();
        let keys: HashSet<_> =
            visits.iter().map(|(address, agent)| listeners.key(*address, *agent, day)).collect();
        assert_eq!(keys.len(), distinct.len(), "a key for each network and user agent");
        let sum = keys_sum(&mut listeners, &visits, day);
        (visits, sum)
    };
    let batches: Vec<_> =
        REQUESTS.chunks_exact(LINES_PER_BATCH.min(REQUESTS.len())).map(&mut of_batch).collect();
    time(bencher, &batches, |(visits, sum)| {
        assert_eq!(keys_sum(&mut listeners, visits, day), *sum);
    });
}

fn keys_sum(listeners: &mut Listeners, visits: &[Visit], day: UtcDay) -> u64 {
    visits.iter().fold(0, |sum, (address, agent)| sum ^ listeners.key(*address, *agent, day).0[0])
}

/// All of an IPv4 address, 64 bits of an IPv6 one, as text.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x?}", &address.segments()[..4]),
    }
}

/// The ranges of each session among the lines, in the order they were sent in.
#[divan::bench]
fn coverage(bencher: Bencher<'_, '_>) {
    let mut sessions: HashMap<_, Vec<ByteRange>> = HashMap::new();
    for request in &*REQUESTS {
        let Some((first, last)) = request.content_range.and_then(|range| range.positions) else { continue };
        let session = sessions.entry((network(request.address), user_agent(request), request.url));
        session.or_default().push(ByteRange::new(first, last + 1));
    }
    let mut batches = vec![Vec::new()];
    for ranges in sessions.into_values() {
        let batch = batches.last_mut().expect("one at least");
        batch.push((union(&ranges), ranges));
        if batch.iter().map(|(_, ranges)| ranges.len()).sum::<usize>() >= LINES_PER_BATCH {
            batches.push(Vec::new());
        }
    }
    // The last is not full.
    batches.truncate((batches.len() - 1).max(1));
    time(bencher, &batches, |sessions| {
        for (expected, ranges) in sessions {
            assert_eq!(covered(ranges.iter().copied()).0, *expected);
        }
    });
}

/// Bytes in any of the ranges: sorted, then added up.
fn union(ranges: &[ByteRange]) -> u64 {
    let mut sorted = ranges.to_vec();
    sorted.sort();
    let mut end = 0;
    sorted
        .iter()
        .map(|range| {
            let fresh = range.end.saturating_sub(range.start.max(end));
            end = end.max(range.end);
            fresh
        })
        .sum()
}
