//! Postcard to and from a file, through one buffer: neither way holds a second copy of the state.

use std::io::{self, BufRead, ErrorKind, Read, Write};

use postcard::de_flavors::Flavor;

/// Sums up what passes through on its way to `inner`, which should be given large pieces.
pub struct Summing<W> {
    inner: W,
    pub bytes: u64,
    pub checksum: u32,
    /// Why it failed: what asks for the writing may not pass that on.
    pub error: Option<io::Error>,
}

impl<W> Summing<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, bytes: 0, checksum: 0, error: None }
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes).map_err(|error| {
            let kind = error.kind();
            if kind != ErrorKind::Interrupted {
                self.error = Some(error);
            }
            io::Error::from(kind)
        })?;
        self.bytes += written as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, &bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Where postcard reads from. Nothing it gives is borrowed from the file.
pub struct Source<R> {
    reader: R,
    /// Texts are read here before they are copied.
    text: Vec<u8>,
}

impl<R> Source<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, text: Vec::new() }
    }
}

fn ended(_: io::Error) -> postcard::Error {
    postcard::Error::DeserializeUnexpectedEnd
}

impl<'de, R: BufRead + 'de> Flavor<'de> for Source<R> {
    type Remainder = ();
    type Source = R;

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        let byte = self.reader.fill_buf().map_err(ended)?.first().copied();
        self.reader.consume(1);
        byte.ok_or(postcard::Error::DeserializeUnexpectedEnd)
    }

    fn try_take_n(&mut self, _: usize) -> postcard::Result<&'de [u8]> {
        Err(postcard::Error::NotYetImplemented)
    }

    fn try_take_n_temp<'a>(&'a mut self, count: usize) -> postcard::Result<&'a [u8]>
    where
        'de: 'a,
    {
        self.text.clear();
        let taken = (&mut self.reader).take(count as u64).read_to_end(&mut self.text).map_err(ended)?;
        if taken < count { Err(postcard::Error::DeserializeUnexpectedEnd) } else { Ok(&self.text) }
    }

    /// All of it has to have been read.
    fn finalize(mut self) -> postcard::Result<()> {
        match self.reader.fill_buf().map_err(ended)? {
            [] => Ok(()),
            _ => Err(postcard::Error::SerdeDeCustom),
        }
    }
}
