//! A connection's stream, lent to whoever speaks HTTP on it, and taken back for a last word.
//!
//! A head that does not arrive in time is answered 408 (RFC 9110 §15.5.9), which hyper does not do. Only if a part of
//! it came, though: who has said nothing has asked nothing, and might take the answer for that to its next
//! request. HTTP/2 has no such answer.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::receiver::server::Stream;

/// How long the last word may take to be sent.
const LAST_WORD_TIME: Duration = Duration::from_secs(1);
/// What an HTTP/2 connection begins with, as far as no method of HTTP/1 does (RFC 9113 §3.4).
const HTTP2_MARK: &[u8; 4] = b"PRI ";

/// The lender's end.
pub(super) struct Lent(Arc<Mutex<Inner>>);

/// The borrower's end.
pub(super) struct Borrowed {
    inner: Arc<Mutex<Inner>>,
    is_vectored: bool,
}

struct Inner {
    stream: Stream,
    /// The first bytes that came.
    beginning: Vec<u8>,
    /// Whether anything came since something was last sent.
    heard: bool,
}

/// Lends a stream.
pub(super) fn lend(stream: Stream) -> (Lent, Borrowed) {
    let is_vectored = stream.is_write_vectored();
    let inner = Inner { stream, beginning: Vec::with_capacity(HTTP2_MARK.len()), heard: false };
    let inner = Arc::new(Mutex::new(inner));
    (Lent(Arc::clone(&inner)), Borrowed { inner, is_vectored })
}

impl Lent {
    /// Whether a part of an HTTP/1 head has come that was not answered.
    pub(super) fn has_begun_a_head(&self) -> bool {
        let inner = lock(&self.0);
        inner.heard && inner.beginning != HTTP2_MARK
    }

    /// Takes the stream back, which must have been given up, sends this and closes.
    pub(super) async fn conclude(self, last_word: &[u8]) {
        let Some(inner) = Arc::into_inner(self.0) else { return };
        let mut stream = inner.into_inner().unwrap_or_else(PoisonError::into_inner).stream;
        let sending = async {
            stream.write_all(last_word).await?;
            stream.shutdown().await
        };
        // A client that does not take it has gone, or is as slow to hear as to speak.
        drop(tokio::time::timeout(LAST_WORD_TIME, sending).await);
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncRead for Borrowed {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.inner);
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut inner.stream).poll_read(context, buffer);
        let came = &buffer.filled()[before..];
        if !came.is_empty() {
            inner.heard = true;
            let missing = HTTP2_MARK.len() - inner.beginning.len();
            inner.beginning.extend_from_slice(&came[..came.len().min(missing)]);
        }
        outcome
    }
}

impl AsyncWrite for Borrowed {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = lock(&self.inner);
        inner.heard = false;
        Pin::new(&mut inner.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = lock(&self.inner);
        inner.heard = false;
        Pin::new(&mut inner.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.inner).stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.inner).stream).poll_shutdown(context)
    }
}
