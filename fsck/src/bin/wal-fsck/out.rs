//! The standard output, for work that goes on when nobody reads it any more.

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

/// What is written once the reader has gone is dropped: it has seen enough, and the answer is in the exit code too.
#[derive(Debug)]
pub(crate) struct Out {
    stdout: BufWriter<StdoutLock<'static>>,
    is_read: bool,
}

impl Out {
    pub(crate) fn new() -> Out {
        Out { stdout: BufWriter::new(io::stdout().lock()), is_read: true }
    }

    fn try_to<T>(&mut self, gone: T, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
        if !self.is_read {
            return Ok(gone);
        }
        match write(&mut self.stdout) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_read = false;
                Ok(gone)
            }
            other => other,
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_to(bytes.len(), |stdout| stdout.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.try_to((), |stdout| stdout.flush())
    }
}
