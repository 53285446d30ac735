//! What one request delivered: bytes actually sent, never bytes asked for.
//!
//! | status | known | delivered |
//! |---|---|---|
//! | 200 | body bytes `n` | `[0, n)` |
//! | 206 | `Content-Range: bytes a-b/total` | `[a, min(a+n, b+1))` |
//! | 206 | no `Content-Range`; `Range: bytes=a-b` or `a-` | `[a, a+n)`, cut at `b+1` |
//! | 206 | `Range: bytes=-k` | the last `k` bytes' first `n`: placed once the size is known |
//! | 206 | anything else | `n` bytes *unplaced* |

use std::fmt;

use crate::event::{ContentRange, Request, RequestedRange};
use crate::units::{ByteCount, ByteRange};

/// Where the bytes of one response belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Possibly empty: a range whose end lies before its start delivers nothing.
    Placed(ByteRange),
    /// The first `bytes` of the file's last `length` bytes; unplaced while the size is unknown.
    Suffix { length: u64, bytes: ByteCount },
    /// Somewhere in the file.
    Unplaced(ByteCount),
}

impl Delivery {
    /// Of a response with status 200 or 206.
    pub fn of(request: &Request<'_>) -> Self {
        let sent = request.body_bytes;
        if request.status == 200 {
            return Self::Placed(ByteRange::starting_at(0, sent));
        }
        if let Some(ContentRange { positions: Some((first, last)), .. }) = request.content_range {
            return Self::Placed(cut_after(ByteRange::starting_at(first, sent), last));
        }
        match request.range {
            Some(RequestedRange::Between { first, last }) => {
                Self::Placed(cut_after(ByteRange::starting_at(first, sent), last))
            }
            Some(RequestedRange::Probe) => Self::Placed(cut_after(ByteRange::starting_at(0, sent), 1)),
            Some(RequestedRange::From { first }) => Self::Placed(ByteRange::starting_at(first, sent)),
            Some(RequestedRange::Suffix { length }) => Self::Suffix { length, bytes: sent },
            Some(RequestedRange::Other) | None => Self::Unplaced(sent),
        }
    }
}

impl Delivery {
    /// How many bytes, wherever they belong; those past the end of the file too.
    pub fn bytes(self) -> ByteCount {
        match self {
            Self::Placed(range) => range.len(),
            Self::Suffix { length, bytes } => ByteCount(bytes.0.min(length)),
            Self::Unplaced(bytes) => bytes,
        }
    }
}

fn cut_after(range: ByteRange, last: u64) -> ByteRange {
    ByteRange::new(range.start, range.end.min(last.saturating_add(1)))
}

/// Where a suffix of a file of `size` bytes lies; one longer than the file starts at 0.
pub fn place_suffix(length: u64, bytes: ByteCount, size: u64) -> ByteRange {
    ByteRange::starting_at(size.saturating_sub(length), bytes)
}

/// The file's size as this request shows it: a `Content-Range` total, or the body of a completed 200. 0 shows none.
pub fn shown_size(request: &Request<'_>) -> Option<u64> {
    let total = request.content_range.and_then(|range| range.total);
    let whole = (request.status == 200 && request.completed == Some(true)).then_some(request.body_bytes.0);
    total.max(whole).filter(|size| *size > 0)
}

/// For `explain`: `[0, 1000)`, `last 500: 500 bytes`, `1000 bytes unplaced`.
impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placed(range) if range.is_empty() => f.write_str("nothing"),
            Self::Placed(range) => range.fmt(f),
            Self::Suffix { length, bytes } => write!(f, "last {length}: {bytes} bytes"),
            Self::Unplaced(bytes) => write!(f, "{bytes} bytes unplaced"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::testing::request;

    fn delivered(
        status: u16,
        sent: u64,
        range: Option<RequestedRange>,
        content: Option<(u64, u64)>,
    ) -> String {
        let content_range =
            content.map(|positions| ContentRange { positions: Some(positions), total: Some(1000) });
        let request =
            Request { status, body_bytes: ByteCount(sent), range, content_range, ..request("/a.mp3") };
        Delivery::of(&request).to_string()
    }

    #[test]
    fn every_row_of_the_table() {
        use RequestedRange::{Between, From, Other, Probe, Suffix};
        let from = |first| Some(From { first });
        let between = |first, last| Some(Between { first, last });
        for (status, sent, range, content, expected) in [
            (200, 700, None, None, "[0, 700)"),
            (200, 700, from(100), None, "[0, 700)"),
            (206, 50, from(10), Some((100, 199)), "[100, 150)"),
            (206, 500, None, Some((100, 199)), "[100, 200)"),
            (206, 500, None, Some((5, 3)), "nothing"),
            (206, 50, from(10), None, "[10, 60)"),
            (206, 50, between(10, 19), None, "[10, 20)"),
            (206, 5, between(10, 19), None, "[10, 15)"),
            (206, 5, between(9, 3), None, "nothing"),
            (206, 50, Some(Probe), None, "[0, 2)"),
            (206, 50, Some(Suffix { length: 80 }), None, "last 80: 50 bytes"),
            (206, 50, Some(Other), None, "50 bytes unplaced"),
            (206, 50, None, None, "50 bytes unplaced"),
            (206, u64::MAX, from(10), None, "[10, 18446744073709551615)"),
        ] {
            assert_eq!(
                delivered(status, sent, range, content),
                expected,
                "{status} {sent} {range:?} {content:?}"
            );
        }
    }

    #[test]
    fn suffixes_start_at_zero_at_the_earliest() {
        assert_eq!(place_suffix(80, ByteCount(50), 1000), ByteRange::new(920, 970));
        assert_eq!(place_suffix(8000, ByteCount(50), 1000), ByteRange::new(0, 50));
    }

    #[test]
    fn sizes_shown_by_a_request() {
        let shown = |status, sent, completed, total| {
            let content_range = Some(ContentRange { positions: None, total });
            shown_size(&Request {
                status,
                body_bytes: ByteCount(sent),
                completed,
                content_range,
                ..request("/a.mp3")
            })
        };
        assert_eq!(shown(206, 10, Some(true), Some(1000)), Some(1000));
        assert_eq!(shown(206, 10, Some(true), None), None);
        assert_eq!(shown(200, 10, Some(true), None), Some(10));
        assert_eq!(shown(200, 10, Some(false), None), None);
        assert_eq!(shown(200, 10, None, Some(0)), None);
        assert_eq!(shown(200, 10, Some(true), Some(7)), Some(10));
    }
}
