//! Who may connect, and how much memory all of them may hold together.
//!
//! Connections are bounded in all and per address; bytes in flight likewise. Where all places are taken, whoever comes
//! gets that of a *newcomer*: a connection that has delivered no batch yet, the oldest one without a valid token before
//! the oldest one with. So a crowd that only connects, or sends slowly, displaces itself and keeps nobody out.
//!
//! Addresses are IPv4 addresses, or IPv6 networks of 64 bits, since a host has all of its /64 to itself. Everything is
//! given back on drop.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
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
    /// Who has to give way, the first one first.
    newcomers: BTreeMap<Rank, (IpAddr, Arc<Seat>)>,
    next_number: u64,
}

struct Entry {
    connections: usize,
    in_flight: Arc<AtomicU64>,
    /// Those from here.
    newcomers: BTreeSet<Rank>,
}

/// A newcomer among newcomers: what it has shown, and its number in the order of coming.
type Rank = (Standing, u64);

/// What a connection has shown so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Standing {
    Nothing,
    Token,
    /// A whole batch: its place is its own.
    Batch,
}

/// What a connection's place shares with the table.
#[derive(Default)]
struct Seat {
    /// A [`Standing`] as a number. Only changed with the table locked, as is what follows.
    standing: AtomicU8,
    /// The place is no longer counted.
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
            None => self.newcomers.first_key_value().map(|(rank, _)| rank),
        };
        let Some(rank) = oldest.copied() else { return false };
        let Some((address, seat)) = self.remove_newcomer(rank) else { return false };
        seat.is_displaced.store(true, Ordering::Relaxed);
        seat.displaced.notify_one();
        self.leave(address);
        true
    }

    fn add_newcomer(&mut self, rank: Rank, address: IpAddr, seat: Arc<Seat>) {
        self.newcomers.insert(rank, (address, seat));
        if let Some(entry) = self.by_address.get_mut(&address) {
            entry.newcomers.insert(rank);
        }
    }

    fn remove_newcomer(&mut self, rank: Rank) -> Option<(IpAddr, Arc<Seat>)> {
        let (address, seat) = self.newcomers.remove(&rank)?;
        if let Some(entry) = self.by_address.get_mut(&address) {
            entry.newcomers.remove(&rank);
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
        let entry = table.by_address.entry(address).or_insert_with(|| Entry {
            connections: 0,
            in_flight: Arc::default(),
            newcomers: BTreeSet::new(),
        });
        entry.connections += 1;
        let in_flight = Arc::clone(&entry.in_flight);
        table.add_newcomer((Standing::Nothing, number), address, Arc::clone(&seat));
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

    /// A valid token was shown: others give way first.
    pub(super) fn has_token(&self) {
        self.rise_to(Standing::Token);
    }

    /// A whole batch was taken: this one gives way no more.
    pub(super) fn has_delivered(&self) {
        self.rise_to(Standing::Batch);
    }

    fn rise_to(&self, standing: Standing) {
        let cell = &self.seat.standing;
        if cell.load(Ordering::Relaxed) >= standing as u8 {
            return;
        }
        let mut table = self.account.admission.lock();
        let Some((address, seat)) = table.remove_newcomer(self.rank()) else { return };
        cell.store(standing as u8, Ordering::Relaxed);
        if standing < Standing::Batch {
            table.add_newcomer((standing, self.number), address, seat);
        }
    }

    fn rank(&self) -> Rank {
        let standing = match self.seat.standing.load(Ordering::Relaxed) {
            0 => Standing::Nothing,
            1 => Standing::Token,
            _ => Standing::Batch,
        };
        (standing, self.number)
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
            table.remove_newcomer(self.rank());
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
mod tests;
