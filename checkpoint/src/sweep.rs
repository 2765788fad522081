//! Removing what is kept no longer. Nothing here is needed for any promise but that litter is bounded: whatever fails is
//! tried again after the next checkpoint, and what a crash leaves is found by the next epoch's first sweep.
//!
//! A checkpoint that was published says which others are kept. So when it is there, all of these are litter: older heads
//! that it does not name; parts of older checkpoints that neither it nor any kept one names; claims of older epochs.
//! Nothing that is newer than it is touched: that may be a draft, a head whose outcome is not known, or an heir's.
//!
//! Heads go before parts. Where a power cut brings a removed head back, it is not among the kept ones, and goes again.

use std::collections::HashSet;

use headwater_wal::{Error, Kind, Result};

use crate::checkpoint::Id;
use crate::format::name::{self, Origin};
use crate::writer::Writer;

impl Writer {
    /// Why the last sweep left something; it is tried again after the next checkpoint, and until then only takes room.
    pub fn unswept(&self) -> Option<&Error> {
        self.unswept.as_ref()
    }

    /// Removes what is kept no longer, as each [`publish`](crate::Draft::publish) does by itself: for trying again sooner.
    /// Does nothing before this writer's first checkpoint.
    pub fn sweep(&mut self) -> Result<()> {
        let outcome = match self.published {
            Some(newest) => self.sweep_below(newest),
            None => Ok(()),
        };
        self.unswept = outcome.as_ref().err().cloned();
        outcome
    }

    pub(crate) fn sweep_or_note(&mut self) {
        // It is kept for whoever asks.
        let _ = self.sweep();
    }

    fn sweep_below(&mut self, newest: Id) -> Result<()> {
        let folder = self.checkpoints().folder()?;
        self.newest_is_ours(&folder)?;
        let store = self.checkpoints().store.clone();
        let kept: HashSet<Id> = self.kept().collect();
        for id in folder.heads.iter().filter(|id| **id < newest && !kept.contains(id)) {
            store.remove(&name::head(*id))?;
        }
        for epoch in folder.claims.iter().filter(|epoch| **epoch < self.owner.epoch) {
            store.remove(&name::claim(*epoch))?;
        }
        let named = self.named()?;
        let litter: Vec<(Origin, u32)> = self.litter.iter().map(|(of, count)| (*of, *count)).collect();
        for (of, count) in litter.into_iter().filter(|(of, _)| of.id < newest) {
            // What is named still is litter again once the last head that names it goes.
            if !named.contains(&of) {
                for ordinal in 0..count {
                    store.remove(&name::part(of, ordinal))?;
                }
            }
            self.litter.remove(&of);
        }
        if !self.swept_all {
            let mut litter = Vec::new();
            self.checkpoints().each_part(|of, ordinal, _| {
                if of.id < newest && !named.contains(&of) {
                    litter.push((of, ordinal));
                }
            })?;
            for (of, ordinal) in litter {
                store.remove(&name::part(of, ordinal))?;
            }
            self.swept_all = true;
        }
        Ok(())
    }

    /// Everything that the kept heads name. An error where one of them cannot be read: what it names is not known then.
    fn named(&mut self) -> Result<HashSet<Origin>> {
        let mut named = HashSet::new();
        let checkpoints = self.checkpoints().clone();
        for link in &mut self.links {
            if link.origins.is_none() {
                match checkpoints.get(link.id) {
                    Ok(checkpoint) => link.origins = Some(checkpoint.origins().collect()),
                    Err(error) if error.kind() == Kind::NotThere => link.origins = Some(Vec::new()),
                    Err(error) => return Err(error),
                }
            }
            named.extend(link.origins.iter().flatten().map(|(of, _)| *of));
        }
        Ok(named)
    }
}
