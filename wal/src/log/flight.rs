//! A group on its way: from the place that the writer has given it to the device and back.
//!
//! Nothing here needs the writer, so that several groups can be at the device at once, each in a thread of its own.
//! What a group comes to counts only when those before it have landed.

use std::sync::Arc;

use super::look::{Depth, look};
use super::record::{Encoded, Place, Prepared};
use super::segment::{Failed, check_of};
use super::source::segment_name;
use crate::error::{Error, Kind, Result};
use crate::format::footer::Footer;
use crate::format::header::Header;
use crate::format::totals::Totals;
use crate::format::{Identity, Position, Unsettled};
use crate::store::{Store, Tail};

/// How often a put whose outcome is unknown is repeated, with the same name and the same bytes.
const PUT_TRIES: usize = 3;

/// A place at which a group may go to the device.
#[derive(Debug)]
pub(crate) struct Leave {
    pub(super) place: Place,
    pub(super) way: Way,
}

/// How it gets there.
#[derive(Debug)]
pub(super) enum Way {
    /// Into a file that grows.
    Tail { tail: Arc<dyn Tail>, offset: u64, through: bool },
    /// As a sealed segment of its own.
    Put { store: Arc<dyn Store>, identity: Identity, header: Box<Header> },
}

/// A group that is handed over, or about to be.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(super) place: Place,
    pub(super) way: Way,
    pub(super) records: Vec<Prepared>,
    pub(super) encoded: Encoded,
    /// Of an object: its footer, and how long it is.
    pub(super) footer: Option<(Footer, u64)>,
}

impl Leave {
    /// Makes the group's bytes.
    pub(crate) fn encode(self, records: Vec<Prepared>) -> Flight {
        let Leave { place, way } = self;
        let encoded = Encoded::new(&place, &records);
        Flight { place, way, records, encoded, footer: None }
    }
}

impl Flight {
    /// Hands the group over; on return it is durable (of a `Process` log: written).
    ///
    /// `Full`: nothing of it is there, and its place is free.
    pub(crate) fn fly(&mut self) -> Result<(), Failed> {
        let parts = self.encoded.parts(&self.records);
        let result = match &self.way {
            Way::Tail { tail, offset, through: true } => tail.write_through(*offset, &parts),
            Way::Tail { tail, offset, through: false } => tail.write(*offset, &parts),
            Way::Put { store, identity, header } => {
                let (bytes, footer) = object(header, &self.place, &self.encoded, &parts);
                self.footer = Some((footer, bytes.len() as u64));
                put_settled(&**store, *identity, header, bytes)
            }
        };
        let whole = matches!(self.way, Way::Put { .. });
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

/// Puts a segment, and settles an answer that was lost: with the same name and the same bytes, or not at all.
fn put_settled(store: &dyn Store, identity: Identity, header: &Header, bytes: Vec<u8>) -> Result<()> {
    let (name, bytes) = (segment_name(header.base), bytes::Bytes::from(bytes));
    let (mut doubt, mut last) = (None, None);
    for _ in 0..PUT_TRIES {
        match store.put(&name, bytes.clone()) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == Kind::Exists => {
                return settle_exists(store, identity, header, &bytes, error);
            }
            // Once a put may have landed, only these bytes may be put under this name, whatever hinders them.
            Err(error) if error.kind() == Kind::Unknown => doubt = Some(error),
            Err(error) if error.kind() == Kind::Unavailable => last = Some(error),
            Err(error) => return Err(doubt.unwrap_or(error)),
        }
    }
    Err(doubt.or(last).expect("it was tried"))
}

/// The name is taken: by our own put whose answer was lost, by the segment that replaced us, or nobody knows.
fn settle_exists(
    store: &dyn Store,
    identity: Identity,
    ours: &Header,
    bytes: &[u8],
    exists: Error,
) -> Result<()> {
    let (base, name) = (ours.base, segment_name(ours.base));
    let unknown = |because: Error| {
        Error::new(Kind::Unknown, "the name is taken, and what is there could not be read").because(because)
    };
    let there = store.read(&name, 0..bytes.len() as u64 + 1).map_err(unknown)?;
    if there == *bytes {
        return Ok(());
    }
    let newer = match Header::decode(base, &there) {
        Ok(header) if header.identity == identity && header.epoch > ours.epoch => header.epoch,
        _ => {
            let message = "the name is taken by what this writer did not put";
            return Err(Error::new(Kind::Unknown, message).because(exists).at(name.as_str(), 0));
        }
    };
    // A name below the beginning proves nothing: our group may have been there, become part of the log, been
    // retired and removed, and the newer segment landed late in the hole. The order matters: first that one was
    // read, then where the log begins.
    let begins = look(store, Position::START, Depth::Quick).map_err(unknown)?.begins();
    let message = format!(
        "a newer writer has taken this log over; stop, or start again: epoch={} newer={newer}",
        ours.epoch
    );
    let kind = if begins > base { Kind::Unknown } else { Kind::Fenced };
    Err(Error::new(kind, message).at(name.as_str(), 0))
}
