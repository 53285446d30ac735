//! Who a request is from: network and user agent, as a keyed 128-bit hash, and nothing else.
//!
//! A network is all of an IPv4 address, or the first 64 bits of an IPv6 address; `::ffff:a.b.c.d` is first turned
//! back into its IPv4 address, else all such clients would share one network. This is the only file that sees
//! addresses: what leaves it is made of SipHash-1-3 values under a secret that stays in the data folder. A line's network
//! is hashed once, and what follows from it, the listener and what the older way counts, takes a few multiplications.
//!
//! With rotation, the key changes at midnight UTC every so many days, by the day the request began: a day's sessions
//! are never split, but listeners of before and after a change cannot be told to be the same.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU16;

use foldhash::fast::FixedState;
use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

use crate::units::{EpisodeId, KeyId, ListenerKey, UtcDay};

/// A secret of 128 bits.
pub type Secret = [u8; 16];

/// A user agent's bytes, hashed once and remembered with its classification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentDigest([u64; 2]);

/// A hash of a user agent's bytes to find it again by, at a quarter of the price of a digest. Keyed, so that nobody can aim
/// at one; of 500,000 no two have the same but by a chance of one in 10²⁷.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u64; 2]);

/// An address as it is compared with lists and counted: never an IPv6-mapped IPv4 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// The bits of the network.
    pub(super) fn network(self) -> u64 {
        match self.0 {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        }
    }
}

/// An address as counting sees it: its network, hashed under the key of a period, and where in the network it is.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    network: [u64; 2],
    /// The other half of an IPv6 address.
    interface: u64,
}

impl Client {
    /// Two hashes that know nothing of each other, added bit by bit, are as good as one of both. The sum is then mixed, by
    /// steps that could be undone and so make no two keys the same: as it is, it would show which listeners share a network.
    pub fn listener(self, AgentDigest(agent): AgentDigest) -> ListenerKey {
        let wide = |[low, high]: [u64; 2]| u128::from(high) << 64 | u128::from(low);
        let mut key = wide(self.network) ^ wide(agent);
        for _ in 0..2 {
            key = key.wrapping_mul(MIXER);
            key ^= key >> 64;
        }
        ListenerKey([key as u64, (key >> 64) as u64])
    }

    /// One full address asking for one episode: what the older way of counting calls distinct.
    pub fn address(self, episode: EpisodeId) -> u64 {
        let [low, high] = self.network;
        let product = u128::from(low ^ self.interface) * u128::from(high ^ spread(episode.0));
        product as u64 ^ (product >> 64) as u64
    }
}

/// Odd, its bits as good as random: the golden ratio's first 128.
const MIXER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// A small number in all bits, to be folded into a keyed hash.
#[inline]
pub(super) fn spread(number: u32) -> u64 {
    u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The keyed hashes. Everything they give is a pure function of the secret and the arguments.
#[derive(Clone, Debug)]
pub struct ListenerKeys {
    secret: Secret,
    rotation_days: Option<NonZeroU16>,
    current: Key,
    /// Of fingerprints.
    hashers: [FixedState; 2],
}

/// The key of the period looked at last; deriving one is as dear as hashing a listener.
#[derive(Clone, Copy, Debug)]
struct Key {
    period: i32,
    secret: Secret,
    id: KeyId,
}

impl Key {
    fn derive(secret: &Secret, period: i32) -> Self {
        let secret = derive(secret, period);
        Self {
            period,
            secret,
            id: KeyId(SipHasher13::new_with_key(&secret).hash(b"castmeter listener key id")),
        }
    }
}

impl ListenerKeys {
    pub fn new(secret: Secret, rotation_days: Option<NonZeroU16>) -> Self {
        let seed = |half: u8| {
            SipHasher13::new_with_key(&secret).hash(&[b"castmeter fingerprint ", &[half][..]].concat())
        };
        let hashers = [0, 1].map(|half| FixedState::with_seed(seed(half)));
        Self { secret, rotation_days, current: Key::derive(&secret, 0), hashers }
    }

    /// The key in use changes with the next listener that is asked for.
    pub fn set_rotation(&mut self, rotation_days: Option<NonZeroU16>) {
        self.rotation_days = rotation_days;
    }

    /// Hashes a user agent exactly as logged; the same whatever the period.
    pub fn agent(&self, user_agent: &[u8]) -> AgentDigest {
        let hash = SipHasher128::new_with_key(&self.secret).hash(user_agent);
        AgentDigest([hash.h1, hash.h2])
    }

    pub fn fingerprint(&self, user_agent: &[u8]) -> Fingerprint {
        Fingerprint([0, 1].map(|half| self.hashers[half].hash_one(user_agent)))
    }

    /// As the key of that day's period makes it.
    pub fn client(&mut self, address: ClientAddress, day: UtcDay) -> Client {
        let period = self.rotation_days.map_or(0, |days| day.0.div_euclid(days.get().into()));
        if self.current.period != period {
            self.current = Key::derive(&self.secret, period);
        }
        let hasher = SipHasher128::new_with_key(&self.current.secret);
        // Those of IPv4 and IPv6 differ in length, which the hash knows.
        let (hash, interface) = match address.0 {
            IpAddr::V4(address) => (hasher.hash(&address.octets()), 0),
            IpAddr::V6(v6) => (hasher.hash(&address.network().to_be_bytes()), v6.to_bits() as u64),
        };
        Client { network: [hash.h1, hash.h2], interface }
    }

    /// Of the key that the last client was hashed under.
    pub fn key_id(&self) -> KeyId {
        self.current.id
    }
}

/// The key of a rotation period.
fn derive(secret: &Secret, period: i32) -> Secret {
    let mut hasher = SipHasher128::new_with_key(secret);
    hasher.write(b"castmeter listener key");
    hasher.write(&period.to_le_bytes());
    hasher.finish128().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(keys: &mut ListenerKeys, address: &str, agent: &str, day: i32) -> ListenerKey {
        let digest = keys.agent(agent.as_bytes());
        keys.client(ClientAddress::new(address.parse().unwrap()), UtcDay(day)).listener(digest)
    }

    #[test]
    fn listeners_are_network_and_agent() {
        let mut keys = ListenerKeys::new([7; 16], None);
        let mut same =
            |a: (&str, &str), b: (&str, &str)| key(&mut keys, a.0, a.1, 1) == key(&mut keys, b.0, b.1, 2);
        assert!(same(("192.0.2.1", "x"), ("192.0.2.1", "x")));
        assert!(!same(("192.0.2.1", "x"), ("192.0.2.1", "y")));
        assert!(!same(("192.0.2.1", "x"), ("192.0.2.2", "x")));
        assert!(same(("::ffff:192.0.2.1", "x"), ("192.0.2.1", "x")));
        assert!(!same(("::ffff:192.0.2.1", "x"), ("::ffff:192.0.2.2", "x")));
        assert!(same(("2001:db8:1:2::1", "x"), ("2001:db8:1:2:ffff::9", "x")));
        assert!(!same(("2001:db8:1:2::1", "x"), ("2001:db8:1:3::1", "x")));
        assert!(!same(("192.0.2.1", ""), ("c000:201::", "")));
    }

    #[test]
    fn keys_do_not_show_who_shares_a_network() {
        let mut keys = ListenerKeys::new([7; 16], None);
        let mut difference = |network| {
            let [one, other] = ["x", "y"].map(|agent| key(&mut keys, network, agent, 0).0);
            [one[0] ^ other[0], one[1] ^ other[1]]
        };
        assert_ne!(difference("192.0.2.1")[0], difference("192.0.2.2")[0]);
        assert_ne!(difference("192.0.2.1")[1], difference("192.0.2.2")[1]);
    }

    #[test]
    fn each_half_of_a_key_depends_on_all_of_a_network_s_hash() {
        let agent = AgentDigest([3, 4]);
        let key = |network| Client { network, interface: 0 }.listener(agent).0;
        let [low, high] = key([1, 2]);
        for bit in 0..64 {
            for [other_low, other_high] in [key([1 ^ 1 << bit, 2]), key([1, 2 ^ 1 << bit])] {
                assert!(other_low != low && other_high != high, "bit {bit}");
            }
        }
    }

    #[test]
    fn another_secret_gives_other_keys() {
        let mut one = ListenerKeys::new([1; 16], None);
        let mut two = ListenerKeys::new([2; 16], None);
        assert_ne!(key(&mut one, "192.0.2.1", "x", 0), key(&mut two, "192.0.2.1", "x", 0));
        assert_ne!(one.fingerprint(b"x"), two.fingerprint(b"x"));
    }

    #[test]
    fn rotation_changes_keys_between_periods_only() {
        let mut keys = ListenerKeys::new([7; 16], NonZeroU16::new(2));
        let at = |keys: &mut ListenerKeys, day| key(keys, "192.0.2.1", "x", day);
        let first = at(&mut keys, 10);
        assert_eq!(first, at(&mut keys, 11));
        assert_ne!(first, at(&mut keys, 12));
        assert_eq!(first, at(&mut keys, 10));
    }

    #[test]
    fn addresses_are_counted_whole_and_unmapped() {
        let mut keys = ListenerKeys::new([7; 16], None);
        let mut hash = |address: &str, episode| {
            let client = keys.client(ClientAddress::new(address.parse().unwrap()), UtcDay(0));
            client.address(EpisodeId(episode))
        };
        assert_eq!(hash("::ffff:192.0.2.1", 1), hash("192.0.2.1", 1));
        assert_ne!(hash("2001:db8::1", 1), hash("2001:db8::2", 1));
        assert_ne!(hash("192.0.2.1", 1), hash("192.0.2.1", 2));
    }
}
