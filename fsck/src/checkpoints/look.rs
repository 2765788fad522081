//! Looking at a folder of checkpoints: list, read the heads, tick off the parts, judge.
//!
//! What this takes of memory grows with the parts that the heads name, what several share once, and not with their bytes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_checkpoint::{Checkpoint, Checkpoints, Id, Object};
use headwater_wal::store::{Name, Store, What};
use headwater_wal::{Error, Kind, Result};

use super::find;
use super::survey::{Head, Objects, State, Stated, Survey};

/// So many foreign names and findings of a severity are named; of the others it is known how many there are.
pub(super) const NAMED_MAX: usize = 100;

/// A writer that publishes all the time moves what is being looked at; after so many looks the last one counts.
const LOOKS_MAX: usize = 5;

/// A survey, and which parts the heads name.
pub(super) struct Look {
    pub(super) survey: Survey,
    pub(super) named: BTreeMap<Origin, Named>,
    /// The heads that there were before any was read.
    listed: Vec<Id>,
}

/// A section as it was first written: by which checkpoint, and as which one there.
pub(super) type Origin = (Id, u32);

/// What heads state of a section in parts.
pub(super) struct Named {
    /// Of each part: the length of the object, the checksum, and whether it is there with that length.
    pub(super) parts: Vec<(u32, u32, bool)>,
    /// Who names it, newest first.
    pub(super) by: Vec<Id>,
}

pub(super) fn origin(object: Object) -> Option<(Origin, u32)> {
    match object {
        Object::Part { of, section, part } => Some(((of, section), part)),
        Object::Claim(_) | Object::Head(_) => None,
    }
}

pub(super) fn look(store: &Arc<dyn Store>) -> Result<Look> {
    if !find::is_here(&**store)? {
        return Err(find::none(&**store)?);
    }
    let mut found = Look::once(store)?;
    for looks in 1.. {
        let calm = found.survey.heads.iter().all(|head| head.wrong.is_none()) && found.survey.gone.is_empty();
        if calm {
            break;
        }
        // What was pruned while it was looked at looks damaged, but then a newer one was put before.
        let there = Checkpoints::open(store.clone()).list()?;
        if there == found.listed {
            break;
        }
        if looks == LOOKS_MAX {
            found.survey.heads.retain(|head| head.wrong.is_none() || there.contains(&head.id));
            found.survey.gone.clear();
            break;
        }
        found = Look::once(store)?;
    }
    Ok(found)
}

impl Look {
    fn once(store: &Arc<dyn Store>) -> Result<Look> {
        let survey = Survey {
            place: store.place(),
            heads: Vec::new(),
            newest: None,
            claims: Vec::new(),
            all: Objects::default(),
            parts: Objects::default(),
            litter: Objects::default(),
            unfinished: Objects::default(),
            gone: Vec::new(),
            foreign: Vec::new(),
            foreign_count: 0,
        };
        let mut look = Look { survey, named: BTreeMap::new(), listed: Vec::new() };
        look.list_root(&**store)?;
        look.listed = look.survey.heads.iter().map(|head| head.id).collect();
        let mut chains = look.read_heads(store)?;
        let unnamed = look.list_parts(&**store)?;
        look.miss();
        let usable = |head: &Head| head.wrong.is_none();
        let newest = look.survey.heads.iter().rfind(|head| usable(head)).map(|head| head.id);
        look.survey.newest = newest;
        look.judge(newest.and_then(|newest| chains.remove(&newest)).unwrap_or_default());
        look.sum(&unnamed);
        Ok(look)
    }

    fn list_root(&mut self, store: &dyn Store) -> Result<()> {
        let mut heads = Vec::new();
        for page in store.list(&Name::ROOT)? {
            for entry in page? {
                match (entry.what, Object::parse(&entry.name)) {
                    (What::File(bytes), Some(Object::Head(id))) => heads.push((id, bytes)),
                    (What::File(bytes), Some(Object::Claim(epoch))) => {
                        self.survey.claims.push(epoch);
                        self.survey.all.add(Objects { count: 1, bytes });
                    }
                    (What::Folder, _) if entry.name == Object::PARTS => {}
                    _ => self.foreign("", &entry.name),
                }
            }
        }
        heads.sort_unstable();
        self.survey.claims.sort_unstable();
        self.survey.heads = heads
            .into_iter()
            .map(|(id, object_bytes)| Head {
                id,
                object_bytes,
                state: State::Damaged,
                stated: None,
                wrong: None,
            })
            .collect();
        Ok(())
    }

    /// Reads the heads, and gives the chain of each.
    fn read_heads(&mut self, store: &Arc<dyn Store>) -> Result<BTreeMap<Id, Vec<Id>>> {
        let checkpoints = Checkpoints::open(store.clone());
        let mut chains = BTreeMap::new();
        let mut found = Vec::new();
        // Newest first: where two heads differ about a part, the newer one is believed.
        for mut head in std::mem::take(&mut self.survey.heads).into_iter().rev() {
            match checkpoints.get(head.id) {
                Ok(checkpoint) => {
                    head.wrong = self.take_in(&checkpoint);
                    head.stated = Some(Stated::of(&checkpoint));
                    chains.insert(head.id, checkpoint.kept().to_vec());
                }
                Err(error) if error.kind() == Kind::NotThere => continue,
                Err(error) if matches!(error.kind(), Kind::Damaged | Kind::Unsupported) => {
                    head.wrong = Some(error);
                }
                Err(error) => return Err(error),
            }
            self.survey.all.add(Objects { count: 1, bytes: head.object_bytes });
            found.push(head);
        }
        found.reverse();
        self.survey.heads = found;
        Ok(chains)
    }

    /// Notes which parts the head names. Answers what is wrong with that.
    fn take_in(&mut self, checkpoint: &Checkpoint) -> Option<Error> {
        let mut wrong = None;
        for section in checkpoint.sections() {
            let Some(((of, _), name)) =
                section.objects().next().and_then(|(object, ..)| Some((origin(object)?, object.name())))
            else {
                continue;
            };
            let parts = section
                .objects()
                .map(|(_, bytes, check)| (u32::try_from(bytes).unwrap_or(u32::MAX), check, false));
            match self.named.get_mut(&of) {
                None => {
                    _ = self.named.insert(of, Named { parts: parts.collect(), by: vec![checkpoint.id()] })
                }
                Some(named) if named.parts.iter().copied().eq(parts) => {
                    // Two sections of one head may name the same.
                    if named.by.last() != Some(&checkpoint.id()) {
                        named.by.push(checkpoint.id());
                    }
                }
                Some(_) => {
                    let what =
                        "the head states other parts of a section than a newer checkpoint that shares it";
                    wrong = Some(Error::new(Kind::Damaged, what).at(name.as_str(), 0));
                }
            }
        }
        wrong
    }

    /// Ticks off the parts that are there, and sums up those that nobody names, by how many heads are older.
    fn list_parts(&mut self, store: &dyn Store) -> Result<Vec<Objects>> {
        let mut unnamed = vec![Objects::default(); self.survey.heads.len() + 1];
        for page in store.list(&Name::new(Object::PARTS)?)? {
            for entry in page? {
                let object = Object::parse(&format!("{}/{}", Object::PARTS, entry.name)).and_then(origin);
                let (What::File(bytes), Some((of, ordinal))) = (entry.what, object) else {
                    self.foreign("parts/", &entry.name);
                    continue;
                };
                self.survey.parts.add(Objects { count: 1, bytes });
                let named = self.named.get_mut(&of).and_then(|named| named.parts.get_mut(ordinal as usize));
                match named {
                    Some((len, _, there)) => *there = u64::from(*len) == bytes,
                    None => {
                        let older = self.survey.heads.partition_point(|head| head.id < of.0);
                        unnamed[older].add(Objects { count: 1, bytes });
                    }
                }
            }
        }
        self.survey.all.add(self.survey.parts);
        Ok(unnamed)
    }

    fn foreign(&mut self, folder: &str, name: &str) {
        self.survey.foreign_count += 1;
        if self.survey.foreign.len() < NAMED_MAX {
            self.survey.foreign.push(format!("{folder}{}", name.escape_default()));
        }
    }

    /// Tells the heads of their parts that are not there.
    fn miss(&mut self) {
        for ((of, section), named) in &self.named {
            let missing = named.parts.iter().filter(|(.., there)| !there).count();
            let Some(first) = named.parts.iter().position(|(.., there)| !there) else { continue };
            let part = Object::Part { of: *of, section: *section, part: first as u32 }.name();
            let what = match missing {
                1 => "a part of a section is not there, or not whole".to_owned(),
                count => format!("{count} parts of a section are not there, or not whole"),
            };
            for id in &named.by {
                let head = self.survey.heads.binary_search_by_key(id, |head| head.id);
                let Some(head) = head.ok().map(|at| &mut self.survey.heads[at]) else { continue };
                head.wrong.get_or_insert_with(|| Error::new(Kind::Damaged, &*what).at(part.as_str(), 0));
            }
        }
    }

    /// Says of each head what it is good for, by the chain of the newest.
    fn judge(&mut self, chain: Vec<Id>) {
        let newest = self.survey.newest;
        let kept: HashSet<Id> = chain.iter().copied().collect();
        let oldest = chain.last().copied().or(newest);
        for head in &mut self.survey.heads {
            let counts = newest.is_none_or(|newest| head.id >= newest) || kept.contains(&head.id);
            head.state = match &head.wrong {
                _ if !counts && Some(head.id) < oldest => State::LeftOver,
                _ if !counts => State::Dead,
                Some(error) if error.kind() == Kind::Unsupported => State::Unsupported,
                Some(_) => State::Damaged,
                None if Some(head.id) == newest => State::Newest,
                None => State::Kept,
            };
        }
        // One above the newest that cannot be read may have pruned what the newest had kept.
        if self.survey.heads.last().map(|head| head.id) == newest {
            let there: HashSet<Id> = self.survey.heads.iter().map(|head| head.id).collect();
            self.survey.gone = chain.into_iter().filter(|id| !there.contains(id)).collect();
        }
    }

    /// Sums up the parts that no head that counts names.
    fn sum(&mut self, unnamed: &[Objects]) {
        let survey = &mut self.survey;
        let older = survey.newest.map(|newest| survey.heads.partition_point(|head| head.id < newest));
        for (heads, objects) in unnamed.iter().enumerate() {
            match older.is_some_and(|older| heads <= older) {
                true => survey.litter.add(*objects),
                false => survey.unfinished.add(*objects),
            }
        }
        let counting: HashSet<Id> =
            survey.heads.iter().filter(|head| head.state.counts()).map(|head| head.id).collect();
        for named in self.named.values().filter(|named| !named.by.iter().any(|id| counting.contains(id))) {
            for (bytes, _, _) in named.parts.iter().filter(|(.., there)| *there) {
                survey.litter.add(Objects { count: 1, bytes: u64::from(*bytes) });
            }
        }
    }
}
