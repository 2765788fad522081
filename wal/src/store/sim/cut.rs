//! What a power cut takes and what it leaves.

use super::Random;

/// How a power cut chooses among what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// One of the others, by seed.
    Seeded,
    /// Nothing unsynced is left.
    LoseAll,
    /// Everything had just been written back.
    KeepAll,
    /// Each write and each entry as a whole, independently.
    Writes,
    /// Each sector and each entry, independently.
    Sectors,
    /// What came first is kept, what came later is lost, and the one between is torn by sectors.
    InOrder,
}

/// The choices of one power cut. Every unsynced write and change of a name has a number, given in their order.
pub(super) struct Fate {
    cut: Cut,
    random: Random,
    salt: u64,
    /// Of eight sectors, so many stay.
    odds: u64,
    /// The number of the one that was under way.
    edge: u64,
}

impl Fate {
    /// `first..last` are the numbers of what is unsynced.
    pub(super) fn new(cut: Cut, random: &mut Random, first: u64, last: u64) -> Self {
        let mut random = Random::new(random.draw());
        let cut = match cut {
            Cut::Seeded => match random.below(8) {
                0 => Cut::LoseAll,
                1 => Cut::KeepAll,
                2 => Cut::Writes,
                3 | 4 => Cut::InOrder,
                _ => Cut::Sectors,
            },
            chosen => chosen,
        };
        let salt = random.draw();
        let odds = 1 + random.below(7);
        let edge = first + random.below(last.saturating_sub(first).max(1));
        Fate { cut, random, salt, odds, edge }
    }

    /// Whether a sector that this write touched last, or this change of a name, is kept.
    pub(super) fn keeps(&mut self, number: u64) -> bool {
        match self.cut {
            Cut::Seeded => unreachable!("it was chosen when the power went"),
            Cut::LoseAll => false,
            Cut::KeepAll => true,
            Cut::Writes => Random::new(self.salt ^ number).coin(),
            Cut::Sectors => self.random.below(8) < self.odds,
            Cut::InOrder => number < self.edge || (number == self.edge && self.random.coin()),
        }
    }

    /// Which of the lengths from `from` to `to` a grown file has; the end of a sector if none of the two.
    pub(super) fn length(&mut self, number: u64, from: usize, to: usize) -> usize {
        match (self.cut, self.random.below(4)) {
            (Cut::Sectors | Cut::InOrder, 0) if from < to => {
                let between = from + self.random.below((to - from) as u64) as usize;
                between.next_multiple_of(super::SECTOR).min(to)
            }
            _ if self.keeps(number) => to,
            _ => from,
        }
    }
}
