//! Sessions whose windows are laid over a listener's requests for an episode, sorted by start.
//!
//! A request that arrives after later ones may lay all windows anew, so the requests themselves are kept until no
//! open day can touch their window any more. Windows are laid from scratch for each request: lists are short.

use hashbrown::HashMap;

use super::{Change, Contribution, Joined, Rejudge, Rules, Visit, Window};
use crate::attribution::coverage::Precision;
use crate::attribution::delivery::Delivery;
use crate::attribution::verdict::Received;
use crate::units::{AgentId, Country, EpisodeId, ListenerKey, Timestamp, UtcDay};

/// Requests by listener and episode.
#[derive(Clone, Debug)]
pub struct RollingSessions {
    window: Window,
    timelines: HashMap<(ListenerKey, EpisodeId), Timeline>,
}

#[derive(Clone, Debug)]
struct Timeline {
    agent: AgentId,
    /// Sorted by start, then country.
    touches: Vec<Touch>,
}

#[derive(Clone, Copy, Debug)]
struct Touch {
    start: Timestamp,
    country: Country,
    delivery: Delivery,
    shown_size: Option<u64>,
}

/// One window as laid: the requests in it, and the first instant after it.
struct Laid<'a> {
    touches: &'a [Touch],
    end: Timestamp,
}

impl RollingSessions {
    pub fn new(window: Window) -> Self {
        Self { window, timelines: HashMap::new() }
    }

    pub fn join(&mut self, visit: &Visit, rules: Rules<'_>, changes: &mut Vec<Change>) -> Joined {
        let timeline = self
            .timelines
            .entry((visit.listener, visit.episode))
            .or_insert_with(|| Timeline { agent: visit.agent, touches: Vec::new() });
        let before = timeline.contributions(self.window, rules);
        let was_in = timeline.laid(self.window).position(|laid| laid.holds(visit.start));
        let was_downloaded = was_in.is_some_and(|at| before[at].downloaded);
        timeline.insert(visit);
        let after = timeline.contributions(self.window, rules);
        push_differences(visit.episode, &before, &after, changes);
        let (at, laid) = timeline
            .laid(self.window)
            .enumerate()
            .find(|(_, laid)| laid.holds(visit.start))
            .expect("the request was just inserted");
        Joined {
            was_downloaded,
            contribution: after[at],
            is_new: laid.touches.len() == 1,
            gap_closed: laid.received().1 == Precision::GapClosed,
        }
    }

    pub fn close(&mut self, open_from: UtcDay) {
        let window = self.window;
        self.timelines.retain(|_, timeline| {
            let over = timeline.laid(window).take_while(|laid| laid.end <= open_from.start());
            let count: usize = over.map(|laid| laid.touches.len()).sum();
            timeline.touches.drain(..count);
            !timeline.touches.is_empty()
        });
    }

    pub fn rejudge(&mut self, rejudge: Rejudge<'_>, changes: &mut Vec<Change>) {
        for ((_, episode), timeline) in &self.timelines {
            let judged = rejudge.both(*episode, |rules| timeline.contributions(self.window, rules));
            if let Some((before, after)) = judged {
                push_differences(*episode, &before, &after, changes);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.timelines.len()
    }
}

impl Timeline {
    fn insert(&mut self, visit: &Visit) {
        let key = (visit.start, visit.country);
        let at = self.touches.partition_point(|touch| (touch.start, touch.country) <= key);
        let touch = Touch {
            start: visit.start,
            country: visit.country,
            delivery: visit.delivery,
            shown_size: visit.shown_size,
        };
        self.touches.insert(at, touch);
    }

    fn laid(&self, window: Window) -> impl Iterator<Item = Laid<'_>> {
        let mut rest = self.touches.as_slice();
        std::iter::from_fn(move || {
            let mut end = rest.first()?.start.plus(Window::ROLLING_LENGTH);
            let mut count = 1;
            while let Some(next) = rest.get(count).filter(|next| next.start < end) {
                if window == Window::LastTouch {
                    end = next.start.plus(Window::ROLLING_LENGTH);
                }
                count += 1;
            }
            let touches;
            (touches, rest) = rest.split_at(count);
            Some(Laid { touches, end })
        })
    }

    fn contributions(&self, window: Window, rules: Rules<'_>) -> Vec<Contribution> {
        self.laid(window).map(|laid| laid.contribution(self.agent, rules)).collect()
    }
}

impl Laid<'_> {
    fn holds(&self, start: Timestamp) -> bool {
        self.touches[0].start <= start && start < self.end
    }

    fn received(&self) -> (Received, Precision) {
        let mut received = Received::default();
        let mut precision = Precision::Exact;
        for touch in self.touches {
            if received.add(touch.delivery, touch.shown_size) == Precision::GapClosed {
                precision = Precision::GapClosed;
            }
        }
        (received, precision)
    }

    fn contribution(&self, agent: AgentId, rules: Rules<'_>) -> Contribution {
        let verdict = self.received().0.judge(&rules.facts.file, rules.thresholds);
        let first = &self.touches[0];
        Contribution {
            hour: first.start.hour(),
            country: first.country,
            agent,
            downloaded: verdict.downloaded,
            delivered: verdict.delivered,
        }
    }
}

/// Pairs windows by their place; equal ones change nothing.
fn push_differences(
    episode: EpisodeId,
    before: &[Contribution],
    after: &[Contribution],
    changes: &mut Vec<Change>,
) {
    for at in 0..before.len().max(after.len()) {
        let (before, after) = (before.get(at).copied(), after.get(at).copied());
        if before != after {
            changes.push(Change { episode, before, after });
        }
    }
}
