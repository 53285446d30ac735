//! The sockets of a service: handed over by the service manager, or bound to the configured addresses.
//!
//! With systemd's socket activation the manager holds them while the service restarts, so that no connection is refused.
//! They are told apart by name (`FileDescriptorName=http`, `syslog` or `admin`), else by the port of `http.listen`,
//! `syslog.listen`, `syslog.listen_udp` or `admin.listen`. What is not handed over is bound.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, UdpSocket};

use super::ServiceError;
use crate::config::Config;
use crate::receiver::{self, HandedOver, Which};

/// All of them, ready to accept.
pub struct Sockets {
    pub http: Vec<TcpListener>,
    pub syslog: Vec<TcpListener>,
    pub datagrams: Vec<UdpSocket>,
    pub admin: Vec<TcpListener>,
}

impl Sockets {
    /// Takes what was handed over and binds the rest. Must be called within a tokio runtime.
    pub fn open(config: &Config, mut from: HandedOver) -> Result<Self, ServiceError> {
        let wanted =
            [("http", config.http.listen), ("syslog", config.syslog.listen), ("admin", config.admin.listen)];
        let mut taken = [const { Vec::new() }; 3];
        // By name first: a named one may be at a port that another setting has.
        for (listeners, (name, _)) in taken.iter_mut().zip(wanted) {
            listeners.append(&mut from.listeners(Which::Named(name)).map_err(ServiceError::HandOver)?);
        }
        for (listeners, (_, address)) in taken.iter_mut().zip(wanted) {
            listeners.append(&mut from.listeners(Which::At(address)).map_err(ServiceError::HandOver)?);
        }
        let datagrams = Self::datagrams(config, &mut from)?;
        let left_over = from.left_over();
        if !left_over.is_empty() {
            let sockets: Vec<_> =
                left_over.iter().map(|(name, address)| format!("{name:?} at {address}")).collect();
            return Err(ServiceError::LeftOver { sockets: sockets.join(", ") });
        }
        for (listeners, (name, address)) in taken.iter_mut().zip(wanted) {
            if listeners.is_empty() {
                listeners.push(receiver::bind(address).map_err(|cause| cannot_listen(name, address, cause))?);
            }
        }
        let [http, syslog, admin] = taken;
        Ok(Self { http, syslog, datagrams, admin })
    }

    fn datagrams(config: &Config, from: &mut HandedOver) -> Result<Vec<UdpSocket>, ServiceError> {
        let mut found = from.datagram_sockets(Which::Named("syslog")).map_err(ServiceError::HandOver)?;
        let Some(address) = config.syslog.listen_udp else { return Ok(found) };
        found.append(&mut from.datagram_sockets(Which::At(address)).map_err(ServiceError::HandOver)?);
        if found.is_empty() {
            let bound = receiver::bind_udp(address);
            found.push(bound.map_err(|cause| cannot_listen("syslog", address, cause))?);
        }
        Ok(found)
    }
}

fn cannot_listen(part: &'static str, address: SocketAddr, cause: io::Error) -> ServiceError {
    ServiceError::Listen { part, address, cause }
}
