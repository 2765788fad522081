//! The choices of a writer of checkpoints.

use headwater_wal::{Compression, Error, Kind, Result};

use crate::checkpoint::Content;
use crate::format::{INSIDE_BYTES_MAX, PART_BYTES_MAX, TEXT_BYTES_MAX};

/// The choices of a writer. None of them is needed to read what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub(crate) content: Content,
    pub(crate) keep_last: usize,
    pub(crate) part_bytes: u32,
    pub(crate) inside_bytes_max: u32,
    pub(crate) uploads: usize,
    pub(crate) bytes_per_second: Option<u64>,
    pub(crate) compression: Compression,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            content: Content::default(),
            keep_last: 10,
            part_bytes: 4 << 20,
            inside_bytes_max: 64 << 10,
            uploads: 2,
            bytes_per_second: None,
            compression: if cfg!(feature = "zstd") { Compression::Zstd(1) } else { Compression::Off },
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        $($(#[$doc])* #[must_use] pub fn $name(mut self, $name: $type) -> Self { self.$name = $name; self })*
    };
}

impl Options {
    setters! {
        /// What the sections are, in the application's own terms: it travels with each checkpoint.
        content: Content;
        /// How many checkpoints are kept, the newest among them: 10, from 2 to 1000. Fewer than 2 would leave nothing to
        /// fall back on.
        keep_last: usize;
        /// What a section is cut into: 4 MiB, up to 64 MiB. A writer holds up to two of them for each upload and one
        /// more in memory, a reader two.
        part_bytes: u32;
        /// Sections up to this length lie in the head: 64 KiB, at most 4 MiB, which is also the most that all of them
        /// together take there.
        inside_bytes_max: u32;
        /// How many parts are compressed and put at once, each by a thread of its own: 2, at most 64. With 0 it is done
        /// by the caller's thread.
        uploads: usize;
        /// How many bytes a second parts are put with, at most. Without it the disk is shared with whoever else writes
        /// to it as the disk sees fit. (What others wait for most is the compressing: one upload, and parts of 256 KiB, keep
        /// their tail shorter than any rate.)
        bytes_per_second: Option<u64>;
        /// How sections are stored: by zstd at level 1 where that saves at least an eighth of a part.
        compression: Compression;
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(Kind::Invalid, what));
        if self.content.kind.len() > TEXT_BYTES_MAX {
            let len = self.content.kind.len();
            return wrong(format!("the content's type is too long: bytes={len} most={TEXT_BYTES_MAX}"));
        }
        if !(2..=1000).contains(&self.keep_last) {
            return wrong(format!("keep_last goes from 2 to 1000: keep_last={}", self.keep_last));
        }
        if !(1..=PART_BYTES_MAX).contains(&self.part_bytes) {
            return wrong(format!(
                "part_bytes goes from 1 to {PART_BYTES_MAX}: part_bytes={}",
                self.part_bytes
            ));
        }
        if self.inside_bytes_max > INSIDE_BYTES_MAX {
            let is = self.inside_bytes_max;
            return wrong(format!("inside_bytes_max is at most {INSIDE_BYTES_MAX}: inside_bytes_max={is}"));
        }
        if self.uploads > 64 {
            return wrong(format!("uploads is at most 64: uploads={}", self.uploads));
        }
        if self.bytes_per_second == Some(0) {
            return wrong("bytes_per_second=0 would never end; leave it out for no bound".to_owned());
        }
        match self.compression {
            Compression::Off => Ok(()),
            Compression::Zstd(_) if !cfg!(feature = "zstd") => {
                let what = "compression by zstd needs the feature zstd";
                Err(Error::new(Kind::Unsupported, what))
            }
            Compression::Zstd(level) if !(1..=19).contains(&level) => {
                wrong(format!("zstd's level goes from 1 to 19: compression=zstd:{level}"))
            }
            Compression::Zstd(_) => Ok(()),
        }
    }
}
