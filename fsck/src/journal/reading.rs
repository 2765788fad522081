//! Reading a journal: its events in their order, what is wrong among them, and the state that they make.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_checkpoint::journal::{Event, State, event};
use headwater_checkpoint::resume::Root;
use headwater_checkpoint::{Checkpoints, Id};
use headwater_wal::format::name;
use headwater_wal::store::Store;
use headwater_wal::{
    Error, Handle, Kind, Log, Opened, Options, Position, Record, Replay, Result, Survey, Time,
};

use super::kept::{self, Kept};
use crate::{Finding, Severity};

/// A journal to be looked into, and the checkpoints beside it, if they are known.
#[derive(Debug)]
pub struct Journal {
    store: Arc<dyn Store>,
    /// What its files are called by, from the root.
    folder: &'static str,
    checkpoints: Option<Checkpoints>,
    /// The folder of the checkpoints.
    beside: Option<Arc<dyn Store>>,
    kept: Vec<Kept>,
}

/// An event in its place.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The record that it is.
    pub handle: Handle,
    /// The time of the record.
    pub time: Time,
    /// How many events came before it.
    pub number: u64,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// Where it lies.
    pub fn position(&self) -> Position {
        self.handle.position()
    }
}

/// What reading comes upon.
#[derive(Clone, Debug)]
pub enum Seen {
    /// An event.
    Event(Box<Entry>),
    /// Something that is wrong.
    Finding(Box<Finding>),
}

impl Journal {
    /// The journal of a root, and its checkpoints.
    pub fn of(root: &Root) -> Result<Journal> {
        let store = root.checkpoints()?;
        let kept = kept::kept(&store)?;
        let checkpoints = Some(Checkpoints::open(store.clone()));
        Ok(Journal { store: root.journal()?, folder: "journal/", checkpoints, beside: Some(store), kept })
    }

    /// A journal of which only the log is known.
    pub fn alone(store: Arc<dyn Store>) -> Result<Journal> {
        Ok(Journal { store, folder: "", checkpoints: None, beside: None, kept: Vec::new() })
    }

    /// Where it lies.
    pub fn place(&self) -> String {
        self.store.place()
    }

    /// The kept checkpoints, oldest first.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// Whether the checkpoints beside it are known.
    pub fn has_root(&self) -> bool {
        self.checkpoints.is_some()
    }

    /// Reads the events from a position on, or from the first one that there is. The state is known from the beginning
    /// on, or else from the first kept checkpoint on that can be read and fits.
    pub fn read(&self, from: Position) -> Result<Reading<'_>> {
        let opened = Log::open(self.store.clone(), Options::default())?;
        self.read_opened(opened, from)
    }

    /// Reads only what is needed for the state as it is now: from the newest checkpoint on that can be read and fits.
    /// What is wrong before it is not found so.
    ///
    /// `Unavailable`, `Retired`: a driver at work has pruned or retired what was looked for meanwhile; try again.
    pub fn read_newest(&self) -> Result<Reading<'_>> {
        for kept in self.kept.iter().rev() {
            let Ok(said) = &kept.said else { continue };
            let opened = Log::open(self.store.clone(), Options::default())?;
            let survey = opened.survey();
            if !(survey.begins()..=survey.end()).contains(&said.position) {
                continue;
            }
            let mut reading = self.read_opened(opened, said.position)?;
            reading.run()?;
            if reading.state.is_some() {
                return Ok(reading);
            }
        }
        let mut reading = self.read(Position::START)?;
        reading.run()?;
        if let (None, Some(store)) = (&reading.state, &self.beside) {
            let ids = |kept: &[Kept]| kept.iter().map(|kept| kept.id).collect::<Vec<_>>();
            if ids(&kept::kept(store)?) != ids(&self.kept) {
                let message = "the driver goes on while its journal is read; try again";
                return Err(Error::new(Kind::Unavailable, format!("{message}: place={}", self.place())));
            }
        }
        Ok(reading)
    }

    fn read_opened(&self, opened: Opened, from: Position) -> Result<Reading<'_>> {
        let survey = opened.survey().clone();
        let start = from.max(survey.begins());
        let replay = opened.replay(start)?;
        let said = self.kept.iter().enumerate().filter_map(|(at, kept)| Some((kept.said.as_ref().ok()?, at)));
        let mut anchors: Vec<(Position, usize)> = said
            .filter(|(said, _)| (start..=survey.end()).contains(&said.position))
            .map(|(said, at)| (said.position, at))
            .collect();
        anchors.sort_unstable();
        Ok(Reading {
            journal: self,
            replay,
            anchors: anchors.into(),
            waiting: VecDeque::new(),
            state: (start == Position::START).then(State::default),
            restored: None,
            expected: (start == Position::START).then_some(0),
            gap: false,
            events: 0,
            findings: 0,
            ended: false,
            survey,
        })
    }
}

/// A journal that is being read: an iterator over what it comes upon, in order. It ends after the first error, which is
/// one of looking. Memory is bounded by what is pending in the journal.
#[derive(Debug)]
pub struct Reading<'a> {
    journal: &'a Journal,
    survey: Survey,
    replay: Replay,
    /// The checkpoints whose positions are still to come.
    anchors: VecDeque<(Position, usize)>,
    waiting: VecDeque<Seen>,
    state: Option<State>,
    /// The checkpoint that the state was last taken from.
    restored: Option<Id>,
    /// The number of the next event, if it is known.
    expected: Option<u64>,
    /// Whether events may be missing between the last one and the next.
    gap: bool,
    events: u64,
    findings: u64,
    ended: bool,
}

impl Reading<'_> {
    /// The journal's log as it was found.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// The state as of what was read so far. None: it is not known, since the beginning is retired and no checkpoint was
    /// come upon yet, or since something is wrong and none follows.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// The checkpoint that the state was taken from, if it was not made from the beginning.
    pub fn restored(&self) -> Option<Id> {
        self.restored
    }

    /// How many events were read.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many things were found wrong.
    pub fn findings(&self) -> u64 {
        self.findings
    }

    fn run(&mut self) -> Result<()> {
        for seen in self {
            seen?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Seen>> {
        loop {
            if let Some(seen) = self.waiting.pop_front() {
                self.findings += u64::from(matches!(seen, Seen::Finding(_)));
                return Ok(Some(seen));
            }
            if self.ended {
                return Ok(None);
            }
            match self.replay.next() {
                None => {
                    self.ended = true;
                    self.end()?;
                }
                Some(Ok(record)) => self.record(&record)?,
                Some(Err(error)) => match (error.kind(), error.site()) {
                    (Kind::Damaged | Kind::Invalid | Kind::Unsupported, Some(_)) => self.unreadable(&error),
                    _ => {
                        self.ended = true;
                        return Err(error);
                    }
                },
            }
        }
    }

    fn record(&mut self, record: &Record) -> Result<()> {
        let decoded = match record.kind {
            event::RECORD_KIND => Event::decode(&record.payload),
            kind => Err(Error::new(
                Kind::Damaged,
                format!("a record of another kind in the journal: kind={kind}"),
            )),
        };
        let (number, event) = match decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                let severity = match error.kind() {
                    Kind::Unsupported => Severity::Unsupported,
                    _ => Severity::Damaged,
                };
                self.find(severity, record.handle, text(&error), "what this event says".into());
                self.state = None;
                self.gap = true;
                if record.kind == event::RECORD_KIND {
                    self.expected = self.expected.and_then(|expected| expected.checked_add(1));
                }
                return Ok(());
            }
        };
        self.events += 1;
        self.count(record.handle, number);
        self.anchor(record.position(), number)?;
        self.expected = number.checked_add(1);
        self.gap = false;
        if let Some(mut state) = self.state.take() {
            match state.apply(number, &event) {
                Ok(()) => self.state = Some(state),
                Err(error) => {
                    let lost = "what the state was from here on; the event itself is there";
                    self.find(Severity::Damaged, record.handle, text(&error), lost.into());
                }
            }
        }
        let (handle, time) = (record.handle, record.time);
        self.waiting.push_back(Seen::Event(Box::new(Entry { handle, time, number, event })));
        Ok(())
    }

    /// Whether the event is the next one.
    fn count(&mut self, handle: Handle, number: u64) {
        let Some(expected) = self.expected.filter(|expected| *expected != number) else {
            if self.state.is_none() && number == 0 {
                self.state = Some(State::default());
            }
            return;
        };
        self.state = None;
        let (what, lost) = match expected < number {
            true if expected + 1 == number => {
                (format!("event {expected} is missing before this one"), "what it said".to_owned())
            }
            true => {
                let last = number - 1;
                (
                    format!("the events {expected} to {last} are missing before this one"),
                    "what they said".to_owned(),
                )
            }
            false => (
                format!(
                    "the event has the number {number}, and {expected} were there before it: it comes twice, or too late"
                ),
                String::new(),
            ),
        };
        self.find(Severity::Damaged, handle, what, lost);
    }

    /// Holds the checkpoints whose positions were come to against how many events there were, and takes the state over
    /// from one of them where it is not known.
    fn anchor(&mut self, up_to: Position, number: u64) -> Result<()> {
        let least = match self.expected {
            Some(expected) => expected.min(number),
            None if self.gap => 0,
            None => number,
        };
        while let Some((position, at)) = self.anchors.pop_front_if(|(position, _)| *position <= up_to) {
            let kept = &self.journal.kept[at];
            let Ok(said) = &kept.said else { continue };
            if !(least..=number).contains(&said.events) {
                let finding = self.misfit(kept, position, said.events, number);
                self.waiting.push_back(Seen::Finding(Box::new(finding)));
                continue;
            }
            if self.state.is_none()
                && said.events == number
                && let Some(checkpoints) = &self.journal.checkpoints
            {
                match kept::restore(checkpoints, kept.id) {
                    Ok(state) => {
                        self.state = Some(state).filter(|state| state.events() == number);
                        self.restored = self.state.as_ref().map(|_| kept.id);
                    }
                    // Its bytes are bad, or it was pruned: the next one may do.
                    Err(error) if error.kind() != Kind::Unavailable => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let end = self.survey.end();
        match self.expected {
            Some(number) => self.anchor(end, number),
            // Not one event: a checkpoint at the very beginning of what is there is all there is.
            None => {
                let newest = self.anchors.back().map(|(_, at)| &self.journal.kept[*at]);
                let events = newest.and_then(|kept| Some(kept.said.as_ref().ok()?.events));
                self.gap = true;
                events.map_or(Ok(()), |events| self.anchor(end, events))
            }
        }
    }

    fn misfit(&self, kept: &Kept, position: Position, events: u64, number: u64) -> Finding {
        let base = self.survey.chain().segments().iter().rfind(|segment| segment.base <= position);
        let base = base.map_or(Position::START, |segment| segment.base);
        Finding {
            severity: Severity::Damaged,
            file: Some(format!("{}{}", self.journal.folder, name::segment(base))),
            offset: Some(position.since(base)),
            range: None,
            what: format!(
                "checkpoint {} does not fit this journal: it has the effects of {events} events below position {position}, and \
                 the journal has {number}",
                kept.id
            ),
            lost: format!("checkpoint {}, as one to restore from", kept.id),
            remedy: "find out which of the two was put here from elsewhere, and put back the one that belongs to the other; \
                     a driver that resumes from this checkpoint refuses the journal"
                .into(),
            next: Some(format!("wal-inspect journal {} --from {position} -n 1", self.journal.place())),
        }
    }

    fn unreadable(&mut self, error: &Error) {
        self.state = None;
        self.gap = true;
        let site = error.site();
        let base = site.and_then(|site| name::parse_segment(&site.name));
        let position = base.zip(site).map_or(Position(u64::MAX), |(base, site)| base.plus(site.offset));
        let what = text(error);
        // What else the log's own words say is of replaying it.
        let cut = ["; the records around it follow", "; nothing was changed"]
            .iter()
            .find_map(|word| what.find(word));
        let severity = match error.kind() {
            Kind::Unsupported => Severity::Unsupported,
            _ => Severity::Damaged,
        };
        let finding = Finding {
            severity,
            file: site.map(|site| format!("{}{}", self.journal.folder, site.name)),
            offset: site.map(|site| site.offset),
            range: None,
            what: what[..cut.unwrap_or(what.len())].to_owned(),
            lost: "the events that lay here; the next one that can be read tells by its number how many"
                .into(),
            remedy: self.remedy(position.plus(1)),
            next: Some(format!("wal-inspect check {}", self.journal.place())),
        };
        self.waiting.push_back(Seen::Finding(Box::new(finding)));
    }

    fn find(&mut self, severity: Severity, handle: Handle, what: String, lost: String) {
        let (position, base) = (handle.position(), handle.base());
        let place = self.journal.place();
        let finding = Finding {
            severity,
            file: Some(format!("{}{}", self.journal.folder, name::segment(base))),
            offset: Some(position.since(base)),
            range: Some(position..handle.end()),
            what,
            lost,
            remedy: self.remedy(handle.end()),
            next: Some(format!("wal-inspect dump {place} --from {position} -n 1 --payload hex")),
        };
        self.waiting.push_back(Seen::Finding(Box::new(finding)));
    }

    /// What can be done where something is wrong below `end`.
    fn remedy(&self, end: Position) -> String {
        let behind = |kept: &&Kept| kept.said.as_ref().is_ok_and(|said| said.position >= end);
        match self.journal.kept.iter().rfind(behind) {
            Some(kept) => format!(
                "nothing, as long as checkpoint {} is good: resuming goes on from it, and it lies behind this place",
                kept.id
            ),
            None => "put the journal back from a copy, if there is one; a driver that resumes from before this place refuses \
                     to go on over it, and goes on from a checkpoint that lies behind it"
                .into(),
        }
    }
}

/// An error's own words: its kind and place are told apart from them.
fn text(error: &Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix(&format!("{}: ", error.kind())).unwrap_or(&text);
    match error.site() {
        Some(site) => {
            let place = format!(" file={} offset={}", site.name, site.offset);
            text.strip_suffix(&*place).unwrap_or(text).to_owned()
        }
        None => text.to_owned(),
    }
}

impl Iterator for Reading<'_> {
    type Item = Result<Seen>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
