//! Content codings: gzip, zstd, snappy (framed) and deflate (zlib, as HTTP means it), inflated under bounds.
//!
//! RFC 9110 §8.4, RFC 1952, RFC 8878, RFC 1950 and snappy's `framing_format.txt`. All members of a gzip
//! stream and all frames of a zstd stream are read, as `cat a.gz b.gz` is a gzip stream.
//!
//! What always holds: no size that the data claims is believed; memory grows with what was really inflated; a
//! stream that ends early, or is followed by something else, is an error and never a shorter result. (Snappy's
//! framing has no end mark: cut between two of its chunks it cannot be told from a shorter stream.)

use std::io::{self, BufRead, Cursor, Read};

use bytes::Bytes;
use thiserror::Error;

use super::gzip;
use crate::units::{ByteCount, Encoding};

/// RFC 9659: over HTTP, a zstd window is at most 8 MiB.
const BODY_WINDOW_LOG: u32 = 23;
/// The first step in which memory is taken; each later step doubles what is there.
const FIRST_STEP_BYTES: usize = 64 * 1024;
/// Up to this size a body may inflate by any ratio: a short, repetitive log compresses a thousandfold.
const RATIO_FREE_BYTES: u64 = 4 * 1024 * 1024;

/// How far a body may inflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub inflated: ByteCount,
    /// Inflated size over received size. Applies above 4 MiB inflated.
    pub ratio: u32,
}

/// Why a body cannot be inflated.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("{encoding}: {cause} (after {inflated} inflated bytes)")]
    Corrupt { encoding: Encoding, inflated: ByteCount, cause: io::Error },
    #[error("inflates to more than {0} bytes")]
    TooLarge(ByteCount),
    #[error("inflates to more than {0} times its size")]
    Ratio(u32),
    /// Whoever pays for the memory declined.
    #[error("no memory for the inflated body")]
    NoMemory,
}

/// The coding that the first bytes prove, or identity. Deflate has no mark that text cannot begin with.
pub fn sniff(head: &[u8]) -> Encoding {
    const MARKS: [(&[u8], Encoding); 3] = [
        (&[0x1f, 0x8b], Encoding::Gzip),
        (&[0x28, 0xb5, 0x2f, 0xfd], Encoding::Zstd),
        (b"\xff\x06\x00\x00sNaPpY", Encoding::Snappy),
    ];
    MARKS.into_iter().find(|(mark, _)| head.starts_with(mark)).map_or(Encoding::Identity, |(_, it)| it)
}

/// Inflates a whole body; identity gives back the same handle. Runs for as long as that takes.
pub fn decode(encoding: Encoding, payload: &Bytes, limits: Limits) -> Result<Bytes, DecodeError> {
    if encoding == Encoding::Identity {
        return Ok(payload.clone());
    }
    inflate(encoding, payload, limits, |_| true).map(Bytes::from)
}

/// Inflates a whole body of any coding. `charge` is asked before each growth of the result, with the
/// number of bytes by which it is about to grow; the sum is the result's capacity.
pub fn inflate(
    encoding: Encoding,
    payload: &[u8],
    limits: Limits,
    mut charge: impl FnMut(ByteCount) -> bool,
) -> Result<Vec<u8>, DecodeError> {
    let by_ratio = (payload.len() as u64).saturating_mul(limits.ratio.into()).max(RATIO_FREE_BYTES);
    let bound = limits.inflated.0.min(by_ratio);
    let corrupt = |cause, len| DecodeError::Corrupt { encoding, inflated: ByteCount(len as u64), cause };

    let too_large = || {
        let by_size = bound == limits.inflated.0;
        if by_size { DecodeError::TooLarge(limits.inflated) } else { DecodeError::Ratio(limits.ratio) }
    };
    let most = usize::try_from(bound).unwrap_or(usize::MAX).saturating_add(1);
    let mut inflated = Vec::new();
    if encoding == Encoding::Gzip {
        match gzip::inflate(payload, most, &mut inflated, &mut charge) {
            gzip::Outcome::Inflated if inflated.len() < most => return Ok(inflated),
            gzip::Outcome::Inflated | gzip::Outcome::TooLarge => return Err(too_large()),
            gzip::Outcome::NoMemory => return Err(DecodeError::NoMemory),
            gzip::Outcome::Unsure => inflated.clear(),
        }
    }
    let mut decoder =
        Decoder::with_window(encoding, payload, Some(BODY_WINDOW_LOG)).map_err(|cause| corrupt(cause, 0))?;
    loop {
        let start = inflated.len();
        let mut step = (inflated.capacity().min(most)) - start;
        if step == 0 {
            step = start.max(FIRST_STEP_BYTES).min(most - start);
            if !charge(ByteCount(step as u64)) || inflated.try_reserve_exact(step).is_err() {
                return Err(DecodeError::NoMemory);
            }
        }
        inflated.resize(start + step, 0);
        let read =
            fill(&mut decoder, &mut inflated[start..]).map_err(|(cause, n)| corrupt(cause, start + n))?;
        inflated.truncate(start + read);
        if inflated.len() as u64 > bound {
            return Err(too_large());
        }
        if read < step {
            return Ok(inflated);
        }
    }
}

/// Reads until the buffer is full or the stream at its end. An error comes with what was read before it.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, (io::Error, usize)> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((error, filled)),
        }
    }
    Ok(filled)
}

/// Reads the inflated bytes of a stream; for files of any size, in memory of fixed size.
pub struct Decoder<R: BufRead>(Inner<R>);

enum Inner<R: BufRead> {
    Identity(R),
    Gzip(flate2::bufread::MultiGzDecoder<R>),
    Zstd(zstd::stream::read::Decoder<'static, R>),
    Snappy(Box<snap::read::FrameDecoder<R>>),
    Deflate(flate2::bufread::ZlibDecoder<R>),
}

impl<R: BufRead> Decoder<R> {
    pub fn new(encoding: Encoding, reader: R) -> io::Result<Self> {
        Self::with_window(encoding, reader, None)
    }

    fn with_window(encoding: Encoding, reader: R, window_log_max: Option<u32>) -> io::Result<Self> {
        Ok(Self(match encoding {
            Encoding::Identity => Inner::Identity(reader),
            Encoding::Gzip => Inner::Gzip(flate2::bufread::MultiGzDecoder::new(reader)),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
                if let Some(log) = window_log_max {
                    decoder.window_log_max(log)?;
                }
                Inner::Zstd(decoder)
            }
            Encoding::Snappy => Inner::Snappy(Box::new(snap::read::FrameDecoder::new(reader))),
            Encoding::Deflate => Inner::Deflate(flate2::bufread::ZlibDecoder::new(reader)),
        }))
    }
}

/// A reader whose first bytes were looked at.
pub type Peeked<R> = io::Chain<Cursor<Vec<u8>>, R>;

impl<R: BufRead> Decoder<Peeked<R>> {
    /// Tells the coding by the first bytes, whatever the file is called; plain text is read as it is.
    pub fn sniffing(mut reader: R) -> io::Result<Self> {
        const LONGEST_MARK: u64 = 10;
        let mut head = Vec::new();
        (&mut reader).take(LONGEST_MARK).read_to_end(&mut head)?;
        Self::new(sniff(&head), Cursor::new(head).chain(reader))
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Identity(reader) => reader.read(buffer),
            Inner::Gzip(decoder) => decoder.read(buffer),
            Inner::Zstd(decoder) => decoder.read(buffer),
            Inner::Snappy(decoder) => decoder.read(buffer),
            Inner::Deflate(decoder) => {
                let read = decoder.read(buffer)?;
                // flate2 stops at the end of the zlib stream; what follows must not be lost silently.
                if read == 0 && !buffer.is_empty() && !decoder.get_mut().fill_buf()?.is_empty() {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "more bytes after the end of the stream",
                    ));
                }
                Ok(read)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { inflated: ByteCount(64 * 1024 * 1024), ratio: 200 };
    const CODED: [Encoding; 4] = [Encoding::Gzip, Encoding::Zstd, Encoding::Snappy, Encoding::Deflate];

    fn encode(encoding: Encoding, plain: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Identity => plain.to_vec(),
            Encoding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Encoding::Zstd => zstd::encode_all(plain, 3).unwrap(),
            Encoding::Snappy => {
                let mut encoder = snap::write::FrameEncoder::new(Vec::new());
                encoder.write_all(plain).unwrap();
                encoder.into_inner().unwrap()
            }
            Encoding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(3));
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    fn decoded(encoding: Encoding, payload: Vec<u8>) -> Result<Bytes, String> {
        decode(encoding, &payload.into(), LIMITS).map_err(|error| error.to_string())
    }

    #[test]
    fn every_coding_comes_back_and_is_told_by_its_first_bytes() {
        for plain in [b"a\nb\n".to_vec(), noise(300_000), vec![b'x'; FIRST_STEP_BYTES], vec![]] {
            for encoding in Encoding::ALL {
                let payload = encode(encoding, &plain);
                if !payload.is_empty() && encoding != Encoding::Deflate && plain.first() != Some(&0x1f) {
                    assert_eq!(sniff(&payload), encoding);
                }
                assert_eq!(decoded(encoding, payload).unwrap(), plain, "{encoding}");
            }
        }
    }

    #[test]
    fn identity_is_the_same_buffer() {
        let payload = Bytes::from_static(b"line\n");
        assert_eq!(decode(Encoding::Identity, &payload, LIMITS).unwrap().as_ptr(), payload.as_ptr());
    }

    #[test]
    fn all_members_and_frames_are_read() {
        for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Snappy] {
            let payload =
                [encode(encoding, b"one\n"), encode(encoding, b""), encode(encoding, b"two\n")].concat();
            assert_eq!(decoded(encoding, payload).unwrap(), "one\ntwo\n", "{encoding}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_is_an_error() {
        for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
            let payload = encode(encoding, &noise(2_000));
            for len in 1..payload.len() {
                assert!(decoded(encoding, payload[..len].to_vec()).is_err(), "{encoding} cut at {len}");
            }
        }
        let snappy = encode(Encoding::Snappy, &noise(2_000));
        assert!(decoded(Encoding::Snappy, snappy[..snappy.len() - 1].to_vec()).is_err());
    }

    #[test]
    fn a_stream_followed_by_something_else_is_an_error() {
        for encoding in CODED {
            let payload = [encode(encoding, b"line\n"), b"line\n".to_vec()].concat();
            assert!(decoded(encoding, payload).is_err(), "{encoding}");
        }
    }

    #[test]
    fn what_is_not_the_coding_is_an_error_that_names_it() {
        for encoding in CODED {
            let message = decoded(encoding, b"{\"v\":1}\n".to_vec()).unwrap_err();
            assert!(message.starts_with(encoding.name()), "{message}");
        }
    }

    #[test]
    fn bombs_stop_at_the_bound() {
        let bomb = vec![b'0'; 20_000_000];
        let by_size = Limits { inflated: ByteCount(5_000_000), ratio: u32::MAX };
        for encoding in CODED {
            let payload = encode(encoding, &bomb);
            let mut charged = 0;
            let outcome = inflate(encoding, &payload, by_size, |bytes| {
                charged += bytes.0;
                true
            });
            assert!(matches!(outcome, Err(DecodeError::TooLarge(ByteCount(5_000_000)))), "{encoding}");
            assert_eq!(charged, 5_000_001, "{encoding}: never more memory than the bound and a byte");
        }
        for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
            let outcome = decode(encoding, &encode(encoding, &bomb).into(), LIMITS);
            assert!(matches!(outcome, Err(DecodeError::Ratio(200))), "{encoding}");
        }
    }

    #[test]
    fn exactly_the_bound_is_allowed() {
        for len in [1_000, FIRST_STEP_BYTES, FIRST_STEP_BYTES + 1] {
            let payload = encode(Encoding::Gzip, &noise(len));
            let limits = |bytes| Limits { inflated: ByteCount(bytes), ratio: 200 };
            assert!(decode(Encoding::Gzip, &payload.clone().into(), limits(len as u64)).is_ok());
            assert!(decode(Encoding::Gzip, &payload.into(), limits(len as u64 - 1)).is_err());
        }
    }

    #[test]
    fn a_zstd_window_above_8_mib_is_refused_in_a_body_but_not_in_a_file() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(24).unwrap();
        encoder.write_all(&noise(20_000_000)).unwrap();
        let payload = encoder.finish().unwrap();
        let mut plain = Vec::new();
        Decoder::sniffing(&payload[..]).unwrap().read_to_end(&mut plain).unwrap();
        assert_eq!(plain.len(), 20_000_000);
        assert!(decoded(Encoding::Zstd, payload).unwrap_err().contains("memory"));
    }

    #[test]
    fn growth_that_nobody_pays_for_stops() {
        let payload = encode(Encoding::Zstd, &noise(1_000_000));
        let mut left = 200_000_u64;
        let outcome = inflate(Encoding::Zstd, &payload, LIMITS, |bytes| {
            let affordable = bytes.0 <= left;
            left = left.saturating_sub(bytes.0);
            affordable
        });
        assert!(matches!(outcome, Err(DecodeError::NoMemory)));
    }

    #[test]
    fn files_are_told_by_their_first_bytes_however_few_come_at_once() {
        struct OneByteAtATime<'a>(&'a [u8]);
        impl Read for OneByteAtATime<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let one = buffer.len().min(1);
                self.0.read(&mut buffer[..one])
            }
        }
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Snappy] {
            let payload = encode(encoding, b"first\nsecond\n");
            let reader = io::BufReader::with_capacity(1, OneByteAtATime(&payload));
            let mut plain = String::new();
            Decoder::sniffing(reader).unwrap().read_to_string(&mut plain).unwrap();
            assert_eq!(plain, "first\nsecond\n", "{encoding}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_whatsoever_panic(payload: Vec<u8>, marked in 0_usize..5) {
            let encoding = Encoding::ALL[marked];
            let mut bytes = encode(encoding, b"a line\n");
            bytes.truncate(bytes.len() / 2);
            bytes.extend(payload);
            drop(decoded(encoding, bytes));
        }
    }
}
