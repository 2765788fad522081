//! What a damage costs: which records, as far as anything that still verifies tells.

use std::ops::Range;

use headwater_wal::format::frame::{FRAME_HEADER_BYTES, FrameHeader};
use headwater_wal::format::group::GROUP_HEADER_BYTES;
use headwater_wal::format::header::{HEADER_BYTES, Header};
use headwater_wal::format::name;
use headwater_wal::format::scan::{Fault, Frame, Seen, Walk};
use headwater_wal::format::seed::Life;
use headwater_wal::store::{Entry, Name, Store, What};
use headwater_wal::{Damage, Position, Result, Survey};

use crate::File;

/// A damaged file, looked into once more for what in it verifies all the same.
pub(crate) struct Damaged<'a> {
    store: &'a dyn Store,
    file: Name,
    base: Position,
    file_len: u64,
    life: Life,
    /// How many records of callers verify in the whole file.
    readable: u64,
    /// How many there were, by a footer that verifies.
    records: Option<u64>,
    /// How many verify in each of the ranges that were asked for.
    within: Vec<(Range<Position>, u64)>,
}

impl<'a> Damaged<'a> {
    /// Of the file of these damages; none if it is missing.
    pub(crate) fn read(store: &'a dyn Store, survey: &Survey, damages: &[&Damage]) -> Result<Option<Self>> {
        let Some(base) = damages.first().and_then(|damage| name::parse_segment(&damage.file)) else {
            return Ok(None);
        };
        Damaged::of(store, survey, base, damages.iter().map(|damage| damage.range.clone()).collect())
    }

    /// Of the segment that begins here, and what in it is asked for; none if it is missing.
    pub(crate) fn of(
        store: &'a dyn Store,
        survey: &Survey,
        base: Position,
        ranges: Vec<Range<Position>>,
    ) -> Result<Option<Self>> {
        let file = Name::new(name::segment(base))?;
        let Some(file_len) = len(store, &file)? else { return Ok(None) };
        let header = Header::decode(base, &store.read(&file, 0..HEADER_BYTES)?).ok();
        let segments = survey.chain().segments();
        let before = segments.iter().rfind(|segment| segment.base < base);
        // A file without its header is read as of the epoch before.
        let guess = Life {
            identity: survey.identity().map_or(0, |identity| identity.short()),
            epoch: before.map_or(1, |segment| segment.epoch),
        };
        let here = segments.iter().find(|segment| segment.base == base && segment.sealed);
        let mut damaged = Damaged {
            store,
            base,
            file_len,
            life: header.as_ref().map_or(guess, Header::life),
            readable: 0,
            records: here.and_then(|segment| segment.records),
            within: ranges.into_iter().map(|range| (range, 0)).collect(),
            file,
        };
        damaged.count(header.as_ref().map_or(HEADER_BYTES, Header::body))?;
        Ok(Some(damaged))
    }

    fn count(&mut self, body: u64) -> Result<()> {
        let file = File::new(self.store, self.file.clone(), self.file_len);
        let mut walk = Walk::from(file, self.life, self.base, body);
        while let Some(seen) = walk.next()? {
            let Seen::Frame(frame) = seen else { continue };
            if frame.header.own {
                continue;
            }
            self.readable += 1;
            for (range, count) in &mut self.within {
                *count += u64::from(range.contains(&frame.at));
            }
        }
        Ok(())
    }

    /// How many of the records that the footer counts do not verify.
    pub(crate) fn unreadable(&self) -> u64 {
        self.records.map_or(0, |records| records.saturating_sub(self.readable))
    }

    /// In words, what the damage costs.
    pub(crate) fn tell(&self, damage: &Damage) -> Result<String> {
        let range = &damage.range;
        let bytes = range.end.since(range.start);
        let mut text = match damage.what {
            Fault::Payload => self.payload(range)?,
            Fault::Group if bytes <= GROUP_HEADER_BYTES => {
                "none that can be named: what is bad is as long as the header of a group, and the frames behind it verify".into()
            }
            Fault::Group | Fault::Frame => in_bytes(range),
            Fault::Layout => "none that can be named: the sums of a group do not verify".into(),
            Fault::Footer => "none that can be named: the segment's own sums or its index do not verify".into(),
            Fault::Behind => "none: these bytes belong to nothing".into(),
            Fault::Header => "all records of this segment: without its header the log does not go on into it".into(),
            Fault::Missing => "all records at these positions".into(),
            Fault::Chain => "all records of this segment: it is not the one that the segment before it needs".into(),
        };
        let file_end = self.base.plus(self.file_len);
        if file_end < range.end && damage.what != Fault::Missing {
            text += &format!(
                "; the file ends at position {file_end}, and {} bytes are gone",
                range.end.since(file_end)
            );
        }
        if let Some(records) = self.records {
            text += &format!("; of the segment's {records} records {} verify", self.readable);
        }
        match self.within.iter().find(|(within, _)| within == range) {
            Some(&(_, count)) if count > 0 => {
                text +=
                    &format!("; {count} in this range verify all the same, and `get` reads them one by one");
            }
            _ => {}
        }
        Ok(text)
    }

    /// A bad payload: the header of its frame verifies, so that the record can be named.
    fn payload(&self, range: &Range<Position>) -> Result<String> {
        let at = range.start;
        let offset = at.since(self.base);
        let bytes = self.store.read(&self.file, offset..offset + FRAME_HEADER_BYTES)?;
        let Some((header, check)) = FrameHeader::decode(self.life, at, &bytes) else {
            // The damage begins with the group that the payload lies in.
            return Ok(in_bytes(range));
        };
        let frame = Frame { at, header, check, in_group: true };
        let more = if frame.end() < range.end { ", and what lay behind it" } else { "" };
        Ok(format!(
            "the record of {} bytes: handle={} time={} kind={}{more}",
            header.raw_len,
            frame.handle(self.life, self.base),
            header.time,
            header.kind
        ))
    }
}

fn in_bytes(range: &Range<Position>) -> String {
    format!("the records that lay in these {} bytes and do not verify", range.end.since(range.start))
}

fn len(store: &dyn Store, file: &Name) -> Result<Option<u64>> {
    for page in store.list(&Name::ROOT)? {
        for Entry { name, what } in page? {
            match what {
                What::File(len) if name == file.as_str() => return Ok(Some(len)),
                _ => {}
            }
        }
    }
    Ok(None)
}
