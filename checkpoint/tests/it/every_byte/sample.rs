//! A small folder of checkpoints, and what each byte of it is for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use headwater_checkpoint::Id;
use headwater_wal::store::{Memory, Name, Store};

use crate::fixture::*;

pub(crate) const OLDER: Id = Id { epoch: 1, number: 0 };
pub(crate) const NEWER: Id = Id { epoch: 1, number: 1 };

/// Two checkpoints, as files. The newer one shares the section `big` with the older one.
pub(crate) struct Sample {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What was handed in, by checkpoint and section.
    pub(crate) sections: BTreeMap<Id, Vec<(&'static str, Vec<u8>)>>,
}

/// What becomes of a checkpoint where a file is hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It is as it was.
    Whole,
    /// Its head does not verify.
    Unreadable,
    /// It is there, but for this section.
    Without(&'static str),
}

impl Sample {
    pub(crate) fn written() -> Sample {
        let store: Arc<dyn Store> = Arc::new(Memory::objects());
        let mut writer = start(&store, 1);
        let big = noise(1, 100);
        let older: Vec<(&str, Vec<u8>)> = vec![("big", big.clone()), ("small", b"tiny".to_vec())];
        let newer = vec![
            ("plain", [7; 60].to_vec()),
            ("big", big),
            ("empty", Vec::new()),
            ("one", b"in the head".to_vec()),
            ("two", b"beside it".to_vec()),
            ("own", noise(2, 70)),
        ];
        let mut sections = BTreeMap::new();
        for (id, content) in [(OLDER, older), (NEWER, newer)] {
            let shared = |name: &str| id == NEWER && name == "big";
            let given: Vec<_> =
                content.iter().map(|(name, bytes)| (*name, (!shared(name)).then_some(&bytes[..]))).collect();
            assert_eq!(publish(&mut writer, 1 + id.number, &given).unwrap(), id);
            sections.insert(id, content);
        }
        let read = |name: Name| (name.as_str().to_owned(), store.read(&name, 0..1 << 20).unwrap().to_vec());
        Sample { files: names(&store).into_iter().map(read).collect(), sections }
    }

    /// The same with one file changed.
    pub(crate) fn store(&self, hurt: &str, bytes: &[u8]) -> Memory {
        let memory = Memory::objects();
        for (name, whole) in &self.files {
            let bytes = if name == hurt { bytes } else { whole };
            memory.put(&Name::new(name.clone()).unwrap(), bytes.to_vec().into()).unwrap();
        }
        memory
    }

    /// What is to be found of a checkpoint, if this file has other bytes than it had: cut, or with a flip at the offset.
    pub(crate) fn expect(&self, id: Id, file: &str, flip: Option<usize>) -> Expected {
        let section = &file[file.len().min(48)..file.len().min(58)];
        match (file, flip) {
            _ if file.ends_with(".epoch") => Expected::Whole,
            _ if file == head(id).as_str() => match flip.and_then(|at| self.inside(id, at)) {
                Some(section) => Expected::Without(section),
                None => Expected::Unreadable,
            },
            _ if file.ends_with(".ckpt") => Expected::Whole,
            _ => {
                let of = if file.starts_with("parts/00000000000000000001-00000000000000000000-") {
                    OLDER
                } else {
                    NEWER
                };
                let name = self.sections[&of][section.parse::<usize>().unwrap()].0;
                if id == of || name == "big" { Expected::Without(name) } else { Expected::Whole }
            }
        }
    }

    /// The section inside the head that this byte belongs to.
    fn inside(&self, id: Id, at: usize) -> Option<&'static str> {
        let mut end = self.files[head(id).as_str()].len();
        self.sections[&id].iter().rev().filter(|(_, bytes)| bytes.len() <= 16).find_map(|(name, bytes)| {
            let range: Range<usize> = end - bytes.len()..end;
            end = range.start;
            range.contains(&at).then_some(*name)
        })
    }
}
