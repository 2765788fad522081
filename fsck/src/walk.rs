//! Walking one segment of a log, from as late a place as its index allows.

use headwater_wal::format::footer::{FOOTER_BYTES, Footer, INDEX_ENTRY_BYTES, IndexEntry};
use headwater_wal::format::name;
use headwater_wal::format::scan::Walk;
use headwater_wal::format::seed::Life;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Position, Result, Segment, Survey};

use crate::File;

/// No longer index is read: one of this length is of a segment of some 40 GiB, which nobody makes.
const INDEX_BYTES_MAX: u64 = FOOTER_BYTES + (640 * 1024) * INDEX_ENTRY_BYTES;

/// The segments of a survey, to be walked one by one.
#[derive(Clone, Copy)]
pub(crate) struct Walks<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) survey: &'a Survey,
}

impl<'a> Walks<'a> {
    /// Who wrote a segment.
    pub(crate) fn life(&self, segment: &Segment) -> Life {
        let identity = self.survey.identity().map_or(0, |identity| identity.short());
        Life { identity, epoch: segment.epoch }
    }

    /// A walk over what lies in a segment from a position on, where a group begins, up to another.
    pub(crate) fn between(&self, segment: &Segment, from: Position, to: Position) -> Result<Walk<File<'a>>> {
        let name = Name::new(name::segment(segment.base))?;
        let file = File::new(self.store, name, to.since(segment.base));
        Ok(Walk::from(file, self.life(segment), segment.base, from.since(segment.base)))
    }

    /// Where groups begin in a segment, by its index; at least the first one.
    pub(crate) fn starts(&self, segment: &Segment) -> Result<Vec<IndexEntry>> {
        let mut entries = self.index(segment)?;
        if entries.first().is_none_or(|first| first.position != segment.start()) {
            let (least, greatest) =
                segment.times.unwrap_or((headwater_wal::Time(0), headwater_wal::Time::MAX));
            entries.insert(0, IndexEntry { position: segment.start(), least, greatest });
        }
        Ok(entries)
    }

    /// The index of a sealed segment. None costs a longer walk, and nothing else.
    fn index(&self, segment: &Segment) -> Result<Vec<IndexEntry>> {
        let (from, to) = (segment.end.since(segment.base), segment.file_len);
        if !segment.sealed || from >= to || to - from > INDEX_BYTES_MAX {
            return Ok(Vec::new());
        }
        let bytes = self.store.read(&Name::new(name::segment(segment.base))?, from..to)?;
        let life = self.life(segment);
        let footer =
            Footer::decode(life, segment.end, &bytes).filter(|footer| footer.footer_len() == to - from);
        let index =
            footer.and_then(|footer| footer.decode_index(life, segment.end, &bytes)).unwrap_or_default();
        Ok(index
            .into_iter()
            .filter(|entry| (segment.start()..segment.end).contains(&entry.position))
            .collect())
    }
}
