//! What receivers tell: counted in fixed places, without a lock or a look-up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::definition::Page;
use super::families::{BATCHES, CONNECTIONS, INCIDENTS, INFLATED_BYTES, RECEIVED_BYTES};
use crate::receiver::{Event, Incident, Transport};
use crate::units::ByteCount;

/// By transport.
#[derive(Debug, Default)]
pub struct Receivers([Received; Transport::ALL.len()]);

#[derive(Debug, Default)]
struct Received {
    opened: AtomicU64,
    closed: AtomicU64,
    batches: AtomicU64,
    received_bytes: AtomicU64,
    inflated_bytes: AtomicU64,
    incidents: [AtomicU64; Incident::ALL.len()],
}

impl Receivers {
    pub fn observe(&self, transport: Transport, event: Event) {
        let received = &self.0[transport as usize];
        match event {
            Event::Opened => received.opened.fetch_add(1, Relaxed),
            Event::Closed => received.closed.fetch_add(1, Relaxed),
            Event::Accepted { payload: ByteCount(payload), lines: ByteCount(lines) } => {
                received.batches.fetch_add(1, Relaxed);
                received.received_bytes.fetch_add(payload, Relaxed);
                received.inflated_bytes.fetch_add(lines, Relaxed)
            }
            Event::Incident(incident) => received.incidents[incident as usize].fetch_add(1, Relaxed),
        };
    }

    pub fn write(&self, page: &mut Page<'_>) -> std::fmt::Result {
        let each = || Transport::ALL.into_iter().map(|transport| (transport, &self.0[transport as usize]));
        page.family(&CONNECTIONS, |samples| {
            each().try_for_each(|(transport, received)| {
                // Closed ones first: a connection is opened before it is closed.
                let closed = received.closed.load(Relaxed);
                samples.add(&[transport.name()], received.opened.load(Relaxed).saturating_sub(closed))
            })
        })?;
        for (definition, cell) in [
            (&BATCHES, (|it| &it.batches) as fn(&Received) -> &AtomicU64),
            (&RECEIVED_BYTES, |it| &it.received_bytes),
            (&INFLATED_BYTES, |it| &it.inflated_bytes),
        ] {
            page.family(definition, |samples| {
                each()
                    .try_for_each(|(transport, it)| samples.add(&[transport.name()], cell(it).load(Relaxed)))
            })?;
        }
        page.family(&INCIDENTS, |samples| {
            each().try_for_each(|(transport, received)| {
                Incident::ALL.into_iter().zip(&received.incidents).try_for_each(|(incident, count)| {
                    samples.add(&[transport.name(), incident.name()], count.load(Relaxed))
                })
            })
        })
    }
}
