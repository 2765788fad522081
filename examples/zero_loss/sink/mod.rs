//! Where results go: each output once, under its name, whoever publishes it and however often.

mod database;
mod files;

use headwater::checkpoint::journal::OutputId;

use crate::Result;
use crate::options::SinkKind;
use crate::place::Place;
use crate::text::Counts;
use database::Database;
use files::Folder;

/// Records of a partition: the first one, and the one behind the last.
pub(crate) type Records = (u32, u64, u64);

/// What a batch gives.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The words of its records, counted.
    pub(crate) counts: Counts,
    /// Which records they were, in the order in which they were read.
    pub(crate) runs: Vec<Records>,
    /// Blocks that nobody has any more.
    pub(crate) lost_blocks: u64,
}

impl Output {
    pub(crate) fn records(&self) -> u64 {
        self.runs.iter().map(|(_, first, behind)| behind - first).sum()
    }

    /// Takes a record in.
    pub(crate) fn take<'a>(&mut self, partition: u32, number: u64, words: impl Iterator<Item = &'a str>) {
        match self.runs.last_mut() {
            Some((of, _, behind)) if *of == partition && *behind == number => *behind += 1,
            _ => self.runs.push((partition, number, number + 1)),
        }
        words.for_each(|word| crate::text::add(&mut self.counts, word, 1));
    }
}

/// What became of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// Now, by this attempt.
    Now { attempt: u64 },
    /// It was there already, of this attempt, and of the same input or of another.
    Before { attempt: u64, same_input: bool },
}

/// A sink of one kind or another.
pub(crate) enum Sink {
    Database(Database),
    Files(Folder),
}

impl Sink {
    /// The sink of a run at this place.
    pub(crate) fn open(kind: SinkKind, place: &Place) -> Result<Sink> {
        Ok(match kind {
            SinkKind::Files => Sink::Files(Folder::open(place.root(true).folder("results")?)),
            kind => {
                Sink::Database(Database::open(&place.dir().join("results.sqlite"), kind == SinkKind::Keyed)?)
            }
        })
    }

    /// Publishes an output, unless it was published before.
    pub(crate) fn publish(&mut self, id: OutputId, attempt: u64, output: &Output) -> Result<Published> {
        match self {
            Sink::Database(database) => database.publish(id, attempt, output),
            Sink::Files(files) => files.publish(id, output),
        }
    }

    /// Everything that has come out: the words, and which records, by partition and number.
    pub(crate) fn all(&self) -> Result<(Counts, Vec<Records>)> {
        match self {
            Sink::Database(database) => database.all(),
            Sink::Files(files) => files.all(),
        }
    }
}
