//! Removing what no checkpoint that counts needs: what the writer of checkpoints sweeps after its next one, where none
//! comes. The rules are that sweep's: nothing newer than the newest checkpoint is touched, so a draft is safe; heads go
//! before parts; and while a head that counts cannot be read, no part goes, for what it names is not known.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use headwater_checkpoint::{Id, Object};
use headwater_wal::store::{Append, Name, Store, What, locking};
use headwater_wal::{Error, Kind, Result};

use super::look::{Look, look, origin};
use super::survey::{Objects, State};

/// What a sweep of a folder of checkpoints would remove, or has removed. Displayed, it is a page for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    place: String,
    /// In the order in which they go: heads before parts.
    names: Vec<Name>,
    bytes: u64,
    /// Heads that count and cannot be read.
    unread: Vec<Id>,
}

/// Works out what can be removed. Nothing is written.
pub fn sweepable(store: &Arc<dyn Store>) -> Result<Sweep> {
    let found = look(store)?;
    let survey = &found.survey;
    let mut sweep = Sweep { place: store.place(), names: Vec::new(), bytes: 0, unread: Vec::new() };
    let Some(newest) = survey.newest else { return Ok(sweep) };
    for head in survey.heads.iter().filter(|head| head.id < newest) {
        match (head.state, &head.stated) {
            (State::LeftOver | State::Dead, _) => sweep.add(Object::Head(head.id).name(), head.object_bytes),
            (_, None) => sweep.unread.push(head.id),
            (_, Some(_)) => {}
        }
    }
    if sweep.unread.is_empty() {
        parts(&**store, &found, newest, &mut sweep)?;
    }
    Ok(sweep)
}

/// The parts of older checkpoints that no head that counts names.
fn parts(store: &dyn Store, found: &Look, newest: Id, sweep: &mut Sweep) -> Result<()> {
    let heads = found.survey.heads.iter().filter(|head| head.state.counts());
    let counting: HashSet<Id> = heads.clone().map(|head| head.id).collect();
    // Where two heads differ about the parts of a section, either may be right about how many there are.
    let count_is_known = heads.clone().all(|head| head.wrong.is_none());
    let folder = Name::new(Object::PARTS)?;
    for page in store.list(&folder)? {
        for entry in page? {
            let object = Object::parse(&format!("{}/{}", Object::PARTS, entry.name));
            let (What::File(bytes), Some((of, ordinal))) = (entry.what, object.and_then(origin)) else {
                continue;
            };
            let named = found.named.get(&of);
            let named = named.filter(|named| !count_is_known || (ordinal as usize) < named.parts.len());
            let is_needed = named.is_some_and(|named| named.by.iter().any(|id| counting.contains(id)));
            if of.0 < newest && !is_needed {
                sweep.add(folder.join(&entry.name)?, bytes);
            }
        }
    }
    Ok(())
}

/// Removes what a sweep has worked out. Nothing of it can be restored from, so nothing is kept.
///
/// `Locked`: somebody owns the folder. `Invalid`: the folder is not as it was; work it out again.
pub fn sweep(store: &Arc<dyn Store>, planned: &Sweep) -> Result<()> {
    let _own = locking(&**store).map(Append::own).transpose()?;
    if sweepable(store)? != *planned {
        let message = "the checkpoints are not as they were; nothing was removed; look again";
        return Err(Error::new(Kind::Invalid, message));
    }
    planned.names.iter().try_for_each(|name| store.remove(name))
}

impl Sweep {
    fn add(&mut self, name: Name, bytes: u64) {
        self.names.push(name);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// What goes, in order.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// Whether nothing can be removed.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many objects go, and how long they are together.
    pub fn objects(&self) -> Objects {
        Objects { count: self.names.len() as u64, bytes: self.bytes }
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Objects { count, bytes } = self.objects();
        writeln!(f, "{}: {count} objects of {bytes} bytes that no checkpoint needs", self.place)?;
        for name in &self.names {
            writeln!(f, "    {name}")?;
        }
        for id in &self.unread {
            writeln!(f, "    no parts go: the head of checkpoint {id} cannot be read, nor what it names")?;
        }
        Ok(())
    }
}
