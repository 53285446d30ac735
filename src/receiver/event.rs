//! What the receiver tells whoever counts: a closed set of events, none of them per line.
//!
//! The names are an interface: metrics use them as label values.

use crate::units::ByteCount;

/// Hears of everything that happens. Called on the receiving tasks: must be cheap and never block.
pub trait Observer: Send + Sync + 'static {
    fn observe(&self, transport: Transport, event: Event);
}

/// Hears nothing.
impl Observer for () {
    fn observe(&self, _: Transport, _: Event) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Http,
    Syslog,
}

impl Transport {
    pub const ALL: [Self; 2] = [Self::Http, Self::Syslog];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Syslog => "syslog",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection was admitted; `Closed` follows exactly once.
    Opened,
    Closed,
    /// A batch was taken and is durable: its size as received, and inflated.
    Accepted {
        payload: ByteCount,
        lines: ByteCount,
    },
    Incident(Incident),
}

/// What went wrong, or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Incident {
    // Connections.
    /// Turned away: as many connections as there may be.
    ConnectionsFull,
    /// Turned away: as many connections from this address as there may be.
    AddressFull,
    /// Closed for a newer one while all places were taken: it had delivered no batch so far.
    Displaced,
    /// No TLS handshake, or not in time.
    HandshakeFailed,
    /// The certificate's files changed and could not be used; the old one stays.
    CertificateRejected,
    /// A request's head did not arrive in time.
    HeadTimeout,
    /// Nothing happened on the connection for long; it was closed. Ordinary.
    IdleTimeout,
    /// The client broke the protocol or the connection.
    ProtocolError,
    /// Ended by force, because shutting down took longer than its limit.
    Aborted,

    // Requests, each with its answer.
    NotFound,
    MethodNotAllowed,
    /// Wrong or missing token or client certificate. Also for a syslog line.
    Unauthorized,
    /// A content coding that is not known, or several.
    UnknownEncoding,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body broke off, or its framing is broken.
    BodyBroken,
    BodyTooLarge,
    /// More lines than one request may hold.
    TooManyLines,
    /// Inflates to more than the bound.
    InflatedTooLarge,
    /// Inflates by more than the bound.
    RatioTooHigh,
    /// Is not what its content coding says.
    BadEncoding,
    /// The bytes in flight of all clients reached their bound.
    InFlightFull,
    /// The bytes in flight from this address reached their bound.
    AddressInFlightFull,
    /// The intake took the batch not now. Syslog tries again, so this may be counted often for one batch.
    IntakeRefused,

    // Syslog.
    /// A line was longer than the bound, and was cut.
    LineTooLong,
    /// The connection closed within a line.
    LineTruncated,
    /// Where an octet count should be is none; the connection is closed.
    BadOctetCount,
    /// Lines were read but could not be handed on before the end of shutting down.
    BatchLost,
}

impl Incident {
    pub const ALL: [Self; 27] = [
        Self::ConnectionsFull,
        Self::AddressFull,
        Self::Displaced,
        Self::HandshakeFailed,
        Self::CertificateRejected,
        Self::HeadTimeout,
        Self::IdleTimeout,
        Self::ProtocolError,
        Self::Aborted,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Unauthorized,
        Self::UnknownEncoding,
        Self::BodyTimeout,
        Self::BodyBroken,
        Self::BodyTooLarge,
        Self::TooManyLines,
        Self::InflatedTooLarge,
        Self::RatioTooHigh,
        Self::BadEncoding,
        Self::InFlightFull,
        Self::AddressInFlightFull,
        Self::IntakeRefused,
        Self::LineTooLong,
        Self::LineTruncated,
        Self::BadOctetCount,
        Self::BatchLost,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectionsFull => "connections_full",
            Self::AddressFull => "address_full",
            Self::Displaced => "displaced",
            Self::HandshakeFailed => "handshake_failed",
            Self::CertificateRejected => "certificate_rejected",
            Self::HeadTimeout => "head_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::ProtocolError => "protocol_error",
            Self::Aborted => "aborted",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Unauthorized => "unauthorized",
            Self::UnknownEncoding => "unknown_encoding",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_broken",
            Self::BodyTooLarge => "body_too_large",
            Self::TooManyLines => "too_many_lines",
            Self::InflatedTooLarge => "inflated_too_large",
            Self::RatioTooHigh => "ratio_too_high",
            Self::BadEncoding => "bad_encoding",
            Self::InFlightFull => "in_flight_full",
            Self::AddressInFlightFull => "address_in_flight_full",
            Self::IntakeRefused => "intake_refused",
            Self::LineTooLong => "line_too_long",
            Self::LineTruncated => "line_truncated",
            Self::BadOctetCount => "bad_octet_count",
            Self::BatchLost => "batch_lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_incidents_are_listed_once_in_order_and_named_apart() {
        assert!(Incident::ALL.is_sorted());
        let names: BTreeSet<_> = Incident::ALL.map(Incident::name).into();
        assert_eq!(names.len(), Incident::ALL.len());
        assert_eq!(Incident::ALL.last(), Some(&Incident::BatchLost), "the last one declared");
        assert_eq!(Incident::BatchLost as usize + 1, Incident::ALL.len());
    }
}
