//! Where results go: a database that takes each output once, under its name, in one transaction.

use std::path::Path;
use std::time::Duration;

use headwater::checkpoint::journal::OutputId;
use rusqlite::{Connection, Transaction, params};

use crate::Result;
use crate::text::Counts;

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
    Now,
    /// It was there already, of this attempt, and of the same input or of another.
    Before {
        attempt: u64,
        same_input: bool,
    },
}

/// The database.
pub(crate) struct Sink {
    db: Connection,
    /// Outputs are published under their names. Otherwise each attempt counts.
    keyed: bool,
}

impl Sink {
    pub(crate) fn open(file: &Path, keyed: bool) -> Result<Sink> {
        let db = Connection::open(file)?;
        db.busy_timeout(Duration::from_secs(10))?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS outputs (
                 batch INTEGER, partition INTEGER, attempt INTEGER, input TEXT, PRIMARY KEY (batch, partition)
             );
             CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY, count INTEGER);
             CREATE TABLE IF NOT EXISTS records (partition INTEGER, first INTEGER, behind INTEGER);",
        )?;
        Ok(Sink { db, keyed })
    }

    /// Publishes an output, unless it was published before: its name and its result become visible together or not at all.
    pub(crate) fn publish(&mut self, id: OutputId, attempt: u64, output: &Output) -> Result<Published> {
        let input = format!("{:?}", output.runs);
        let name = [id.batch.0 as i64, i64::from(id.partition)];
        let transaction = self.db.transaction()?;
        let insert = "INSERT OR IGNORE INTO outputs VALUES (?, ?, ?, ?)";
        let is_new = transaction.execute(insert, params![name[0], name[1], attempt as i64, input])? == 1;
        if !is_new && self.keyed {
            let select = "SELECT attempt, input FROM outputs WHERE batch = ? AND partition = ?";
            let (first, its): (i64, String) =
                transaction.query_row(select, name, |row| Ok((row.get(0)?, row.get(1)?)))?;
            return Ok(Published::Before { attempt: first as u64, same_input: its == input });
        }
        add(&transaction, output)?;
        transaction.commit()?;
        Ok(Published::Now)
    }

    /// Everything that has come out: the words, and which records of a partition.
    pub(crate) fn all(&self) -> Result<(Counts, Vec<Records>)> {
        let mut words = self.db.prepare("SELECT word, count FROM words")?;
        let words = words.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        let mut runs = self
            .db
            .prepare("SELECT partition, first, behind FROM records ORDER BY partition, first, behind")?;
        let run = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64))
        };
        let runs = runs.query_map([], run)?.collect::<rusqlite::Result<_>>()?;
        Ok((words.collect::<rusqlite::Result<_>>()?, runs))
    }
}

fn add(transaction: &Transaction<'_>, output: &Output) -> Result<()> {
    let upsert = "INSERT INTO words VALUES (?1, ?2) ON CONFLICT (word) DO UPDATE SET count = count + ?2";
    let mut upsert = transaction.prepare(upsert)?;
    for (word, count) in &output.counts {
        upsert.execute(params![word, *count as i64])?;
    }
    let mut insert = transaction.prepare("INSERT INTO records VALUES (?, ?, ?)")?;
    for (partition, first, behind) in &output.runs {
        insert.execute(params![partition, *first as i64, *behind as i64])?;
    }
    Ok(())
}
