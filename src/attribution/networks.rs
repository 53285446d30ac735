//! The operator's lists of networks: hosting providers', blocked and included ones.
//!
//! A list entry is a network in CIDR notation or an autonomous system's number. An address is on a list when any of its
//! networks holds it; the smallest that does is the one that is named, and an AS number before any network. Where several
//! files have the same entry the first is named.

use std::fmt;
use std::net::IpAddr;

use hashbrown::HashMap;
use ipnet::IpNet;
use prefix_trie::joint::map::JointPrefixMap;

use super::listener::ClientAddress;

/// A set of networks and autonomous systems, each with the file it stands in.
#[derive(Clone, Debug, Default)]
pub struct NetworkList {
    networks: JointPrefixMap<IpNet, FileIndex>,
    systems: HashMap<u32, FileIndex>,
    files: Vec<Box<str>>,
}

/// None for an entry that stands in no file.
type FileIndex = Option<u16>;

/// The entry that an address was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'l> {
    file: Option<&'l str>,
    entry: ListEntry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListEntry {
    Network(IpNet),
    System(u32),
}

/// `hosting.txt: 192.0.2.0/24`, `hosting.txt: AS64496`.
impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = self.file {
            write!(f, "{file}: ")?;
        }
        match self.entry {
            ListEntry::Network(network) => network.fmt(f),
            ListEntry::System(number) => write!(f, "AS{number}"),
        }
    }
}

/// A list's line that is neither a network nor an AS number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network (such as 192.0.2.0/24 or 2001:db8::/32) and no AS number (such as AS64496)")]
pub struct BadNetwork(pub String);

impl NetworkList {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.systems.is_empty()
    }

    pub fn len(&self) -> usize {
        self.networks.len() + self.systems.len()
    }

    /// Adds `192.0.2.0/24`, `2001:db8::/32`, a single address, `AS64496` or `64496`.
    pub fn add(&mut self, entry: &str) -> Result<(), BadNetwork> {
        self.add_of(None, entry)
    }

    /// Adds every entry of a list file: one a line, `#` and `;` begin a comment. Gives the lines that are none.
    pub fn add_file(&mut self, name: &str, text: &str) -> Vec<(usize, BadNetwork)> {
        let file = u16::try_from(self.files.len()).ok();
        self.files.push(name.into());
        let entries = text.lines().enumerate().filter_map(|(at, line)| {
            let entry = line.split(['#', ';']).next().unwrap_or_default().trim();
            (!entry.is_empty()).then_some((at + 1, entry))
        });
        entries.filter_map(|(line, entry)| Some((line, self.add_of(file, entry).err()?))).collect()
    }

    fn add_of(&mut self, file: FileIndex, entry: &str) -> Result<(), BadNetwork> {
        let bad = || BadNetwork(entry.to_owned());
        let entry = entry.trim();
        let network = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
        if let Ok(network) = network {
            self.networks.entry(network.trunc()).or_insert(file);
        } else {
            let digits = entry.strip_prefix("AS").or(entry.strip_prefix("as")).unwrap_or(entry);
            self.systems.entry(digits.parse().map_err(|_| bad())?).or_insert(file);
        }
        Ok(())
    }

    #[inline]
    pub fn contains(&self, address: ClientAddress, asn: Option<u32>) -> bool {
        !self.is_empty() && self.find(address, asn).is_some()
    }

    /// The entry that holds the address.
    pub fn find(&self, address: ClientAddress, asn: Option<u32>) -> Option<Listed<'_>> {
        let listed =
            |file: &FileIndex, entry| Listed { file: file.map(|at| &*self.files[usize::from(at)]), entry };
        if self.is_empty() {
            return None;
        }
        let system = asn.and_then(|asn| Some((asn, self.systems.get(&asn)?)));
        if let Some((number, file)) = system {
            return Some(listed(file, ListEntry::System(number)));
        }
        if self.networks.is_empty() {
            return None;
        }
        let (network, file) = self.networks.get_lpm(&IpNet::from(address.ip()))?;
        Some(listed(file, ListEntry::Network(network)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership() {
        let mut list = NetworkList::default();
        let text = "# provider\n192.0.2.0/25 ; a comment\n\n2001:db8::/32\n198.51.100.7\nAS64496\n64497\n10.0.0.1/8\n";
        assert_eq!(list.add_file("a", text), []);
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
    fn the_entry_is_named_with_its_file() {
        let mut list = NetworkList::default();
        list.add("10.0.0.0/8").unwrap();
        assert_eq!(list.add_file("one.txt", "192.0.2.0/24\nAS64496"), []);
        assert_eq!(list.add_file("two.txt", "192.0.2.0/24\n192.0.2.128/25\n2001:db8::1"), []);
        for (address, asn, expected) in [
            ("192.0.2.1", None, Some("one.txt: 192.0.2.0/24")),
            ("192.0.2.200", None, Some("two.txt: 192.0.2.128/25")),
            ("192.0.2.200", Some(64496), Some("one.txt: AS64496")),
            ("2001:db8::1", None, Some("two.txt: 2001:db8::1/128")),
            ("10.1.1.1", None, Some("10.0.0.0/8")),
            ("198.51.100.1", Some(1), None),
        ] {
            let address = ClientAddress::new(address.parse().unwrap());
            assert_eq!(list.find(address, asn).map(|listed| listed.to_string()).as_deref(), expected);
        }
    }

    #[test]
    fn what_is_no_network_is_told_with_its_line() {
        let problems = NetworkList::default().add_file("a", "192.0.2.0/24\n192.0.2.0/33\nexample.com");
        assert_eq!(problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
        assert!(problems[0].1.to_string().contains("192.0.2.0/33"));
    }
}
