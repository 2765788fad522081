//! What a repair takes away, kept: a folder for each repair, with a manifest that says what was where, and why.

use std::collections::BTreeSet;

use bytes::Bytes;
use headwater_wal::format::name::QUARANTINE;
use headwater_wal::format::scan::HOLE_FROM_BYTES;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Error, Kind, Result};

use super::Action;
use super::overlay::{Overlay, len};
use crate::Step;

/// The name of the manifest in its folder: a line of JSON for each thing.
const MANIFEST: &str = "manifest.jsonl";

const FOLDER: &str = "repair-";

/// So much is copied into one file.
const PART_BYTES: u64 = 8 << 20;

/// The folder that a plan speaks of, before a repair has one.
pub(crate) fn planned() -> Result<Name> {
    Name::new(QUARANTINE)?.join("repair-planned")
}

/// The folder of a new repair: the first whose number is behind all others, or where none is behind, the first that is free.
/// What stands under such a name need not be a folder, nor come from a repair.
pub(crate) fn folder(store: &dyn Store) -> Result<Name> {
    let quarantine = Name::new(QUARANTINE)?;
    let mut taken: BTreeSet<u32> = BTreeSet::from([0]);
    for page in store.list(&quarantine)? {
        let numbers =
            page?.into_iter().filter_map(|entry| entry.name.strip_prefix(FOLDER)?.parse::<u32>().ok());
        taken.extend(numbers);
    }
    let free = || (1..u32::MAX).find(|number| !taken.contains(number));
    let number = taken.last().and_then(|last| last.checked_add(1)).or_else(free).unwrap_or(u32::MAX);
    quarantine.join(&format!("{FOLDER}{number:06}"))
}

/// Keeps everything that the steps write over or cut off, then says in the manifest what they do. All of it is durable on
/// return.
pub(crate) fn keep(store: &dyn Store, now: &mut Overlay, folder: &Name, steps: &[Step]) -> Result<()> {
    let mut keeping = Keeping { store, folder, lines: String::new() };
    for (at, step) in steps.iter().enumerate() {
        for action in &step.actions {
            keeping.action(now, at + 1, step, action)?;
            now.apply(action, folder)?;
        }
    }
    put(store, &folder.join(MANIFEST)?, keeping.lines.into())
}

struct Keeping<'a> {
    store: &'a dyn Store,
    folder: &'a Name,
    lines: String,
}

impl Keeping<'_> {
    fn action(&mut self, now: &Overlay, step: usize, why: &Step, action: &Action) -> Result<()> {
        match action {
            Action::Rewrite { file, writes, len: cut } => {
                for (offset, bytes) in writes {
                    self.range(now, step, why, file, *offset, offset + bytes.len() as u64, "written over")?;
                }
                let file_len = len(now, file)?.unwrap_or(0);
                if let Some(cut) = cut.filter(|&cut| cut < file_len) {
                    let end = nonzero_end(now, file, cut, file_len)?;
                    self.range(now, step, why, file, cut, end, "cut off")?;
                }
            }
            Action::SetAside { file, leaf } => {
                let kept = format!("{}/{leaf}", self.folder);
                self.line(step, why, file, None, "moved", &kept);
            }
            Action::Return { leaf, file } => {
                let from = self.folder.join(leaf)?;
                self.line(step, why, &from, None, "moved", file.as_str());
            }
            Action::Move { from, to } => self.line(step, why, from, None, "moved", to.as_str()),
            Action::Remove { file } => self.line(step, why, file, None, "removed", ""),
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "a line of the manifest has as many columns")]
    fn range(
        &mut self,
        now: &Overlay,
        step: usize,
        why: &Step,
        file: &Name,
        from: u64,
        to: u64,
        done: &str,
    ) -> Result<()> {
        let mut at = from;
        while at < to {
            let bytes = now.read(file, at..to.min(at + PART_BYTES))?;
            if bytes.is_empty() {
                break; // there was nothing yet
            }
            let leaf = format!("{}.{step}.at-{at}", file.as_str().replace('/', "-"));
            let kept = self.folder.join(&leaf)?;
            let stated = (at, bytes.len() as u64, crc32c::crc32c(&bytes));
            at += bytes.len() as u64;
            put(self.store, &kept, bytes)?;
            self.line(step, why, file, Some(stated), done, kept.as_str());
        }
        Ok(())
    }

    fn line(
        &mut self,
        step: usize,
        why: &Step,
        file: &Name,
        bytes: Option<(u64, u64, u32)>,
        done: &str,
        kept: &str,
    ) {
        let bytes = bytes.map_or(String::new(), |(offset, len, check)| {
            format!(r#","offset":{offset},"len":{len},"crc32c":"{check:08x}""#)
        });
        let why = escaped(&why.what);
        let line = format!(
            r#"{{"step":{step},"file":"{file}"{bytes},"done":"{done}","kept":"{kept}","why":"{why}"}}"#
        );
        self.lines.push_str(&line);
        self.lines.push('\n');
    }
}

/// A text of ours inside a JSON string.
fn escaped(text: &str) -> String {
    text.chars().flat_map(char::escape_default).filter(|&c| c != '\'').collect()
}

/// Where the last byte ends that is not zero.
fn nonzero_end(store: &dyn Store, file: &Name, from: u64, to: u64) -> Result<u64> {
    let object = store.open(file)?;
    let (mut at, mut end) = (from, from);
    while at < to {
        if let Some(object) = object.as_ref().filter(|_| at - end >= HOLE_FROM_BYTES) {
            at = object.data_from(at)?;
        }
        let part = store.read(file, at..to.min(at + PART_BYTES).max(at))?;
        if part.is_empty() {
            break;
        }
        if let Some(last) = part.iter().rposition(|&byte| byte != 0) {
            end = at + last as u64 + 1;
        }
        at += part.len() as u64;
    }
    Ok(end)
}

/// Puts what is nobody else's. An answer that was lost is looked up.
pub(crate) fn put(store: &dyn Store, name: &Name, bytes: Bytes) -> Result<()> {
    match store.put(name, bytes.clone()) {
        Err(error) if matches!(error.kind(), Kind::Exists | Kind::Unknown) => {
            let there = store.read(name, 0..bytes.len() as u64 + 1);
            if there.is_ok_and(|there| there == bytes) {
                return Ok(());
            }
            let message =
                format!("another repair is at work here, or its answer was lost; plan again: name={name}");
            Err(Error::new(Kind::Unavailable, message).because(error))
        }
        other => other,
    }
}
