//! A database that takes each output once: its name and its result go in together, in one transaction.

use std::path::Path;
use std::time::Duration;

use headwater::checkpoint::journal::OutputId;
use rusqlite::{Connection, Transaction, params};

use super::{Output, Published, Records};
use crate::Result;
use crate::text::Counts;

/// The database.
pub(crate) struct Database {
    db: Connection,
    /// Outputs are published under their names. Otherwise each attempt counts.
    keyed: bool,
}

impl Database {
    pub(crate) fn open(file: &Path, keyed: bool) -> Result<Database> {
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
        Ok(Database { db, keyed })
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
        Ok(Published::Now { attempt })
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
