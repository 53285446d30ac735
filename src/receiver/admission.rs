//! Who may connect, and how much memory all of them may hold together.
//!
//! Connections are bounded in all and per address; bytes in flight likewise. Addresses are IPv4 addresses, or
//! IPv6 networks of 64 bits, since a host has all of its /64 to itself. Everything is given back on drop.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

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
}

struct Entry {
    connections: usize,
    in_flight: Arc<AtomicU64>,
}

impl Table {
    /// An address is remembered while it has connections, or bytes in flight that outlive them.
    fn forget_if_unused(&mut self, address: IpAddr) {
        let unused = |entry: &Entry| entry.connections == 0 && entry.in_flight.load(Ordering::Relaxed) == 0;
        if self.by_address.get(&address).is_some_and(unused) {
            self.by_address.remove(&address);
        }
    }
}

impl Admission {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, in_flight: AtomicU64::new(0), table: Mutex::default() })
    }

    /// Takes a connection's place, to be held for as long as it lasts.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admitted, Incident> {
        let address = network(address);
        let mut table = self.lock();
        if table.connections >= self.bounds.connections {
            return Err(Incident::ConnectionsFull);
        }
        let held = table.by_address.get(&address).map_or(0, |entry| entry.connections);
        if held >= self.bounds.connections_per_address {
            return Err(Incident::AddressFull);
        }
        table.connections += 1;
        let entry = table
            .by_address
            .entry(address)
            .or_insert_with(|| Entry { connections: 0, in_flight: Arc::default() });
        entry.connections += 1;
        let in_flight = Arc::clone(&entry.in_flight);
        Ok(Admitted { account: Account { admission: Arc::clone(self), address, in_flight } })
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
}

impl Admitted {
    pub(super) fn account(&self) -> &Account {
        &self.account
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
        table.connections -= 1;
        if let Some(entry) = table.by_address.get_mut(address) {
            entry.connections -= 1;
        }
        table.forget_if_unused(*address);
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

    #[test]
    fn connections_are_bounded_in_all_and_per_address() {
        let admission = Admission::new(BOUNDS);
        let first = admission.admit(address("192.0.2.1")).ok().unwrap();
        let mapped = admission.admit(address("::ffff:192.0.2.1")).ok().unwrap();
        assert_eq!(admission.admit(address("192.0.2.1")).err(), Some(Incident::AddressFull));
        let other = admission.admit(address("2001:db8::1")).ok().unwrap();
        assert_eq!(admission.admit(address("192.0.2.3")).err(), Some(Incident::ConnectionsFull));
        drop((first, mapped));
        let neighbour = admission.admit(address("2001:db8::ffff:1")).ok().unwrap();
        assert_eq!(admission.admit(address("2001:db8::2")).err(), Some(Incident::AddressFull));
        drop((other, neighbour));
        assert!(admission.lock().by_address.is_empty(), "nothing is remembered for nothing");
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
