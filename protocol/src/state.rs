//! The state: what the store holds, what is on its way to it, and what each actor knows.

use crate::check::Fold;
use crate::settled::{Settled, Slip};
use crate::survey::{Cell, Cells, Kind, POSITIONS};

/// Z, the old writer.
pub const Z: usize = 0;
/// Z and two starters, S1 and S2, each of which is a writer once it has started.
pub const ACTORS: usize = 3;
/// The most that one writer hands over in a run.
pub const HANDED_MAX: usize = 8;
/// The most numbers that one starter claims in a run.
pub const CLAIMS_MAX: usize = 3;
/// A position that no cell has: "not yet" or "never".
pub const NOWHERE: u8 = u8::MAX;

/// A writer of the log.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    /// Its epoch; 0 before it has started.
    pub epoch: u8,
    /// The position of its first segment after E.
    pub base: u8,
    /// Where what it has handed to the store ends.
    pub handed: u8,
    /// Where what it has acknowledged ends.
    pub acked: u8,
    /// From here on no ticket will be acknowledged: the log has failed or is fenced.
    pub cut: u8,
    /// The tickets that were answered `Fenced`: from here
    pub fenced_from: u8,
    /// to here.
    pub fenced_to: u8,
    /// The log's beginning as this writer knows it to be durable.
    pub begin: u8,
    /// Where its retire mark lies; 0 as long as there is none.
    pub mark_at: u8,
    /// What of it has ever landed, by distance from the base. (An answer may be as late as the put.)
    pub landed: u8,
    /// What was handed over, byte for byte: a retry puts the same.
    pub puts: [Cell; HANDED_MAX],
}

impl Writer {
    fn new() -> Writer {
        Writer {
            epoch: 0,
            base: 0,
            handed: 0,
            acked: 0,
            cut: NOWHERE,
            fenced_from: NOWHERE,
            fenced_to: 0,
            begin: 0,
            mark_at: 0,
            landed: 0,
            puts: [Cell::default(); HANDED_MAX],
        }
    }

    /// Whether it has started and not stopped.
    pub fn writes(&self) -> bool {
        self.epoch != 0 && self.cut == NOWHERE
    }

    /// The end of the tickets that still wait for their answer.
    pub fn waiting_to(&self) -> u8 {
        self.handed.min(self.cut)
    }

    /// What it put at a position.
    pub fn put_at(&self, position: u8) -> &Cell {
        &self.puts[(position - self.base) as usize]
    }

    /// Whether its put at a position ever landed.
    pub fn has_landed(&self, position: u8) -> bool {
        self.landed & (1 << (position - self.base)) != 0
    }
}

/// How far a starter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It needs a number: it has not begun, or begins again.
    Unnumbered,
    /// It holds a number, and on lease media takes the newest file's lease away.
    Claimed,
    /// It has looked up the log's beginning.
    Begun,
    /// It has walked to H and looks at what lies beyond.
    Walked,
    /// It moves a file without a header out of the way.
    Moving,
    /// Its E is on its way.
    Putting,
    /// Its E was put, and it surveys again.
    Confirming,
    /// It has become a writer.
    Started,
    /// It has given up, or a newer epoch follows its own.
    Stopped,
}

/// One E that a starter has sent on its way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Put {
    /// What it is; absent as long as it was not sent.
    pub cell: Cell,
    /// Where it goes.
    pub place: u8,
    /// Whether it ever landed.
    pub landed: bool,
}

/// A starter.
#[derive(Clone, Copy, Debug)]
pub struct Starter {
    /// How far it is.
    pub phase: Phase,
    /// The number that it holds.
    pub epoch: u8,
    /// How many it has claimed.
    pub claims: u8,
    /// The beginning that its survey found.
    pub begin: u8,
    /// The H that its survey found.
    pub h: u8,
    /// Its E's, one a claim: those of earlier attempts may still land.
    pub firsts: [Put; CLAIMS_MAX],
}

/// All that there is at one moment.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// What the store holds.
    pub cells: Cells,
    /// The files of growing media that their writers may append to, a bit a name.
    pub open: u32,
    /// The last number claimed.
    pub claims: u8,
    /// Who holds the directory lock.
    pub owner: u8,
    /// The old writer and the starters' writers.
    pub writers: [Writer; ACTORS],
    /// The starters; Z's place is not used.
    pub starters: [Starter; ACTORS],
    /// Not part of any actor: what every survey so far has shown.
    pub settled: [Settled; POSITIONS],
    /// A promise that the last step broke.
    pub slip: Option<Slip>,
}

impl State {
    /// An empty store.
    pub fn new() -> State {
        let starter = Starter {
            phase: Phase::Unnumbered,
            epoch: 0,
            claims: 0,
            begin: 0,
            h: 0,
            firsts: Default::default(),
        };
        State {
            cells: [Cell::default(); POSITIONS],
            open: 0,
            claims: 0,
            owner: NOWHERE,
            writers: [Writer::new(); ACTORS],
            starters: [starter; ACTORS],
            settled: [Settled::Open; POSITIONS],
            slip: None,
        }
    }

    /// Whether the file of this name may be appended to.
    pub fn is_open(&self, name: u8) -> bool {
        self.open & (1 << name) != 0
    }

    /// The newest file by name.
    pub fn newest_file(&self) -> Option<u8> {
        (0..POSITIONS as u8).rev().find(|&at| self.cells[at as usize].names_a_file())
    }

    /// The greatest beginning that any writer that started knows to be durable: what lies below it may be removed.
    pub fn retired_to(&self) -> u8 {
        self.writers.iter().filter(|writer| writer.epoch != 0).map(|writer| writer.begin).max().unwrap_or(0)
    }

    /// Equal for equal states, and else almost surely not.
    pub fn fingerprint(&self) -> u64 {
        let mut fold = Fold::default();
        for (at, cell) in self.cells.iter().enumerate() {
            let settled = match self.settled[at] {
                Settled::Open => 0,
                Settled::Dead => 1,
                Settled::Lost => 2,
                Settled::Records(epoch) => 16 + epoch,
                Settled::First(epoch) => 32 + epoch,
            };
            let word = cell.word() | u64::from(settled) << 48;
            if word != 0 {
                fold.word(word | (at as u64) << 56);
            }
        }
        fold.word(u64::from(self.open) | u64::from(self.claims) << 32 | u64::from(self.owner) << 40);
        for writer in self.writers.iter().filter(|writer| writer.epoch != 0) {
            let Writer {
                epoch,
                base,
                handed,
                acked,
                cut,
                fenced_from,
                fenced_to,
                begin,
                mark_at,
                landed,
                ..
            } = *writer;
            fold.word(u64::from_le_bytes([epoch, base, handed, acked, cut, fenced_from, fenced_to, begin]));
            fold.word(u64::from_le_bytes([mark_at, landed, 0, 0, 0, 0, 0, 1]));
            for put in &writer.puts[..(handed - base) as usize] {
                fold.word(put.word());
            }
        }
        for starter in &self.starters[1..] {
            let Starter { phase, epoch, claims, begin, h, .. } = *starter;
            fold.word(u64::from_le_bytes([phase as u8, epoch, claims, begin, h, 0, 0, 2]));
            for put in starter.firsts.iter().filter(|put| put.cell.kind != Kind::Absent) {
                fold.word(put.cell.word() | u64::from(put.place) << 48 | u64::from(put.landed) << 56);
            }
        }
        let slip = match self.slip {
            None => 0,
            Some(Slip::Changed(at)) => 0x100 | u64::from(at),
            Some(Slip::Reused(at)) => 0x200 | u64::from(at),
            Some(Slip::SaidDamaged(at)) => 0x300 | u64::from(at),
        };
        fold.word(slip);
        fold.finish()
    }
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}
