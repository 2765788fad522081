//! What a handle is: where it points, what lies there, and why it cannot be read.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use headwater_wal::store::Store;
use headwater_wal::{
    Aside, Because, Damage, Depth, Error, Handle, Kind, Position, Reader, Record, Result, Segment, Survey,
};

use crate::find;

/// Where the position of a handle lies in a log.
#[derive(Clone, Debug)]
pub enum Lies {
    /// In this segment, which is of the handle's epoch.
    In(Segment),
    /// In this segment, which another epoch wrote: what the handle means was cut away.
    Cut(Segment),
    /// In a range that is damaged.
    Damaged(Damage),
    /// In a range whose loss was accepted.
    Lost(Range<Position>),
    /// In a file that is no part of the log any more.
    Aside(Aside),
    /// Below the beginning of the log.
    Retired,
    /// In no segment: between the end of one epoch and the beginning of the next.
    Between,
    /// Behind the end of the log.
    Behind,
    /// In another log.
    Elsewhere,
}

impl Lies {
    /// The one word for it, which stays.
    pub fn name(&self) -> &'static str {
        match self {
            Lies::In(_) => "in",
            Lies::Cut(_) => "cut",
            Lies::Damaged(_) => "damaged",
            Lies::Lost(_) => "lost",
            Lies::Aside(_) => "aside",
            Lies::Retired => "retired",
            Lies::Between => "between",
            Lies::Behind => "behind",
            Lies::Elsewhere => "elsewhere",
        }
    }
}

/// A handle, explained.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The handle.
    pub handle: Handle,
    /// The log that was asked.
    pub survey: Survey,
    /// Where its position lies there.
    pub lies: Lies,
    /// The record, or why it cannot be read.
    pub record: Result<Record>,
}

/// Explains a handle: looks where its position lies, and tries to read it.
pub fn explain(store: &Arc<dyn Store>, handle: &Handle) -> Result<Explained> {
    let survey = find(&**store, Position::START, Depth::Quick)?;
    let record = Reader::open(store.clone())?.read(handle);
    if let Err(error) = &record
        && error.kind() == Kind::Unavailable
    {
        return Err(error.clone());
    }
    Ok(Explained { handle: *handle, lies: lies(&survey, handle), survey, record })
}

fn lies(survey: &Survey, handle: &Handle) -> Lies {
    let at = handle.position();
    if survey.identity().is_none_or(|identity| identity.short() != handle.identity()) {
        return Lies::Elsewhere;
    }
    if at < survey.begins() {
        return Lies::Retired;
    }
    if let Some(range) = survey.lost().iter().find(|range| range.contains(&at)) {
        return Lies::Lost(range.clone());
    }
    let mut segments = survey.chain().segments().iter();
    if let Some(segment) = segments.find(|segment| at >= segment.start() && at < segment.end) {
        let of_it = segment.epoch == handle.epoch();
        return if of_it { Lies::In(segment.clone()) } else { Lies::Cut(segment.clone()) };
    }
    if let Some(damage) = survey.damages().iter().find(|damage| damage.range.contains(&at)) {
        return Lies::Damaged(damage.clone());
    }
    let inside = |aside: &&Aside| at >= aside.base && at < aside.base.plus(aside.file_len);
    if let Some(aside) = survey.aside().iter().find(inside) {
        return Lies::Aside(aside.clone());
    }
    if at >= survey.end() { Lies::Behind } else { Lies::Between }
}

impl Explained {
    /// Why the record is there or not, in one or two sentences.
    pub fn why(&self) -> String {
        let Explained { handle, survey, lies, record } = self;
        let at = handle.position();
        match (lies, record) {
            (Lies::In(_), Ok(_)) => "it is in the log, and it verifies".into(),
            (_, Ok(_)) => "its bytes are still there and verify; the log does not count them as its own any more".into(),
            (Lies::In(segment), Err(error)) if error.kind() == Kind::Damaged => format!(
                "the record was acknowledged, and what lies there does not verify; the segment is {}",
                if segment.sealed { "sealed, so nobody writes there: the medium has changed it" } else { "not sealed" }
            ),
            (Lies::In(_), Err(_)) => "no record begins exactly there, or another one does: the handle was changed on its way, or was never acknowledged".into(),
            (Lies::Cut(segment), _) => format!(
                "the writer of epoch {} was replaced, and epoch {} has begun before this position: the record was never \
                 acknowledged, or its handle was not settled",
                handle.epoch(),
                segment.epoch
            ),
            (Lies::Damaged(damage), _) => format!("the log is damaged there: {}; {}", damage.what, damage.why),
            (Lies::Lost(range), _) => format!(
                "what lay from {} to {} was damaged, and its loss was accepted when the log was started",
                range.start, range.end
            ),
            (Lies::Aside(aside), _) => match aside.because {
                Because::Retired => "its file was retired, and is only not removed yet".into(),
                Because::Dead => "its file is of a replaced writer, in a range that a newer epoch has taken; nothing of it was acknowledged".into(),
                Because::Torn => "its file lies beyond the end of the log, and nothing of it was acknowledged as far as the log knows".into(),
                Because::Open => "its file is being written, and cannot be read before it is closed: ask again then".into(),
                Because::Damaged => "its file lies where the log is damaged, or was and the loss was accepted".into(),
            },
            (Lies::Retired, _) => format!("it was retired: the log begins at {} by now, and cleaning has removed what was before", survey.begins()),
            (Lies::Between, _) => format!("between two epochs nothing is written: position {at} was cut away when a newer writer began"),
            (Lies::Behind, _) => match survey.torn() {
                Some(torn) if torn.range.contains(&at) => "it lies in the torn tail. If its ticket answered, the log is damaged and not torn: hand its end to `check` and `start` as `at_least`".into(),
                _ => "the log ends before it. If its ticket answered, the log has lost its tail: look for a copy, and for other disks".into(),
            },
            (Lies::Elsewhere, _) => match survey.identity() {
                Some(identity) => format!("the handle is of another log: its identity is {:016x}, and this log's {:016x}", handle.identity(), identity.short()),
                None => "this log has no identity yet, so no handle is of it".into(),
            },
        }
    }

    /// The command to run next, if there is one that helps.
    pub fn next(&self) -> Option<String> {
        let (place, at) = (self.survey.place(), self.handle.position());
        match (&self.lies, &self.record) {
            (Lies::In(_), Ok(_)) => Some(format!("wal-inspect get {place} {}", self.handle)),
            (_, Ok(_)) => None,
            (Lies::In(_) | Lies::Damaged(_), _) => Some(format!("wal-inspect check {place}")),
            (Lies::Retired, _) => Some(format!("wal-inspect info {place}")),
            (Lies::Cut(_) | Lies::Aside(_) | Lies::Between | Lies::Behind | Lies::Lost(_), _) => {
                Some(format!("wal-inspect dump {place} --groups --from {}", self.handle.base().min(at)))
            }
            (Lies::Elsewhere, _) => None,
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explained { handle, survey, lies, record } = self;
        let (at, file) = (handle.position(), headwater_wal::format::name::segment(handle.base()));
        writeln!(f, "handle    {handle}")?;
        writeln!(f, "of        log {:016x}, epoch {}", handle.identity(), handle.epoch())?;
        writeln!(
            f,
            "position  {at} to {}, in {file} at offset {} by its hint",
            handle.end(),
            at.0.saturating_sub(handle.base().0)
        )?;
        writeln!(
            f,
            "here      {}, epoch {}, positions {} to {}",
            survey.place(),
            survey.epoch(),
            survey.begins(),
            survey.end()
        )?;
        writeln!(f, "state     {}: {}", lies.name(), self.why())?;
        match record {
            Ok(record) => {
                writeln!(
                    f,
                    "record    {} bytes, stored as {}, time {}, kind {}",
                    record.payload.len(),
                    handle.stored_len(),
                    record.time,
                    record.kind
                )?;
            }
            Err(error) => writeln!(f, "read      {}", said(error))?,
        }
        match self.next() {
            Some(next) => writeln!(f, "next      {next}"),
            None => Ok(()),
        }
    }
}

/// An error with its causes.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
