//! What a store shows, and the survey: pure functions from what lies there to where the log begins, where it ends, and
//! whether a crash explains that.

use crate::rules::{Rule, Rules};

/// Positions in the model's address space.
pub const POSITIONS: usize = 32;

/// What lies at a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    #[default]
    Absent,
    /// An epoch's first segment, E: no records, and the next base.
    First,
    /// The header of any other segment of growing media. (An object's header lies in its one group's position.)
    Header,
    /// A file with a name and no header yet.
    Bare,
    /// A group of records, each a caller's ticket.
    Group,
    /// A group that holds a retire mark.
    Mark,
    /// The footer that seals a segment of growing media.
    Footer,
    /// Something that does not verify.
    Spoilt,
}

/// One position of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What it is.
    pub kind: Kind,
    /// Who wrote it. The epoch stands for the writer's token also: no two attempts to start share a number here.
    pub epoch: u8,
    /// Where the chain goes on.
    pub next: u8,
    /// What it says was acknowledged when it was handed over.
    pub acked: u8,
    /// Where it says the log begins.
    pub begin: u8,
    /// For a mark: where the log begins once the mark is acknowledged.
    pub mark: u8,
}

impl Cell {
    /// Whether anything lies here that verifies.
    pub fn verifies(&self) -> bool {
        !matches!(self.kind, Kind::Absent | Kind::Bare | Kind::Spoilt)
    }

    /// Whether a file of growing media has this position as its name.
    pub fn names_a_file(&self) -> bool {
        matches!(self.kind, Kind::First | Kind::Header | Kind::Bare)
    }

    /// The cell in one word.
    pub fn word(&self) -> u64 {
        let bytes = [self.kind as u8, self.epoch, self.next, self.acked, self.begin, self.mark, 0, 0];
        u64::from_le_bytes(bytes)
    }
}

/// The store, by position.
pub type Cells = [Cell; POSITIONS];

/// A walk along the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// H: where the chain ends.
    pub end: u8,
    /// The epoch of its last segment.
    pub epoch: u8,
}

/// Follows the chain from a position, calling `link` for every link: each says where the next one begins, and none is older
/// than the one before.
pub fn walk_with(cells: &Cells, from: u8, mut link: impl FnMut(u8, &Cell)) -> Walk {
    let mut walk = Walk { end: from, epoch: 0 };
    loop {
        let cell = &cells[walk.end as usize];
        if !cell.verifies() || cell.epoch < walk.epoch {
            return walk;
        }
        link(walk.end, cell);
        walk = Walk { end: cell.next, epoch: cell.epoch };
    }
}

/// Follows the chain from a position.
pub fn walk(cells: &Cells, from: u8) -> Walk {
    walk_with(cells, from, |_, _| ())
}

/// The log's beginning: the greatest that any verified header states, or any mark which the chain from there reaches.
///
/// That a mark is acknowledged is written nowhere before the next header, and what it retires may be gone by then: so it has
/// to count earlier. Reached from the position that it states, it is a link of the chain and stays one.
pub fn beginning(cells: &Cells, rules: Rules) -> u8 {
    let mut begin = 0;
    for (at, cell) in cells.iter().enumerate() {
        if !cell.verifies() {
            continue;
        }
        begin = begin.max(cell.begin);
        if cell.kind == Kind::Mark && cell.mark > begin && rules.has(Rule::ReachedMarkCounts) {
            let mut reached = !rules.has(Rule::OnlyReachedMarkCounts);
            walk_with(cells, cell.mark, |place, _| reached |= place as usize == at);
            if reached {
                begin = cell.mark;
            }
        }
    }
    begin
}

/// What the judge is given besides the cells.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// The most a writer may have in flight.
    pub flight: u8,
    /// A position that the caller knows was acknowledged.
    pub at_least: u8,
    /// Whether names hold what was put whole.
    pub whole: bool,
}

/// What the judge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A crash explains it: the log ends at H.
    Torn,
    /// A crash does not explain it.
    Damaged,
}

/// The judge: what lies beyond H, against H.
///
/// Nothing beyond H is dead: the range of every E of the chain ends at H or before it.
pub fn judge(cells: &Cells, h: u8, given: Given) -> Verdict {
    let mut damaged = given.at_least > h || (given.whole && cells[h as usize].kind == Kind::Spoilt);
    for cell in cells.iter().skip(h as usize + 1).filter(|cell| cell.verifies()) {
        damaged |= cell.acked > h || cell.next > h + given.flight;
    }
    if damaged { Verdict::Damaged } else { Verdict::Torn }
}

/// The end of everything that verifies from the beginning on, links or not.
pub fn end_of_verified(cells: &Cells, begin: u8) -> u8 {
    let ends = cells.iter().skip(begin as usize).filter(|cell| cell.verifies()).map(|cell| cell.next);
    ends.max().unwrap_or(begin).max(begin)
}

/// The greatest epoch of which anything shows.
pub fn greatest_epoch(cells: &Cells) -> u8 {
    cells.iter().filter(|cell| cell.verifies()).map(|cell| cell.epoch).max().unwrap_or(0)
}
