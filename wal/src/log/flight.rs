//! A group on its way: from the place that the writer has given it to the device and back.
//!
//! Nothing here needs the writer, so that several groups can be at the device at once, each in a thread of its own.
//! What a group comes to counts only when those before it have landed.

use std::sync::Arc;

use bytes::Bytes;

use super::chain::Segment;
use super::fence;
use super::look::{Depth, look_near};
use super::record::{Encoded, Place, Prepared};
use super::segment::{Failed, check_of};
use super::source::segment_name;
use crate::error::{Error, Kind, Result};
use crate::format::footer::Footer;
use crate::format::header::{Header, Previous};
use crate::format::totals::Totals;
use crate::format::{Position, Unsettled};
use crate::store::{Name, Store, Tail};

/// How often a put whose outcome is unknown is repeated, with the same name and the same bytes.
const PUT_TRIES: usize = 3;

/// A group that has a place, at which it may go to the device.
#[derive(Debug)]
pub(crate) struct Leave {
    pub(super) place: Place,
    pub(super) way: Way,
    pub(super) records: Vec<Prepared>,
    /// Where the place of the next group depends on this one's bytes, they are made already.
    pub(super) encoded: Option<Encoded>,
}

/// How it gets there.
#[derive(Debug)]
pub(super) enum Way {
    /// Into a file that grows.
    Tail { store: Arc<dyn Store>, tail: Arc<dyn Tail>, offset: u64, through: bool },
    /// As a sealed segment of its own.
    Put(Box<Put>),
}

/// A sealed segment that holds one group.
#[derive(Debug)]
pub(super) struct Put {
    store: Arc<dyn Store>,
    header: Header,
    bytes: Bytes,
    segment: Segment,
}

/// A group that is handed over, or about to be.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(super) place: Place,
    pub(super) way: Way,
    pub(super) records: Vec<Prepared>,
    pub(super) encoded: Encoded,
}

impl Leave {
    /// Makes the group's bytes, if they are not made yet.
    pub(crate) fn encode(self) -> Flight {
        let Leave { place, way, records, encoded } = self;
        let encoded = encoded.unwrap_or_else(|| Encoded::new(&place, &records));
        Flight { place, way, records, encoded }
    }
}

impl Put {
    /// The group as a sealed segment, behind `header`.
    pub(super) fn new(
        store: Arc<dyn Store>,
        header: Header,
        place: &Place,
        encoded: &Encoded,
        records: &[Prepared],
    ) -> Self {
        let (bytes, footer) = object(&header, place, encoded, &encoded.parts(records));
        let segment = Segment {
            base: header.base,
            end: place.position.plus(encoded.len()),
            next: footer.next,
            file_len: bytes.len() as u64,
            epoch: header.epoch,
            body: header.body(),
            begins_epoch: false,
            sealed: true,
            seal: Some(footer.seal),
            made_at: header.time,
            closed_at: Some(header.time),
            times: (footer.records > 0).then_some((footer.least, footer.greatest)),
            records: Some(footer.records),
        };
        Put { store, header, bytes: bytes.into(), segment }
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// What the segment before it is, as its header states it.
    pub(super) fn previous(&self) -> Previous {
        self.header.previous.expect("a writer's segments follow one another")
    }

    /// Settles an answer that was lost: with the same name and the same bytes, or not at all.
    fn fly(&self) -> Result<()> {
        let name = segment_name(self.header.base);
        let (mut doubt, mut last) = (None, None);
        for _ in 0..PUT_TRIES {
            match self.store.put(&name, self.bytes.clone()) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == Kind::Exists => match self.settle(&name, error)? {
                    None => return Ok(()),
                    // Two puts that met may both have been refused. It is not known, so it is as if unanswered.
                    Some(nothing_there) => doubt = Some(nothing_there),
                },
                // Once a put may have landed, only these bytes may be put under this name, whatever hinders them.
                Err(error) if error.kind() == Kind::Unknown => doubt = Some(error),
                Err(error) if error.kind() == Kind::Unavailable => last = Some(error),
                Err(error) => return Err(doubt.unwrap_or(error)),
            }
        }
        Err(doubt.or(last).expect("it was tried"))
    }

    /// The name is taken: by our own put whose answer was lost, by the segment that replaced us, or nobody knows. An
    /// error to go on with if nothing is there.
    fn settle(&self, name: &Name, exists: Error) -> Result<Option<Error>> {
        let base = self.header.base;
        let unknown = |because: Error| {
            Error::new(Kind::Unknown, "the name is taken, and what is there could not be read")
                .because(because)
        };
        let there = match self.store.read(name, 0..self.bytes.len() as u64 + 1) {
            Ok(there) if there == self.bytes => return Ok(None),
            Ok(there) => there,
            Err(gone) if gone.kind() == Kind::NotThere => return Ok(Some(unknown(gone))),
            Err(other) => return Err(unknown(other)),
        };
        let newer = match Header::decode(base, &there) {
            Ok(header) if header.identity == self.header.identity && header.epoch > self.header.epoch => {
                header.epoch
            }
            _ => {
                let message = "the name is taken by what this writer did not put";
                return Err(Error::new(Kind::Unknown, message).because(exists).at(name.as_str(), 0));
            }
        };
        // A name below the beginning proves nothing: our group may have been there, become part of the log, been
        // retired and removed, and the newer segment landed late in the hole. The order matters: first that one was
        // read, then where the log begins.
        let begins = look_near(&*self.store, Position::START, Depth::Quick).map_err(unknown)?.begins();
        let message = format!(
            "a newer writer has taken this log over; stop, or start again: epoch={} newer={newer}",
            self.header.epoch
        );
        let kind = if begins > base { Kind::Unknown } else { Kind::Fenced };
        Err(Error::new(kind, message).at(name.as_str(), 0))
    }
}

impl Flight {
    /// Hands the group over; on return it is durable (of a `Process` log: written).
    ///
    /// `Full`: nothing of it is there, and its place is free.
    pub(crate) fn fly(&self) -> Result<(), Failed> {
        let parts = || self.encoded.parts(&self.records);
        let result = match &self.way {
            Way::Tail { store, tail, offset, through } => {
                let written = match through {
                    true => tail.write_through(*offset, &parts()),
                    false => tail.write(*offset, &parts()),
                };
                let Place { life, base, position, .. } = self.place;
                written.map_err(|error| fence::cause(&**store, life, base, position, error))
            }
            Way::Put(put) => put.fly(),
        };
        let whole = matches!(self.way, Way::Put(_));
        result.map_err(|error| match error.kind() {
            Kind::Full if whole => Failed::Full(error),
            _ => Failed::Dead(error),
        })
    }

    /// The places of its records, for the case that it is not known what became of them.
    pub(crate) fn places(&self) -> Vec<Unsettled> {
        self.encoded.handles.iter().copied().map(Unsettled).collect()
    }

    /// The records of a group that has flown: nothing here needs them any more.
    pub(crate) fn take_records(&mut self) -> Vec<Prepared> {
        std::mem::take(&mut self.records)
    }

    /// Where the group ends.
    pub(super) fn end(&self) -> Position {
        self.place.position.plus(self.encoded.len())
    }
}

/// A group as a sealed segment.
fn object(header: &Header, place: &Place, encoded: &Encoded, parts: &[&[u8]]) -> (Vec<u8>, Footer) {
    let head = header.encode();
    let mut totals = Totals::new(check_of(&head));
    totals.group(place.position, &encoded.header, encoded.check);
    encoded.frames.iter().for_each(|(header, check)| totals.frame(header, *check));
    let end = place.position.plus(encoded.len());
    let footer = totals.footer(end, None, place.acked, header.begins, header.time);
    let mut bytes = vec![0; header.body() as usize];
    bytes[..head.len()].copy_from_slice(&head);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.extend_from_slice(&footer.encode(place.life, end, &totals.index));
    (bytes, footer)
}
