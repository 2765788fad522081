//! A file that grows.

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use rustix::io::Errno;

use super::direct::Direct;
use super::failure;
use crate::error::{Error, Kind, Result};
use crate::store::{OFFSET_TOO_LARGE, TRIM_GROWS, Tail};

/// The kernel takes no more parts at once.
#[cfg(target_os = "linux")]
const PARTS_MAX: usize = 1024;

/// A write of so many bytes goes past the page cache also if it need not be durable.
const DIRECT_BYTES: usize = 256 * 1024;

const WRITING: &str = "write to the file";

/// An open file that is written and synced.
///
/// Linux reports a failed write-back once to each opening of a file, at the next sync through it, and then calls the
/// pages clean. So the opening under which the first bytes were written is kept to the end; and the first error is
/// the last answer that means anything: all later calls are refused.
#[derive(Debug)]
pub(super) struct Growing {
    file: File,
    /// The same file, past the page cache.
    direct: Option<Direct>,
    at: String,
    failed: AtomicBool,
    /// Of two syncs at once through one opening, the first to return could take the only report of a failure with it
    /// and leave success to the other, so they take turns.
    turn: Mutex<()>,
}

impl Growing {
    pub(super) fn new(file: File, direct: Option<Direct>, at: String) -> Growing {
        Growing { file, direct, at, failed: AtomicBool::new(false), turn: Mutex::new(()) }
    }

    fn must_be_good(&self) -> Result<()> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let text = "an earlier write or sync of this file failed, so nothing more can be promised of it; open the log again";
        Err(Error::new(Kind::Closed, format!("{text}: file={}", self.at)))
    }

    fn must_fit(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        let end = parts.iter().try_fold(offset, |end, part| end.checked_add(part.len() as u64));
        if end.is_some_and(|end| i64::try_from(end).is_ok()) {
            return Ok(());
        }
        Err(Error::new(Kind::Invalid, format!("{OFFSET_TOO_LARGE}: offset={offset} file={}", self.at)))
    }

    fn fail(&self, doing: &str, cause: io::Error) -> Error {
        self.failed.store(true, Ordering::Release);
        failure::unknown(doing, &self.at, cause)
    }
}

impl Tail for Growing {
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        self.must_be_good()?;
        self.must_fit(offset, parts)?;
        let len: usize = parts.iter().map(|part| part.len()).sum();
        // What is long costs more in the page cache than on the way to the device.
        if let Some(direct) = self.direct.as_ref().filter(|_| len >= DIRECT_BYTES)
            && direct.write(offset, parts, false).map_err(|cause| self.fail(WRITING, cause.into()))?
        {
            return Ok(());
        }
        write_all(&self.file, offset, parts).map_err(|cause| self.fail(WRITING, cause))
    }

    fn sync(&self) -> Result<()> {
        let _turn = self.turn.lock();
        self.must_be_good()?;
        self.file.sync_data().map_err(|cause| self.fail("sync the file", cause))
    }

    fn write_through(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        const DOING: &str = "write to the file durably";
        self.must_be_good()?;
        self.must_fit(offset, parts)?;
        if let Some(direct) = &self.direct {
            match direct.write(offset, parts, true) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(cause) => return Err(self.fail(DOING, cause.into())),
            }
        }
        let _turn = self.turn.lock();
        self.must_be_good()?;
        let written = write_all(&self.file, offset, parts).and_then(|()| self.file.sync_data());
        written.map_err(|cause| self.fail(DOING, cause))
    }

    fn trim(&self, len: u64) -> Result<()> {
        let _turn = self.turn.lock();
        self.must_be_good()?;
        let found = self.file.metadata().map_err(|cause| self.fail("trim the file", cause))?;
        if len > found.len() {
            return Err(Error::new(Kind::Invalid, format!("{TRIM_GROWS}: len={len} file={}", self.at)));
        }
        let trimmed = self.file.set_len(len).and_then(|()| self.file.sync_all());
        trimmed.map_err(|cause| self.fail("trim the file", cause))
    }
}

/// Writes the parts one behind the other. The kernel may take fewer bytes than it is given, or be interrupted before
/// it took any: then the rest is written.
#[cfg(target_os = "linux")]
fn write_all(file: &File, mut offset: u64, parts: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        parts.iter().filter(|part| !part.is_empty()).map(|part| IoSlice::new(part)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match rustix::io::pwritev(file, &left[..left.len().min(PARTS_MAX)], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn write_all(file: &File, mut offset: u64, parts: &[&[u8]]) -> io::Result<()> {
    for part in parts {
        std::os::unix::fs::FileExt::write_all_at(file, part, offset)?;
        offset += part.len() as u64;
    }
    Ok(())
}
