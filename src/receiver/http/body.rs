//! Reads a request's body into one buffer, under bounds.
//!
//! The length that the client states serves to refuse early, never to take memory: that grows with what has
//! come. A body that came in one piece stays the piece it is.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::answer::Rejection;
use crate::receiver::Incident;
use crate::receiver::admission::Charge;

/// The first step in which memory is taken.
const FIRST_STEP_BYTES: u64 = 64 * 1024;
/// How much is there at most after each later step for a byte that has come, where the client states the length and
/// where it does not. What grows is copied, so in few steps.
const GROWTH: [u64; 2] = [8, 2];
/// What is read at most of a body that nobody wants, and for how long.
const DISCARDED_BYTES: usize = 8 * 1024 * 1024;
const DISCARDING_TIME: Duration = Duration::from_secs(1);

/// The whole body, its memory taken on by `charge`. Nothing of a body that breaks off.
pub(super) async fn read(
    body: &mut Incoming,
    bound: u64,
    timeout: Duration,
    charge: &mut Charge,
) -> Result<Bytes, Rejection> {
    if body.size_hint().lower() > bound {
        return Err(too_large(bound));
    }
    tokio::time::timeout(timeout, gather(body, bound, charge)).await.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {}", humantime::format_duration(timeout));
        Err(Rejection::new(Incident::BodyTimeout, message))
    })
}

async fn gather(body: &mut Incoming, bound: u64, charge: &mut Charge) -> Result<Bytes, Rejection> {
    let Some(first) = next_piece(body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() {
        if first.len() as u64 > bound {
            return Err(too_large(bound));
        }
        charge.grow(first.len() as u64).map_err(Rejection::busy)?;
        return Ok(first);
    }
    let mut whole = Vec::new();
    let mut next = Some(first);
    while let Some(piece) = next {
        if (whole.len() + piece.len()) as u64 > bound {
            return Err(too_large(bound));
        }
        make_room(&mut whole, piece.len(), body.size_hint().lower(), bound, charge)?;
        whole.extend_from_slice(&piece);
        next = next_piece(body).await?;
    }
    Ok(whole.into())
}

/// Takes memory for a piece and more to come: not more than the client states (`rest`, zero where it states nothing)
/// or may send.
fn make_room(
    whole: &mut Vec<u8>,
    piece: usize,
    rest: u64,
    bound: u64,
    charge: &mut Charge,
) -> Result<(), Rejection> {
    let needed = (whole.len() + piece) as u64;
    let held = whole.capacity() as u64;
    if needed <= held {
        return Ok(());
    }
    let (growth, to_come) =
        if rest > 0 { (GROWTH[0], needed.saturating_add(rest)) } else { (GROWTH[1], bound) };
    let wanted = (growth * needed).max(FIRST_STEP_BYTES).min(to_come).min(bound).max(needed);
    charge.grow(wanted - held).map_err(Rejection::busy)?;
    let additional = usize::try_from(wanted).unwrap_or(usize::MAX) - whole.len();
    whole.try_reserve_exact(additional).map_err(|_| Rejection::busy(Incident::InFlightFull))
}

/// Lets a client that is refused finish sending, for a moment, and discards it: to close on a client that is still
/// sending could destroy the answer before it is read.
pub(super) async fn discard(mut body: Incoming) {
    let rest = async {
        let mut left = DISCARDED_BYTES;
        while let Ok(Some(piece)) = next_piece(&mut body).await
            && let Some(less) = left.checked_sub(piece.len())
        {
            left = less;
        }
    };
    // Whatever comes later than that is cut off.
    drop(tokio::time::timeout(DISCARDING_TIME, rest).await);
}

/// The next piece of data; trailers are passed over.
async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, Rejection> {
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| Rejection::new(Incident::BodyBroken, format!("the body broke off: {error}")))?;
        if let Ok(piece) = frame.into_data()
            && !piece.is_empty()
        {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

fn too_large(bound: u64) -> Rejection {
    Rejection::new(Incident::BodyTooLarge, format!("the body is larger than {bound} bytes"))
}
