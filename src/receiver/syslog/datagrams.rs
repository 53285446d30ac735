//! Syslog over UDP (RFC 5426): each datagram holds one line, or several with newlines between them.
//!
//! What comes while a batch is handed on waits in the socket's buffer, and beyond that is lost: nobody
//! can be slowed down, and the system does not say what it dropped. A datagram with a wrong token is dropped, since
//! there is no connection to close.

use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::time::{sleep_until, timeout};

use super::gathering::Gathering;
use super::{QUIET, Syslog};
use crate::receiver::admission::Account;
use crate::receiver::server::Stop;
use crate::receiver::{Incident, Intake, Tail};

/// No datagram is larger.
const LARGEST_BYTES: usize = 65_535;

/// Takes datagrams until `stop`, then those that have already come.
pub(super) async fn take<I: Intake>(syslog: Arc<Syslog<I>>, account: Account, socket: UdpSocket, stop: Stop) {
    let mut gathering = Gathering::new(&syslog, account, stop.clone(), false);
    let mut buffer = vec![0; LARGEST_BYTES];
    loop {
        let due = gathering.due();
        let outcome = tokio::select! {
            biased;
            () = stop.drain.cancelled() => break,
            () = async { sleep_until(due.expect("checked")).await }, if due.is_some() => {
                gathering.hand_on(Tail::Whole).await
            }
            received = socket.recv(&mut buffer) => match received {
                Ok(count) => add_lines(&mut gathering, &buffer[..count]).await,
                Err(_) => Err(Incident::ProtocolError),
            },
        };
        if let Err(incident) = outcome {
            syslog.report(incident);
        }
    }
    while let Ok(Ok(count)) = timeout(QUIET, socket.recv(&mut buffer)).await {
        if let Err(incident) = add_lines(&mut gathering, &buffer[..count]).await {
            syslog.report(incident);
        }
    }
    if let Err(incident) = gathering.hand_on(Tail::Whole).await {
        syslog.report(incident);
    }
}

async fn add_lines<I: Intake>(gathering: &mut Gathering<'_, I>, datagram: &[u8]) -> Result<(), Incident> {
    for line in datagram.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        gathering.add_line(line).await?;
    }
    Ok(())
}
