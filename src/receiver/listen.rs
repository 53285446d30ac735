//! Listening sockets: bound here, or handed over by the service manager.
//!
//! systemd's socket activation (`sd_listen_fds(3)`): the manager keeps the sockets open while the service restarts, so
//! that no connection is refused. Sockets are told apart by `FileDescriptorName=` in their unit.

use std::io;
use std::net::{IpAddr, SocketAddr};

use listenfd::ListenFd;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// Connections that the system keeps waiting while none is accepted.
const BACKLOG: i32 = 1_024;

/// Listens at an address; `[::]` takes IPv4 connections too, whatever the system's default is. Must be called
/// within a tokio runtime.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes datagrams at an address, otherwise like [`bind`].
pub fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::from_std(socket(address, Type::DGRAM, Protocol::UDP)?.into())
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if let IpAddr::V6(v6) = address.ip() {
        socket.set_only_v6(!v6.is_unspecified())?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Sockets that the service manager handed over; none if there is no manager.
pub struct HandedOver {
    sockets: ListenFd,
    /// The name of each socket, until it is taken.
    names: Vec<Option<String>>,
}

impl HandedOver {
    /// Takes the sockets over. To be called once, before threads are started: it clears the variables that say so,
    /// lest a child process believe they are meant for it.
    pub fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let sockets = ListenFd::from_env();
        let mut names: Vec<_> = names.split(':').map(|name| Some(name.to_owned())).collect();
        names.resize(sockets.len(), Some(String::new()));
        Self { sockets, names }
    }

    /// The listeners of this name. Must be called within a tokio runtime.
    pub fn listeners(&mut self, name: &str) -> io::Result<Vec<TcpListener>> {
        let mut found = Vec::new();
        for index in self.indices(name) {
            if let Some(listener) = self.sockets.take_tcp_listener(index)? {
                listener.set_nonblocking(true)?;
                found.push(TcpListener::from_std(listener)?);
            }
        }
        Ok(found)
    }

    /// The datagram sockets of this name. Must be called within a tokio runtime.
    pub fn datagram_sockets(&mut self, name: &str) -> io::Result<Vec<UdpSocket>> {
        let mut found = Vec::new();
        for index in self.indices(name) {
            if let Some(socket) = self.sockets.take_udp_socket(index)? {
                socket.set_nonblocking(true)?;
                found.push(UdpSocket::from_std(socket)?);
            }
        }
        Ok(found)
    }

    /// The names of the sockets that nobody took: a mistake in the unit file.
    pub fn left_over(&self) -> Vec<&str> {
        self.names.iter().flatten().map(String::as_str).collect()
    }

    fn indices(&mut self, name: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for (index, slot) in self.names.iter_mut().enumerate() {
            if slot.as_deref() == Some(name) {
                *slot = None;
                found.push(index);
            }
        }
        found
    }
}
