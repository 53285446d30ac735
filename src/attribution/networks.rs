//! The operator's lists of networks: hosting providers', blocked and included ones.
//!
//! A list entry is a network in CIDR notation or an autonomous system's number. The longest prefix decides nothing
//! here beyond membership: an address is on a list when any of its networks holds it.

use std::net::IpAddr;

use hashbrown::HashSet;
use ipnet::IpNet;
use prefix_trie::joint::set::JointPrefixSet;

use super::listener::ClientAddress;

/// A set of networks and autonomous systems.
#[derive(Clone, Debug, Default)]
pub struct NetworkList {
    networks: JointPrefixSet<IpNet>,
    systems: HashSet<u32>,
}

/// A list's line that is neither a network nor an AS number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network (such as 192.0.2.0/24 or 2001:db8::/32) and no AS number (such as AS64496)")]
pub struct BadNetwork(pub String);

impl NetworkList {
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.systems.is_empty()
    }

    pub fn len(&self) -> usize {
        self.networks.len() + self.systems.len()
    }

    /// Adds `192.0.2.0/24`, `2001:db8::/32`, a single address, `AS64496` or `64496`.
    pub fn add(&mut self, entry: &str) -> Result<(), BadNetwork> {
        let bad = || BadNetwork(entry.to_owned());
        let entry = entry.trim();
        if let Ok(network) = entry.parse::<IpNet>() {
            self.networks.insert(network.trunc());
        } else if let Ok(address) = entry.parse::<IpAddr>() {
            self.networks.insert(IpNet::from(address));
        } else {
            let digits = entry.strip_prefix("AS").or(entry.strip_prefix("as")).unwrap_or(entry);
            self.systems.insert(digits.parse().map_err(|_| bad())?);
        }
        Ok(())
    }

    /// Adds every entry of a list file: one a line, `#` and `;` begin a comment. Gives the lines that are none.
    pub fn add_lines(&mut self, text: &str) -> Vec<(usize, BadNetwork)> {
        let entries = text.lines().enumerate().filter_map(|(at, line)| {
            let entry = line.split(['#', ';']).next().unwrap_or_default().trim();
            (!entry.is_empty()).then_some((at + 1, entry))
        });
        entries.filter_map(|(line, entry)| Some((line, self.add(entry).err()?))).collect()
    }

    pub fn contains(&self, address: ClientAddress, asn: Option<u32>) -> bool {
        if asn.is_some_and(|asn| self.systems.contains(&asn)) {
            return true;
        }
        !self.networks.is_empty() && self.networks.get_lpm(&IpNet::from(address.ip())).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership() {
        let mut list = NetworkList::default();
        let text = "# provider\n192.0.2.0/25 ; a comment\n\n2001:db8::/32\n198.51.100.7\nAS64496\n64497\n10.0.0.1/8\n";
        assert_eq!(list.add_lines(text), []);
        let contains = |address: &str, asn| list.contains(ClientAddress::new(address.parse().unwrap()), asn);
        for (address, expected) in [
            ("192.0.2.127", true),
            ("192.0.2.128", false),
            ("::ffff:192.0.2.1", true),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("10.200.0.1", true),
        ] {
            assert_eq!(contains(address, None), expected, "{address}");
        }
        assert!(contains("203.0.113.1", Some(64496)) && contains("203.0.113.1", Some(64497)));
        assert!(!contains("203.0.113.1", Some(64498)));
    }

    #[test]
    fn what_is_no_network_is_told_with_its_line() {
        let problems = NetworkList::default().add_lines("192.0.2.0/24\n192.0.2.0/33\nexample.com");
        assert_eq!(problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
        assert!(problems[0].1.to_string().contains("192.0.2.0/33"));
    }
}
