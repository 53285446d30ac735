//! The operator's choices: window, thresholds, lists, and which filters are on.

use std::num::NonZeroU16;
use std::time::Duration;

use super::distinct::Granularity;
use super::fate::Reason;
use super::networks::NetworkList;
use super::redelivery::Memory;
use super::session::Window;
use super::verdict::Thresholds;

/// Everything counting depends on besides the lines, the catalogue and the secret.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub window: Window,
    pub thresholds: Thresholds,
    pub filters: Filters,
    pub lists: Lists,
    pub closing: Closing,
    pub redelivery: Redelivery,
    pub granularity: Granularity,
    /// A new listener key every so many days; None: never.
    pub key_rotation_days: Option<NonZeroU16>,
}

/// Whether days close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// Offline counts: a day never closes, and receipt says nothing about a start.
    #[default]
    Never,
    /// The service: a day closes `lateness` after its end, by event time.
    After { lateness: Duration },
}

/// How long request ids are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redelivery(pub Memory);

impl Default for Redelivery {
    fn default() -> Self {
        Self(Memory { ids: Memory::MAX_IDS, window: None })
    }
}

/// The operator's lists.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// Hosting providers' networks and AS numbers.
    pub datacenters: NetworkList,
    /// Networks never counted.
    pub blocked: NetworkList,
    /// User agents never counted: any that contains one of these.
    pub blocked_agents: Vec<String>,
    /// Networks that `datacenter`, `vpn` and `blocked` do not apply to.
    pub included: NetworkList,
}

/// Which of the reasons that can be switched off are on. All are by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters([bool; Filters::SWITCHABLE.len()]);

impl Filters {
    pub const SWITCHABLE: [Reason; 6] =
        [Reason::Watch, Reason::Bot, Reason::Datacenter, Reason::Vpn, Reason::Blocked, Reason::PreRelease];

    /// False where the reason cannot be switched off.
    pub fn switch_off(&mut self, reason: Reason) -> bool {
        let at = Self::SWITCHABLE.iter().position(|other| *other == reason);
        at.inspect(|at| self.0[*at] = false).is_some()
    }

    pub fn is_on(&self, reason: Reason) -> bool {
        Self::SWITCHABLE.iter().position(|other| *other == reason).is_none_or(|at| self.0[at])
    }
}

impl Default for Filters {
    fn default() -> Self {
        Self([true; Self::SWITCHABLE.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_later_filters_can_be_switched_off() {
        let mut filters = Filters::default();
        assert!(filters.switch_off(Reason::Bot));
        assert!(!filters.switch_off(Reason::Probe));
        assert!(!filters.is_on(Reason::Bot));
        assert!(filters.is_on(Reason::Probe) && filters.is_on(Reason::Watch));
    }
}
