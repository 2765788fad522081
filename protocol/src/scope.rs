//! The bounds of a world: what the log lies on, how many do how much in it, and by which rules.

use crate::rules::{Rule, Rules};
use crate::survey::{Cells, Given, Kind};

/// What the log lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Names that are put whole and only if absent. A put may land, or land again, at any later time.
    Object,
    /// Files that grow, each under a lease that can be taken from its writer.
    Lease,
    /// Files that grow, under a directory lock that only the holder's end sets free.
    Lock,
}

/// An accepted loss.
///
/// E is put at H also then. That it goes behind the last segment by name and lists the lost ranges, so that what is readable
/// there stays a link, is left out: it helps readers, and the positions that it gives away are the same.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Z had written, and acknowledged, everything from its base to here.
    pub written_to: u8,
    /// Lost is what lies from here
    pub from: u8,
    /// to here.
    pub to: u8,
    /// Whether Z has ended, and all its puts with it.
    pub old_is_gone: bool,
}

/// One bounded world.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// What the log lies on.
    pub medium: Medium,
    /// The rules in force.
    pub rules: Rules,
    /// F: the most positions that a writer may have in flight.
    pub flight: u8,
    /// On growing media, the groups of a segment.
    pub segment_groups: u8,
    /// How many positions Z may hand over.
    pub old_hands: u8,
    /// How many positions each started writer may hand over.
    pub heir_hands: u8,
    /// How many starters there are.
    pub starters: u8,
    /// How many numbers each may claim.
    pub claims_each: u8,
    /// Whether heirs retire what lies below their first segment.
    pub heirs_retire: bool,
    /// Whether Z retires what it has acknowledged.
    pub old_retires: bool,
    /// Whether heirs sweep the dead away.
    pub sweeps: bool,
    /// Whether a starter's survey takes one step or three, between which anything may happen.
    pub paged: bool,
    /// The position that the caller hands to every starter.
    pub at_least: u8,
    /// What was acknowledged and lost before this world begins; the loss is accepted by name.
    pub loss: Option<Loss>,
}

impl Scope {
    /// Whether names hold what was put whole.
    pub fn whole(&self) -> bool {
        self.medium == Medium::Object
    }

    /// Whether a rule is in force.
    pub fn has(&self, rule: Rule) -> bool {
        self.rules.has(rule)
    }

    /// What the judge is given, with the greatest promise that a caller can know of.
    pub fn given(&self, at_least: u8) -> Given {
        Given { flight: self.flight, at_least, whole: self.whole() }
    }

    /// Whether a put under this name is refused.
    pub fn taken(&self, cells: &Cells, name: u8) -> bool {
        let cell = &cells[name as usize];
        if self.whole() { cell.kind != Kind::Absent } else { cell.names_a_file() }
    }
}
