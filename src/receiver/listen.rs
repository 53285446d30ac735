//! Listening sockets: bound here, or handed over by the service manager.
//!
//! systemd's socket activation (`sd_listen_fds(3)`): the manager keeps the sockets open while the service restarts, so
//! that no connection is refused. Sockets are told apart by `FileDescriptorName=` in their unit, or by their ports.

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
#[derive(Default)]
pub struct HandedOver {
    sockets: Vec<HandedSocket>,
}

struct HandedSocket {
    /// `FileDescriptorName=`; without it the name of the socket unit.
    name: String,
    address: SocketAddr,
    kind: Kind,
}

enum Kind {
    Listener(std::net::TcpListener),
    Datagrams(std::net::UdpSocket),
}

/// Which of the sockets are meant.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    Named(&'a str),
    /// At the port of this address, whatever their name.
    At(SocketAddr),
}

impl HandedOver {
    /// Takes the sockets over. To be called once, before threads are started: it clears the variables that say so,
    /// lest a child process believe they are meant for it.
    ///
    /// # Errors
    /// One of them is neither a TCP nor a UDP socket.
    pub fn from_environment() -> io::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut from = ListenFd::from_env();
        let mut names = names.split(':');
        let sockets = (0..from.len())
            .map(|index| HandedSocket::take(&mut from, index, names.next().unwrap_or_default().to_owned()));
        Ok(Self { sockets: sockets.collect::<io::Result<_>>()? })
    }

    /// The listeners that are meant. Must be called within a tokio runtime.
    pub fn listeners(&mut self, which: Which<'_>) -> io::Result<Vec<TcpListener>> {
        let of_kind = |kind: &Kind| matches!(kind, Kind::Listener(_));
        let mut found = Vec::new();
        for socket in self.sockets.extract_if(.., |socket| socket.is(which) && of_kind(&socket.kind)) {
            if let Kind::Listener(listener) = socket.kind {
                listener.set_nonblocking(true)?;
                found.push(TcpListener::from_std(listener)?);
            }
        }
        Ok(found)
    }

    /// The datagram sockets that are meant. Must be called within a tokio runtime.
    pub fn datagram_sockets(&mut self, which: Which<'_>) -> io::Result<Vec<UdpSocket>> {
        let of_kind = |kind: &Kind| matches!(kind, Kind::Datagrams(_));
        let mut found = Vec::new();
        for socket in self.sockets.extract_if(.., |socket| socket.is(which) && of_kind(&socket.kind)) {
            if let Kind::Datagrams(socket) = socket.kind {
                socket.set_nonblocking(true)?;
                found.push(UdpSocket::from_std(socket)?);
            }
        }
        Ok(found)
    }

    /// Names and addresses of the sockets that nobody took: a mistake in the socket unit.
    pub fn left_over(&self) -> Vec<(&str, SocketAddr)> {
        self.sockets.iter().map(|socket| (socket.name.as_str(), socket.address)).collect()
    }
}

impl HandedSocket {
    fn take(from: &mut ListenFd, index: usize, name: String) -> io::Result<Self> {
        // One of the two fails and leaves it at its place.
        if let Ok(Some(listener)) = from.take_tcp_listener(index) {
            let address = listener.local_addr()?;
            return Ok(Self { name, address, kind: Kind::Listener(listener) });
        }
        let Some(socket) = from.take_udp_socket(index)? else {
            return Err(io::Error::other("a socket was handed over twice"));
        };
        let address = socket.local_addr()?;
        Ok(Self { name, address, kind: Kind::Datagrams(socket) })
    }

    fn is(&self, which: Which<'_>) -> bool {
        match which {
            Which::Named(name) => self.name == name,
            Which::At(address) => self.address.port() == address.port(),
        }
    }
}
