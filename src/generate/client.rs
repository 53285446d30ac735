//! Who a client is: address, network, place, user agent and speed, all following from one number.
//!
//! Nothing is stored: the same number gives the same client for the whole run, so any number of listeners
//! costs no memory. Several may sit behind one address: families of four, offices of 64. Addresses come from
//! blocks that name nobody: 100.64.0.0/10 (RFC 6598) and 2001:db8::/32 (RFC 3849) for listeners,
//! 198.18.0.0/15 (RFC 2544) for machines. The interface part of a listener's IPv6 address changes each day,
//! as privacy addresses do.

use super::agents::{AgentIndex, Agents};
use super::places::{Place, Places};
use super::rng::{Rng, derive, scale};
use super::text::{push_decimal, push_hex_group};
use crate::units::UtcDay;

/// Networks of hosting companies.
const HOSTERS: [u32; 8] = [16509, 14618, 15169, 8075, 24940, 16276, 14061, 396982];
/// Networks that carry iCloud Private Relay.
const RELAYS: [u32; 3] = [36183, 13335, 54113];
const BOTS: u64 = 2_048;

/// A client of the CDN, as its log lines show it.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub address: Address,
    pub agent: AgentIndex,
    pub place: Place,
    pub region: u8,
    pub pop: u8,
    pub network: u32,
    pub proxy: Proxy,
    /// Fastly could not tell the country.
    pub unplaced: bool,
    pub bytes_per_second: u64,
}

/// A client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    V4(u32),
    /// An IPv4 address written as `::ffff:a.b.c.d`.
    Mapped(u32),
    V6 {
        network: u64,
        interface: u64,
    },
}

impl Address {
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::V4(bits) => push_dotted(out, bits),
            Self::Mapped(bits) => {
                out.extend_from_slice(b"::ffff:");
                push_dotted(out, bits);
            }
            Self::V6 { network, interface } => {
                push_groups(out, network);
                if interface == 1 {
                    out.extend_from_slice(b"::1");
                } else {
                    out.push(b':');
                    push_groups(out, interface);
                }
            }
        }
    }
}

fn push_dotted(out: &mut Vec<u8>, bits: u32) {
    let [a, b, c, d] = bits.to_be_bytes();
    for (octet, separator) in [(a, "."), (b, "."), (c, "."), (d, "")] {
        push_decimal(out, octet.into());
        out.extend_from_slice(separator.as_bytes());
    }
}

fn push_groups(out: &mut Vec<u8>, bits: u64) {
    for at in 0..4 {
        if at > 0 {
            out.push(b':');
        }
        push_hex_group(out, (bits >> (48 - 16 * at)) as u16);
    }
}

/// What Fastly's geolocation says of the network: `client.geo.proxy_type` and `proxy_description`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    None,
    Hosting,
    Vpn,
    Tor,
    PrivateRelay,
    Corporate,
    Education,
}

impl Proxy {
    /// Type and description; empty where none is known.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("", ""),
            Self::Hosting => ("hosting", "cloud"),
            Self::Vpn => ("anonymous", "vpn"),
            Self::Tor => ("anonymous", "tor-exit"),
            Self::PrivateRelay => ("consumer-privacy", "apple"),
            Self::Corporate => ("corporate", ""),
            Self::Education => ("edu", ""),
        }
    }

    /// What a household of listeners sits behind.
    fn of_household(random: u64) -> Self {
        match scale(random, 1_000) {
            0..11 => Self::Hosting,
            11..20 => Self::Vpn,
            20..22 => Self::Tor,
            22..60 => Self::PrivateRelay,
            60..72 => Self::Corporate,
            72..80 => Self::Education,
            _ => Self::None,
        }
    }
}

/// Derives clients from numbers.
pub struct Clients {
    seed: u64,
}

impl Clients {
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The listener with this number, as seen on this day.
    pub fn listener(
        &self,
        places: &Places,
        agents: &Agents,
        place: Place,
        number: u64,
        day: UtcDay,
    ) -> Client {
        let (household, crowded) = self.household(number);
        let mut home = Rng::new(derive(self.seed, household));
        let mut own = Rng::new(derive(self.seed ^ 0x0e, number));
        let country = places.get(place);
        let proxy = Proxy::of_household(home.next());
        let network = match proxy {
            Proxy::Hosting | Proxy::Vpn | Proxy::Tor => choose(&HOSTERS, home.next()),
            Proxy::PrivateRelay => choose(&RELAYS, home.next()),
            Proxy::None | Proxy::Corporate | Proxy::Education => choose(&country.networks, home.next()),
        };
        let v4 = 0x6440_0000 | (spread(household) as u32 >> 10);
        let address = match home.below(100) {
            0..41 if !crowded => {
                let network = 0x2001_0db8 << 32 | spread(household);
                Address::V6 { network, interface: derive(number, day.0 as u64) | 1 << 63 }
            }
            97..100 => Address::Mapped(v4),
            _ => Address::V4(v4),
        };
        Client {
            address,
            agent: agents.pick_listener(own.next()),
            place,
            region: home.below(country.regions.len() as u64) as u8,
            pop: home.below(country.pops.len() as u64) as u8,
            network,
            proxy,
            unplaced: home.happens(30),
            bytes_per_second: 40_000 << home.below(8),
        }
    }

    /// Whose connection a listener uses, and whether it is an office's.
    fn household(&self, number: u64) -> (u64, bool) {
        let (family, office) = (number / 4, number / 64);
        if derive(self.seed ^ 0x0f, office).is_multiple_of(32) {
            (office * 64, true)
        } else if derive(self.seed ^ 0xfa, family).is_multiple_of(8) {
            (family * 4, false)
        } else {
            (number, false)
        }
    }

    /// One of a few thousand robots.
    pub fn bot(&self, places: &Places, agents: &Agents, random: u64) -> Client {
        let number = scale(random, BOTS);
        let mut own = Rng::new(derive(self.seed ^ 0xb0, number));
        let agent = agents.pick_bot(own.next());
        self.machine(places, own, 0xc612_0000 + number as u32, agent)
    }

    /// The machine that fetches feeds with this user agent.
    pub fn fetcher(&self, places: &Places, agent: AgentIndex) -> Client {
        let own = Rng::new(derive(self.seed ^ 0xfe, agent.0.into()));
        self.machine(places, own, 0xc613_0000 + (agent.0 & 0xffff), agent)
    }

    fn machine(&self, places: &Places, mut own: Rng, v4: u32, agent: AgentIndex) -> Client {
        let place = places.pick(15, own.next());
        let country = places.get(place);
        let v6 = Address::V6 { network: 0x2001_0db8_ffff_0000 | u64::from(v4 & 0xffff), interface: 1 };
        Client {
            address: if own.happens(1_500) { v6 } else { Address::V4(v4) },
            agent,
            place,
            region: own.below(country.regions.len() as u64) as u8,
            pop: own.below(country.pops.len() as u64) as u8,
            network: choose(&HOSTERS, own.next()),
            proxy: if own.happens(7_000) { Proxy::Hosting } else { Proxy::None },
            unplaced: false,
            bytes_per_second: 500_000 << own.below(6),
        }
    }
}

fn choose(from: &[u32], random: u64) -> u32 {
    from[scale(random, from.len() as u64) as usize]
}

/// A bijection of 32-bit numbers: households far apart in address have no two numbers alike.
const fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b1) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn addresses_are_written_as_the_standard_library_reads_them() {
        let network = 0x2001_0db8_00ab_0000;
        for (address, expected) in [
            (Address::V4(0x6440_0001), "100.64.0.1"),
            (Address::Mapped(0x647f_ffff), "::ffff:100.127.255.255"),
            (Address::V6 { network, interface: 1 }, "2001:db8:ab:0::1"),
            (Address::V6 { network, interface: 0x8000_0000_0000_0f01 }, "2001:db8:ab:0:8000:0:0:f01"),
        ] {
            let mut out = Vec::new();
            address.write(&mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text, expected);
            text.parse::<IpAddr>().unwrap();
        }
    }

    #[test]
    fn a_number_is_one_client_and_most_have_an_address_of_their_own() {
        let (places, agents, clients) = (Places::new(20_000), Agents::new(1), Clients::new(9));
        let day = UtcDay(20_758);
        let of = |number, day| clients.listener(&places, &agents, Place(0), number, day);
        let mut networks = BTreeSet::new();
        let (mut v6, mut moved) = (0, 0);
        for number in 0..20_000 {
            let client = of(number, day);
            assert_eq!(format!("{client:?}"), format!("{:?}", of(number, day)));
            moved += u32::from(client.address != of(number, UtcDay(day.0 + 1)).address);
            networks.insert(match client.address {
                Address::V4(bits) | Address::Mapped(bits) => bits.into(),
                Address::V6 { network, .. } => {
                    v6 += 1;
                    network
                }
            });
        }
        assert!((7_300..8_400).contains(&v6), "{v6}");
        assert_eq!(moved, v6);
        assert!((17_000..19_000).contains(&networks.len()), "{}", networks.len());
    }
}
