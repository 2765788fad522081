//! One checkpoint, as its head states it.

use std::fmt;

use headwater_wal::format::frame::Codec;
use headwater_wal::store::Name;
use headwater_wal::{Position, Time};

use crate::format::name::{self, Origin};
use crate::sections::Sections;

/// Which checkpoint: the greatest is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The epoch of its writer: that of the journal that the writer had started.
    pub epoch: u64,
    /// Its number among the epoch's own.
    pub number: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl std::str::FromStr for Id {
    type Err = headwater_wal::Error;

    fn from_str(text: &str) -> headwater_wal::Result<Id> {
        let parse = || {
            let (epoch, number) = text.split_once('-')?;
            Some(Id { epoch: epoch.parse().ok()?, number: number.parse().ok()? })
        };
        parse().ok_or_else(|| {
            let message = format!("a checkpoint is named by epoch and number, such as 3-17: name={text:?}");
            headwater_wal::Error::new(headwater_wal::Kind::Invalid, message)
        })
    }
}

/// What an object in a folder of checkpoints is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// The writer of that epoch has begun.
    Claim(u64),
    /// The head of a checkpoint.
    Head(Id),
    /// A part of what was first written as a section of that ordinal by that checkpoint.
    Part {
        /// The checkpoint.
        of: Id,
        /// The section's ordinal in it.
        section: u32,
        /// The part's ordinal in the section.
        part: u32,
    },
}

impl Object {
    /// The folder of the parts; the others lie in the root.
    pub const PARTS: &str = name::PARTS;

    /// What the object of that name is; `None` if none is ever put under it.
    pub fn parse(text: &str) -> Option<Object> {
        if let Some((folder, leaf)) = text.split_once('/') {
            let (of, part) = name::parse_part(leaf).filter(|_| folder == name::PARTS)?;
            return Some(Object::Part { of: of.id, section: of.section, part });
        }
        name::parse_head(text).map(Object::Head).or_else(|| name::parse_claim(text).map(Object::Claim))
    }

    /// Its name.
    pub fn name(&self) -> Name {
        match *self {
            Object::Claim(epoch) => name::claim(epoch),
            Object::Head(id) => name::head(id),
            Object::Part { of, section, part } => name::part(Origin { id: of, section }, part),
        }
    }
}

/// What the sections are, in the application's own terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The type: any text of the application's, at most 255 bytes.
    pub kind: String,
    /// The application's version of it.
    pub version: u64,
}

impl Content {
    /// A type and the application's version of it.
    pub fn new(kind: impl Into<String>, version: u64) -> Self {
        Content { kind: kind.into(), version }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.kind.escape_debug(), self.version)
    }
}

/// A checkpoint as its head states it: everything but the sections' bytes, which
/// [`read_section`](crate::Checkpoints::read_section) gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub(crate) id: Id,
    pub(crate) identity: u64,
    pub(crate) time: Time,
    pub(crate) content: Content,
    pub(crate) positions: Vec<(String, Position)>,
    pub(crate) chain: Vec<Id>,
    pub(crate) sections: Sections,
    /// The length of the head.
    pub(crate) head_bytes: u64,
}

impl Checkpoint {
    /// Which one it is.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The short identity of the log that it belongs to.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// When it was put, by its writer's clock; for people.
    pub fn time(&self) -> Time {
        self.time
    }

    /// What its sections are.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// From where each log has to be replayed: the checkpoint holds exactly the effects of what lies below.
    pub fn positions(&self) -> &[(String, Position)] {
        &self.positions
    }

    /// From where this log has to be replayed.
    pub fn position(&self, log: &str) -> Option<Position> {
        self.positions.iter().find(|(name, _)| name == log).map(|(_, position)| *position)
    }

    /// The checkpoint that it follows: the only one that it shares parts with.
    pub fn follows(&self) -> Option<Id> {
        self.chain.first().copied()
    }

    /// The checkpoints that are kept together with it, newest first.
    pub fn kept(&self) -> &[Id] {
        &self.chain
    }

    /// Its sections, in the order in which they were written.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of that name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.get(name)
    }

    /// The length of all sections.
    pub fn bytes(&self) -> u64 {
        self.sections.iter().map(|section| section.bytes).sum()
    }

    /// What it takes in the store by itself: its head, and the parts that were written for it.
    pub fn new_bytes(&self) -> u64 {
        let new = self.sections.iter().filter(|section| !section.is_shared(self.id));
        self.head_bytes + new.map(Section::stored_in_parts).sum::<u64>()
    }

    /// What it has in the store together with the checkpoints before it.
    pub fn shared_bytes(&self) -> u64 {
        let shared = self.sections.iter().filter(|section| section.is_shared(self.id));
        shared.map(Section::stored_in_parts).sum()
    }

    /// What its parts were first written as.
    pub(crate) fn origins(&self) -> impl Iterator<Item = (Origin, u32)> {
        self.sections.iter().filter_map(Section::in_parts).map(|(of, parts)| (of, parts.len() as u32))
    }
}

/// A section of a checkpoint, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub(crate) name: String,
    pub(crate) revision: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) lies: Lies,
}

impl Section {
    /// Its name, which no other section of the checkpoint has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The application's revision of it, if it said one.
    pub fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it takes in the store.
    pub fn stored_bytes(&self) -> u64 {
        match self.lies {
            Lies::Inside { stored, .. } => stored.into(),
            Lies::InParts { .. } => self.stored_in_parts(),
        }
    }

    /// The checkpoint that its parts were written for; `None` if it lies inside the head.
    pub fn written_by(&self) -> Option<Id> {
        self.in_parts().map(|(of, _)| of.id)
    }

    /// The parts that it lies in, and of each the length of the object and the checksum of its stored bytes, as the head
    /// states them; none if it lies inside the head.
    pub fn objects(&self) -> impl Iterator<Item = (Object, u64, u32)> {
        let (of, parts) = self.in_parts().unzip();
        let parts = parts.into_iter().flatten().zip(0..);
        parts.zip(of.into_iter().cycle()).map(|((part, ordinal), of)| {
            let object = Object::Part { of: of.id, section: of.section, part: ordinal };
            (object, part.object_bytes(), part.check)
        })
    }

    pub(crate) fn in_parts(&self) -> Option<(Origin, &[Part])> {
        match &self.lies {
            Lies::Inside { .. } => None,
            Lies::InParts { of, parts } => Some((*of, parts)),
        }
    }

    /// Whether the other one certainly has the same bytes: it shares the parts, or checksums and length agree.
    pub fn is_same(&self, other: &Section) -> bool {
        match (&self.lies, &other.lies) {
            (Lies::Inside { check: a, .. }, Lies::Inside { check: b, .. }) => {
                a == b && self.bytes == other.bytes
            }
            (Lies::InParts { of: a, parts: these }, Lies::InParts { of: b, parts: those }) => {
                a == b || these == those
            }
            _ => false,
        }
    }

    fn stored_in_parts(&self) -> u64 {
        self.in_parts().map_or(0, |(_, parts)| parts.iter().map(Part::object_bytes).sum())
    }

    fn is_shared(&self, by: Id) -> bool {
        self.written_by().is_some_and(|id| id != by)
    }
}

/// Where a section lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lies {
    /// In the head.
    Inside {
        codec: Codec,
        stored: u32,
        stored_check: u32,
        check: u32,
    },
    InParts {
        of: Origin,
        parts: Vec<Part>,
    },
}

/// What a head states of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) bytes: u32,
    pub(crate) stored: u32,
    pub(crate) check: u32,
}

impl Part {
    /// The length of the object.
    pub(crate) fn object_bytes(&self) -> u64 {
        crate::format::PART_HEADER_BYTES as u64 + u64::from(self.stored)
    }
}
