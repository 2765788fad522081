//! The sections of a checkpoint in their order, and found by name.

use std::collections::HashMap;
use std::ops::{Deref, Range};

use crate::checkpoint::{Lies, Section};

/// Sections, of which no two have one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sections {
    list: Vec<Section>,
    by_name: HashMap<String, Place>,
    /// How much of the head they take.
    inside_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    index: usize,
    /// How much of the head the sections before it take.
    inside_before: u64,
}

impl Sections {
    /// None if two have one name.
    pub(crate) fn new(list: Vec<Section>) -> Option<Sections> {
        let mut sections = Sections { by_name: HashMap::with_capacity(list.len()), ..Sections::default() };
        for (index, section) in list.iter().enumerate() {
            let place = Place { index, inside_before: sections.inside_bytes };
            if sections.by_name.insert(section.name.clone(), place).is_some() {
                return None;
            }
            sections.inside_bytes += inside_bytes(section);
        }
        Some(Sections { list, ..sections })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Section> {
        self.by_name.get(name).map(|place| &self.list[place.index])
    }

    /// How much of the head they take.
    pub(crate) fn inside_bytes(&self) -> u64 {
        self.inside_bytes
    }

    /// Where in a head of so many bytes the section lies, if it lies inside.
    pub(crate) fn inside_at(&self, section: &Section, head_bytes: u64) -> Range<u64> {
        let before = self.by_name.get(&section.name).map_or(0, |place| place.inside_before);
        let begins = head_bytes - self.inside_bytes + before;
        begins..begins + inside_bytes(section)
    }
}

impl Deref for Sections {
    type Target = [Section];

    fn deref(&self) -> &[Section] {
        &self.list
    }
}

fn inside_bytes(section: &Section) -> u64 {
    match section.lies {
        Lies::Inside { stored, .. } => stored.into(),
        Lies::InParts { .. } => 0,
    }
}
