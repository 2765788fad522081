//! Salvaging: every record that can be read, copied into a new log.
//!
//! The old log is looked at as a repair would leave it, in memory: files under their own names, headers made again. Then
//! every segment is walked, whether the chain reaches it or not; left out is only what is no part of the log by what the
//! log itself says: what was retired, cut by a later epoch, or written by a replaced writer. Nothing of the old one is
//! written, locked or claimed.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::format::codec;
use headwater_wal::format::frame::{FRAME_HEADER_BYTES, PAYLOAD_BYTES_LIMIT};
use headwater_wal::format::header::{HEADER_BYTES, Header};
use headwater_wal::format::name;
use headwater_wal::format::scan::{Fault, Frame, Seen, Walk};
use headwater_wal::store::{Append, Name, Store, What};
use headwater_wal::{Because, Error, Handle, Kind, Log, Options, Position, Result, Survey, Ticket};

use crate::File;
use crate::open::{open_segment, refusal};
use crate::plan::mended;
use crate::repair::overlay::Overlay;
use crate::repair::{header_behind, quarantine};

/// How many appends may wait for their answers.
const TICKETS_MAX: usize = 1024;

/// How many unreadable ranges are named.
const NAMED_MAX: usize = 100;

/// A log takes records of so many bytes unless it is told otherwise.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// What a salvage has copied. Displayed, it is a page for people.
#[derive(Clone, Debug, Default)]
pub struct Salvaged {
    /// How many records were copied.
    pub records: u64,
    /// How many bytes of payload, as they were appended.
    pub bytes: u64,
    /// What could not be read, by positions of the old log; the first hundred.
    pub unreadable: Vec<Range<Position>>,
    /// How many such ranges there are in all.
    pub unreadable_count: u64,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Copies every record that can be read, in order, with its time and kind, into a new log at `to`. Memory is bounded by
/// the options of a log, and by one record.
///
/// `Exists`: something is at `to` already. `Unavailable`: a segment is open, and cannot be read. After any other error, and after a
/// crash, what is at `to` is nothing, a log without a record, or a part, which does not start: remove it, and salvage again.
pub fn salvage(from: &Arc<dyn Store>, to: &Arc<dyn Store>) -> Result<Salvaged> {
    salvage_telling(from, to, &mut |_, _| {})
}

/// As [`salvage`]; `moved` is told of each record the handle that it had and the one that it has now, in order.
pub fn salvage_telling(
    from: &Arc<dyn Store>,
    to: &Arc<dyn Store>,
    moved: &mut dyn FnMut(&Handle, &Handle),
) -> Result<Salvaged> {
    must_be_empty(&**to)?;
    let mark = Name::new(name::UNFILLED)?;
    let (old, survey) = mended(from)?;
    if survey.identity().is_none() {
        let message = format!("no segment here has a header that verifies: place={}", from.place());
        return Err(Error::new(Kind::NotThere, message));
    }
    if let Some(file) = open_segment(&**from, &survey)? {
        return Err(refusal(&**from, &file));
    }
    let segments = segments(&old, &survey)?;
    let in_flight = segments.iter().map(|segment| segment.header.in_flight_bytes_max).max().unwrap_or(0);
    // No writer puts a longer record than it may have in flight.
    let most = in_flight.clamp(RECORD_BYTES_MAX, u64::from(PAYLOAD_BYTES_LIMIT)) as u32;
    let options = Options::default().durability(survey.durability()).record_bytes_max(most);
    let mut salvaging = Salvaging {
        old: &old,
        new: Log::open(to.clone(), options)?.start(Position::START)?,
        limit: most as usize,
        waiting: VecDeque::new(),
        moved,
        salvaged: Salvaged { from: from.place(), to: to.place(), ..Salvaged::default() },
    };
    // Until all is there, this is no log to start.
    quarantine::put(&**to, &mark, Bytes::new())?;
    // Of a file that is walked, the walk tells what is bad.
    let is_walked = |file: &str| segments.iter().any(|segment| segment.file.as_str() == file);
    let mut missing = survey.damages().iter().filter(|damage| !is_walked(&damage.file)).peekable();
    for segment in &segments {
        while let Some(gap) = missing.next_if(|gap| gap.range.start < segment.header.base) {
            salvaging.unreadable(gap.range.clone());
        }
        salvaging.segment(segment)?;
    }
    missing.for_each(|gap| salvaging.unreadable(gap.range.clone()));
    salvaging.settle(0)?;
    let Salvaging { new, salvaged, .. } = salvaging;
    new.close()?;
    drop(new);
    let own = to.append().map(Append::own).transpose()?;
    to.remove(&mark)?;
    to.append().map(Append::sync_names).transpose()?;
    drop(own);
    Ok(salvaged)
}

fn must_be_empty(store: &dyn Store) -> Result<()> {
    for page in store.list(&Name::ROOT)? {
        if let Some(entry) = page?.first() {
            let message = format!(
                "something is here already, and a salvage makes a new log: place={} name={:?}",
                store.place(),
                entry.name
            );
            return Err(Error::new(Kind::Exists, message));
        }
    }
    Ok(())
}

/// A segment of the old log, and how much of its file counts.
struct Old {
    header: Header,
    file: Name,
    len: u64,
}

/// Every segment whose header verifies, that is neither retired nor dead; cut where a later epoch cuts it, or where a log
/// that is not damaged ends.
fn segments(old: &Overlay, survey: &Survey) -> Result<Vec<Old>> {
    let leftover = |base: Position| {
        let aside = survey.aside().iter().find(|aside| aside.base == base);
        aside.is_some_and(|aside| matches!(aside.because, Because::Dead | Because::Retired))
    };
    let mut segments = Vec::new();
    for page in old.list(&Name::ROOT)? {
        for entry in page? {
            let (Some(base), What::File(len)) = (name::parse_segment(&entry.name), entry.what) else {
                continue;
            };
            if leftover(base) {
                continue;
            }
            let file = Name::new(entry.name)?;
            let Ok(header) = Header::decode(base, &old.read(&file, 0..HEADER_BYTES)?) else { continue };
            if Some(header.identity) != survey.identity() {
                continue;
            }
            let cut = header_behind(old, survey, base)?.filter(|behind| behind.begins_epoch);
            let cut = cut.and_then(|behind| behind.previous).filter(|previous| previous.base == base);
            let ends = match survey.damage_count() {
                0 => survey.end(),
                _ => Position::LIMIT,
            };
            let end = cut.map_or(ends, |previous| previous.end).max(base);
            segments.push(Old { header, file, len: len.min(end.since(base)) });
        }
    }
    Ok(segments)
}

struct Salvaging<'a> {
    old: &'a Overlay,
    new: Log,
    limit: usize,
    /// Where each record was, and the answer to its append.
    waiting: VecDeque<(Handle, Ticket)>,
    moved: &'a mut dyn FnMut(&Handle, &Handle),
    salvaged: Salvaged,
}

impl Salvaging<'_> {
    fn segment(&mut self, segment: &Old) -> Result<()> {
        let Old { header, file, len } = segment;
        let mut walk = Walk::new(File::new(self.old, file.clone(), *len), header);
        while let Some(seen) = walk.next()? {
            match seen {
                Seen::Frame(frame) if !frame.header.own => {
                    let handle = frame.handle(header.life(), header.base);
                    match self.payload(file, header.base, &frame)? {
                        Some(payload) => {
                            self.salvaged.records += 1;
                            self.salvaged.bytes += payload.len() as u64;
                            let ticket =
                                self.new.append_kind(frame.header.kind, frame.header.time, payload)?;
                            self.waiting.push_back((handle, ticket));
                            self.settle(TICKETS_MAX)?;
                        }
                        None => self.unreadable(frame.at..frame.end()),
                    }
                }
                Seen::Bad(bad) if !matches!(bad.what, Fault::Footer | Fault::Behind) => {
                    self.unreadable(bad.range);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The payload as it was appended, if it can be made of what is there.
    fn payload(&self, file: &Name, base: Position, frame: &Frame) -> Result<Option<Bytes>> {
        let header = &frame.header;
        let at = frame.at.since(base) + FRAME_HEADER_BYTES;
        let stored = self.old.read(file, at..at + u64::from(header.stored_len))?;
        if !header.verifies(&stored) {
            return Ok(None);
        }
        match codec::expand(header, stored, self.limit) {
            Ok(payload) => Ok(Some(payload)),
            Err(error) if matches!(error.kind(), Kind::Damaged | Kind::Unsupported | Kind::Invalid) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until no more than so many appends have no answer.
    fn settle(&mut self, most: usize) -> Result<()> {
        while self.waiting.len() > most {
            let Some((was, ticket)) = self.waiting.pop_front() else { break };
            (self.moved)(&was, &ticket.wait()?);
        }
        Ok(())
    }

    fn unreadable(&mut self, range: Range<Position>) {
        self.salvaged.unreadable_count += 1;
        if self.salvaged.unreadable.len() < NAMED_MAX {
            self.salvaged.unreadable.push(range);
        }
    }
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Salvaged { records, bytes, from, to, .. } = self;
        writeln!(f, "{from}: {records} records, {bytes} bytes, were copied to {to}")?;
        writeln!(
            f,
            "    its handles and positions are others: checkpoints and journals that name the old ones do not fit"
        )?;
        for Range { start, end } in &self.unreadable {
            writeln!(f, "\nunreadable: positions {start} to {end} ({} bytes)", end.since(*start))?;
        }
        match self.unreadable_count.saturating_sub(self.unreadable.len() as u64) {
            0 => Ok(()),
            more => writeln!(f, "\nunreadable: and {more} ranges more"),
        }
    }
}
