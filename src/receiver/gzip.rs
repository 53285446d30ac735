//! A gzip stream of one member, inflated in one go: less than half the time of a reader that stops and goes on.
//!
//! RFC 1952. It only ever makes things faster. What it cannot inflate, is not sure of, or finds wrong is
//! left to the reader, whose word is the last: streams of several members, damaged ones, all kinds of errors.
//!
//! The library does not say where the member ended. That nothing follows it is told by two signs: no other member
//! begins anywhere, and the stream's last eight bytes are the checksum and length of what came out. (Bytes that follow
//! a member, begin none and end in the same eight bytes are passed over.)

use std::collections::TryReserveError;

use libdeflater::{DecompressionError, Decompressor};

use crate::units::ByteCount;

/// What a member begins with.
const MARK: &[u8; 3] = b"\x1f\x8b\x08";
/// Header and trailer of the shortest member.
const LEAST_BYTES: usize = 18;
/// So far the length that the stream claims is a good first guess: logs inflate to four to ten times their size.
const USUAL_RATIO: usize = 16;
/// How the room grows where the guess was too small. All is inflated again then.
const GROWTH: usize = 4;

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is all in the buffer.
    Inflated,
    /// It needs more than the bound.
    TooLarge,
    /// Whoever pays for the memory declined.
    NoMemory,
    /// To be read instead. What the buffer holds means nothing; its capacity is paid for.
    Unsure,
}

/// Inflates `payload` into `inflated`, which takes at most `bound` bytes. `charge` is asked before each growth of the
/// capacity.
pub(super) fn inflate(
    payload: &[u8],
    bound: usize,
    inflated: &mut Vec<u8>,
    mut charge: impl FnMut(ByteCount) -> bool,
) -> Outcome {
    let is_one = payload.starts_with(MARK) && memchr::memmem::find(&payload[1..], MARK).is_none();
    if !is_one || payload.len() < LEAST_BYTES {
        return Outcome::Unsure;
    }
    let (_, end) = payload.split_last_chunk::<8>().expect("18 bytes at least");
    let claimed = u32::from_le_bytes([end[4], end[5], end[6], end[7]]) as usize;
    let mut room = claimed.min(payload.len().saturating_mul(USUAL_RATIO)).min(bound);
    let mut decompressor = Decompressor::new();
    loop {
        let more = room.saturating_sub(inflated.capacity());
        if more > 0 && !charge(ByteCount(more as u64)) || make_room(inflated, room).is_err() {
            return Outcome::NoMemory;
        }
        match decompressor.gzip_decompress(payload, inflated) {
            Ok(bytes) => {
                inflated.truncate(bytes);
                return if *end == trailer(inflated) { Outcome::Inflated } else { Outcome::Unsure };
            }
            Err(DecompressionError::BadData) => return Outcome::Unsure,
            Err(DecompressionError::InsufficientSpace) if room == bound => return Outcome::TooLarge,
            Err(DecompressionError::InsufficientSpace) => {
                room = room.max(LEAST_BYTES).saturating_mul(GROWTH).min(bound);
            }
        }
    }
}

/// Makes the buffer so long, whatever it holds.
fn make_room(buffer: &mut Vec<u8>, bytes: usize) -> Result<(), TryReserveError> {
    buffer.clear();
    buffer.try_reserve_exact(bytes)?;
    buffer.resize(bytes, 0);
    Ok(())
}

/// What a member ends with.
fn trailer(inflated: &[u8]) -> [u8; 8] {
    let (mut bytes, length) = ([0; 8], inflated.len() as u64);
    bytes[..4].copy_from_slice(&libdeflater::crc32(inflated).to_le_bytes());
    bytes[4..].copy_from_slice(&length.to_le_bytes()[..4]);
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn member(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// With what was charged.
    fn inflated(payload: &[u8], bound: usize) -> (Outcome, Vec<u8>, u64) {
        let (mut buffer, mut charged) = (Vec::new(), 0);
        let outcome = inflate(payload, bound, &mut buffer, |bytes| {
            charged += bytes.0;
            true
        });
        (outcome, buffer, charged)
    }

    #[test]
    fn a_member_comes_back_and_takes_what_it_needs() {
        for plain in [&b""[..], b"x", b"{\"v\":1}\n{\"v\":1}\n"] {
            assert_eq!(
                inflated(&member(plain), 1_000),
                (Outcome::Inflated, plain.to_vec(), plain.len() as u64)
            );
        }
    }

    #[test]
    fn what_inflates_further_than_usual_takes_a_few_goes() {
        let plain = vec![b'x'; 1_000_000];
        let (outcome, buffer, charged) = inflated(&member(&plain), 4_000_000);
        assert_eq!((outcome, buffer), (Outcome::Inflated, plain));
        assert!((1_000_000..4_000_000).contains(&charged), "{charged}");
    }

    #[test]
    fn never_more_than_the_bound() {
        let payload = member(&vec![b'x'; 1_000_000]);
        for bound in [0, 1, 999_999] {
            let (outcome, _, charged) = inflated(&payload, bound);
            assert_eq!((outcome, charged), (Outcome::TooLarge, bound as u64));
        }
        assert_eq!(inflated(&payload, 1_000_000).0, Outcome::Inflated);
        assert_eq!(inflate(&payload, 1_000_000, &mut Vec::new(), |_| false), Outcome::NoMemory);
    }

    #[test]
    fn all_else_is_left_to_the_reader() {
        let one = member(b"one\n");
        let two = member(b"two\n");
        let mut flipped = one.clone();
        flipped[12] ^= 1;
        let mut other_length = one.clone();
        *other_length.last_mut().unwrap() ^= 1;
        for payload in [
            [&one[..], &two].concat(),
            [&one[..], &one].concat(),
            [&one[..], b"one\n"].concat(),
            [&one[..], &[0; 8]].concat(),
            one[..one.len() - 1].to_vec(),
            one[..17].to_vec(),
            flipped,
            other_length,
            b"{\"v\":1}\n".to_vec(),
            vec![],
        ] {
            assert_eq!(inflated(&payload, 1_000).0, Outcome::Unsure, "{payload:?}");
        }
    }
}
