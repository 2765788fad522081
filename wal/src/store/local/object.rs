//! A file that is open for reading.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::{dir, failure};
use crate::error::{Error, Result};
use crate::store::{Name, Object};

/// So much is taken for a read on the asker's word. For more the file is asked first how long it is.
const UNASKED_BYTES: u64 = 64 * 1024;

/// An open file that is read.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    root: PathBuf,
    name: Name,
}

impl Opened {
    pub(super) fn new(file: File, root: &Path, name: &Name) -> Opened {
        Opened { file, root: root.to_owned(), name: name.clone() }
    }

    fn failed(&self, cause: io::Error) -> Error {
        failure::before("read the file", format_args!("{}/{}", failure::url(&self.root), self.name), cause)
    }

    fn bytes(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut asked = range.end.saturating_sub(range.start);
        if asked > UNASKED_BYTES {
            asked = range.end.min(self.file.metadata()?.len()).saturating_sub(range.start);
        }
        let len = usize::try_from(asked).map_err(|_| Errno::NOMEM)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| Errno::NOMEM)?;
        while bytes.len() < len {
            // No file reaches so far, and the kernel does not take such an offset.
            let Some(offset) = offset_of(range.start, bytes.len()) else { break };
            match rustix::io::pread(&self.file, spare_capacity(&mut bytes), offset) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    fn fill(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let mut filled = 0;
        while filled < into.len() {
            let Some(from) = offset_of(offset, filled) else { break };
            match rustix::io::pread(&self.file, &mut into[filled..], from) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

fn offset_of(start: u64, behind: usize) -> Option<u64> {
    start.checked_add(behind as u64).filter(|&offset| i64::try_from(offset).is_ok())
}

impl Object for Opened {
    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.bytes(range).map(Bytes::from).map_err(|cause| self.failed(cause))
    }

    fn read_into(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.fill(offset, into).map_err(|cause| self.failed(cause.into()))
    }

    /// A file loses its name before its room is used for another, and no segment's name is given twice.
    fn is_still(&self) -> Result<bool> {
        let named = rustix::fs::lstat(self.root.join(self.name.as_str()));
        match (rustix::fs::fstat(&self.file), named) {
            (Ok(ours), Ok(named)) => Ok(dir::same(&ours, &named)),
            (Ok(_), Err(Errno::NOENT | Errno::NOTDIR)) => Ok(false),
            (Err(cause), _) | (_, Err(cause)) => Err(self.failed(cause.into())),
        }
    }

    #[cfg(target_os = "linux")]
    fn data_from(&self, offset: u64) -> Result<u64> {
        // It moves the file's own offset, which no read here goes by.
        Ok(match rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Data(offset)) {
            Ok(data) => data,
            Err(Errno::NXIO) => self.file.metadata().map_err(|cause| self.failed(cause))?.len().max(offset),
            // A file system that knows no holes.
            Err(_) => offset,
        })
    }
}
