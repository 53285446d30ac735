//! Who may connect, and how much memory all of them may hold together.
//!
//! Connections are bounded in all and per address; bytes in flight likewise. Where all places are taken, whoever comes
//! gets that of the oldest *newcomer*: a connection that has not proved yet, by a valid token or a whole batch, that it is
//! of use. So a crowd that only connects, or sends slowly, displaces itself and keeps nobody out. Addresses are IPv4 addresses, or
//! IPv6 networks of 64 bits, since a host has all of its /64 to itself. Everything is given back on drop.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::event::Incident;

/// Bounds on what clients may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub connections: usize,
    pub connections_per_address: usize,
    pub in_flight_bytes: u64,
    pub in_flight_bytes_per_address: u64,
}

/// The one account of all connections to a receiver.
pub(super) struct Admission {
    bounds: Bounds,
    in_flight: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    connections: usize,
    by_address: HashMap<IpAddr, Entry>,
    /// All newcomers, oldest first.
    newcomers: BTreeMap<u64, (IpAddr, Arc<Seat>)>,
    next_number: u64,
}

struct Entry {
    connections: usize,
    in_flight: Arc<AtomicU64>,
    /// The numbers of those from here.
    newcomers: BTreeSet<u64>,
}

/// What a connection's place shares with the table.
#[derive(Default)]
struct Seat {
    has_proved: AtomicBool,
    /// Only changed with the table locked: the place is no longer counted.
    is_displaced: AtomicBool,
    displaced: Notify,
}

impl Table {
    /// An address is remembered while it has connections, or bytes in flight that outlive them.
    fn forget_if_unused(&mut self, address: IpAddr) {
        let unused = |entry: &Entry| entry.connections == 0 && entry.in_flight.load(Ordering::Relaxed) == 0;
        if self.by_address.get(&address).is_some_and(unused) {
            self.by_address.remove(&address);
        }
    }

    fn held_by(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).map_or(0, |entry| entry.connections)
    }

    /// Frees the place of the newcomer that came first, of this address or of any; says whether there was one.
    fn displace(&mut self, address: Option<IpAddr>) -> bool {
        let oldest = match address {
            Some(address) => self.by_address.get(&address).and_then(|entry| entry.newcomers.first()),
            None => self.newcomers.first_key_value().map(|(number, _)| number),
        };
        let Some(number) = oldest.copied() else { return false };
        let Some((address, seat)) = self.remove_newcomer(number) else { return false };
        seat.is_displaced.store(true, Ordering::Relaxed);
        seat.displaced.notify_one();
        self.leave(address);
        true
    }

    fn remove_newcomer(&mut self, number: u64) -> Option<(IpAddr, Arc<Seat>)> {
        let (address, seat) = self.newcomers.remove(&number)?;
        if let Some(entry) = self.by_address.get_mut(&address) {
            entry.newcomers.remove(&number);
        }
        Some((address, seat))
    }

    /// One connection less from an address.
    fn leave(&mut self, address: IpAddr) {
        self.connections -= 1;
        if let Some(entry) = self.by_address.get_mut(&address) {
            entry.connections -= 1;
        }
        self.forget_if_unused(address);
    }
}

impl Admission {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, in_flight: AtomicU64::new(0), table: Mutex::default() })
    }

    /// Takes a connection's place, to be held for as long as it lasts, or until it is displaced.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admitted, Incident> {
        let address = network(address);
        let mut table = self.lock();
        if table.held_by(address) >= self.bounds.connections_per_address && !table.displace(Some(address)) {
            return Err(Incident::AddressFull);
        }
        if table.connections >= self.bounds.connections && !table.displace(None) {
            return Err(Incident::ConnectionsFull);
        }
        let number = table.next_number;
        table.next_number += 1;
        table.connections += 1;
        let seat = Arc::<Seat>::default();
        table.newcomers.insert(number, (address, Arc::clone(&seat)));
        let entry = table.by_address.entry(address).or_insert_with(|| Entry {
            connections: 0,
            in_flight: Arc::default(),
            newcomers: BTreeSet::new(),
        });
        entry.connections += 1;
        entry.newcomers.insert(number);
        let in_flight = Arc::clone(&entry.in_flight);
        Ok(Admitted { account: Account { admission: Arc::clone(self), address, in_flight }, number, seat })
    }

    /// An account of memory for what comes without a connection, from wherever.
    pub(super) fn account(self: &Arc<Self>) -> Account {
        let address = Ipv6Addr::UNSPECIFIED.into();
        Account { admission: Arc::clone(self), address, in_flight: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// The address as far as it is accounted for.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// A connection's place.
pub(super) struct Admitted {
    account: Account,
    number: u64,
    seat: Arc<Seat>,
}

impl Admitted {
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The client is one that this is for: its place is its own from now on.
    pub(super) fn prove(&self) {
        let seat = &self.seat;
        if !seat.has_proved.load(Ordering::Relaxed) && !seat.has_proved.swap(true, Ordering::Relaxed) {
            self.account.admission.lock().remove_newcomer(self.number);
        }
    }

    /// Ready once the place is another's, and the connection has to end.
    pub(super) fn displaced(&self) -> impl Future<Output = ()> + Send + use<> {
        let seat = Arc::clone(&self.seat);
        async move { seat.displaced.notified().await }
    }
}

/// On whose behalf memory is held.
#[derive(Clone)]
pub(super) struct Account {
    admission: Arc<Admission>,
    address: IpAddr,
    in_flight: Arc<AtomicU64>,
}

impl Account {
    /// Nothing yet; to be held for as long as the memory that it will account for.
    pub(super) fn charge(&self) -> Charge {
        Charge { account: self.clone(), bytes: 0 }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Account { admission, address, .. } = &self.account;
        let mut table = admission.lock();
        if !self.seat.is_displaced.load(Ordering::Relaxed) {
            table.remove_newcomer(self.number);
            table.leave(*address);
        }
    }
}

/// Bytes in flight.
pub(super) struct Charge {
    account: Account,
    bytes: u64,
}

impl Charge {
    /// Takes on more bytes, or none of them.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), Incident> {
        let Account { admission, in_flight, .. } = &self.account;
        take(in_flight, bytes, admission.bounds.in_flight_bytes_per_address)
            .ok_or(Incident::AddressInFlightFull)?;
        if take(&admission.in_flight, bytes, admission.bounds.in_flight_bytes).is_none() {
            in_flight.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Incident::InFlightFull);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Ties the charge to the memory: it is given back when the last handle of the bytes is dropped.
    pub(super) fn cover(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        struct Covered<B>(B, #[expect(dead_code, reason = "held for its drop")] Charge);
        impl<B: AsRef<[u8]>> AsRef<[u8]> for Covered<B> {
            fn as_ref(&self) -> &[u8] {
                self.0.as_ref()
            }
        }
        Bytes::from_owner(Covered(bytes, self))
    }
}

/// Adds to an account unless that would exceed its bound.
fn take(account: &AtomicU64, bytes: u64, bound: u64) -> Option<u64> {
    account
        .try_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|sum| *sum <= bound)
        })
        .ok()
}

impl Drop for Charge {
    fn drop(&mut self) {
        let Account { admission, address, in_flight } = &self.account;
        admission.in_flight.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.bytes > 0 && in_flight.fetch_sub(self.bytes, Ordering::Relaxed) == self.bytes {
            admission.lock().forget_if_unused(*address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        connections: 3,
        connections_per_address: 2,
        in_flight_bytes: 100,
        in_flight_bytes_per_address: 70,
    };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn admit(admission: &Arc<Admission>, from: &str) -> Result<Admitted, Incident> {
        admission.admit(address(from))
    }

    fn proved(admission: &Arc<Admission>, from: &str) -> Admitted {
        let place = admit(admission, from).ok().unwrap();
        place.prove();
        place
    }

    fn is_displaced(place: &Admitted) -> bool {
        place.seat.is_displaced.load(Ordering::Relaxed)
    }

    #[test]
    fn connections_that_proved_themselves_are_bounded_in_all_and_per_address() {
        let admission = Admission::new(BOUNDS);
        let first = proved(&admission, "192.0.2.1");
        let mapped = proved(&admission, "::ffff:192.0.2.1");
        assert_eq!(admit(&admission, "192.0.2.1").err(), Some(Incident::AddressFull));
        let other = proved(&admission, "2001:db8::1");
        assert_eq!(admit(&admission, "192.0.2.3").err(), Some(Incident::ConnectionsFull));
        drop((first, mapped));
        let neighbour = proved(&admission, "2001:db8::ffff:1");
        assert_eq!(admit(&admission, "2001:db8::2").err(), Some(Incident::AddressFull));
        drop((other, neighbour));
        let table = admission.lock();
        assert!(
            table.by_address.is_empty() && table.newcomers.is_empty(),
            "nothing is remembered for nothing"
        );
        assert_eq!(table.connections, 0);
    }

    #[test]
    fn the_oldest_newcomer_gives_way() {
        let admission = Admission::new(BOUNDS);
        let known = proved(&admission, "192.0.2.1");
        let one = admit(&admission, "192.0.2.1").ok().unwrap();
        let two = admit(&admission, "192.0.2.2").ok().unwrap();
        let three = admit(&admission, "192.0.2.1").ok().unwrap();
        assert!(is_displaced(&one) && !is_displaced(&two), "of its own address, which was full");
        let four = admit(&admission, "192.0.2.3").ok().unwrap();
        assert!(is_displaced(&two) && !is_displaced(&three) && !is_displaced(&known), "the oldest of all");
        drop((one, two));
        assert_eq!(admission.lock().connections, 3, "a displaced one was given back already");
        four.prove();
        let five = admit(&admission, "192.0.2.4").ok().unwrap();
        assert!(is_displaced(&three) && !is_displaced(&four));
        five.prove();
        three.prove();
        assert_eq!(admit(&admission, "192.0.2.5").err(), Some(Incident::ConnectionsFull));
        drop((known, three, four, five));
        let table = admission.lock();
        assert!(table.by_address.is_empty() && table.newcomers.is_empty() && table.connections == 0);
    }

    #[tokio::test]
    async fn a_displaced_connection_hears_of_it() {
        let admission = Admission::new(Bounds { connections: 1, ..BOUNDS });
        let one = admit(&admission, "192.0.2.1").ok().unwrap();
        let displaced = one.displaced();
        let _two = admit(&admission, "192.0.2.2").ok().unwrap();
        displaced.await;
    }

    #[test]
    fn bytes_are_bounded_in_all_and_per_address_and_are_given_back() {
        let admission = Admission::new(BOUNDS);
        let one = admission.admit(address("192.0.2.1")).ok().unwrap();
        let two = admission.admit(address("192.0.2.2")).ok().unwrap();
        let mut of_one = one.account().charge();
        assert_eq!(of_one.grow(70), Ok(()));
        assert_eq!(one.account().charge().grow(1), Err(Incident::AddressInFlightFull));
        let mut of_two = two.account().charge();
        assert_eq!(of_two.grow(31), Err(Incident::InFlightFull));
        assert_eq!(of_two.grow(30), Ok(()), "a refused growth takes nothing");
        assert_eq!(admission.in_flight(), 100);
        drop(of_one);
        assert_eq!(admission.in_flight(), 30);
        assert_eq!(of_two.grow(u64::MAX), Err(Incident::AddressInFlightFull), "no wrap");
    }

    #[test]
    fn covered_bytes_are_in_flight_until_their_last_handle_is_gone() {
        let admission = Admission::new(BOUNDS);
        let place = admission.admit(address("192.0.2.1")).ok().unwrap();
        let mut charge = place.account().charge();
        charge.grow(10).unwrap();
        drop(place);
        let bytes = charge.cover(vec![7_u8; 10]);
        let part = bytes.slice(3..5);
        drop(bytes);
        assert_eq!((admission.in_flight(), &part[..]), (10, &[7, 7][..]));
        let again = admission.admit(address("192.0.2.1")).ok().unwrap();
        assert_eq!(
            again.account().charge().grow(61),
            Err(Incident::AddressInFlightFull),
            "though the connection is another"
        );
        drop(again);
        drop(part);
        assert_eq!(admission.in_flight(), 0);
        assert!(admission.lock().by_address.is_empty(), "nothing is remembered for nothing");
    }
}
