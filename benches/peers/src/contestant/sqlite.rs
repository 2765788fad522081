//! SQLite in WAL mode. With `synchronous=FULL` every commit syncs; `OFF` leaves that to the kernel. One connection, which
//! threads take in turn: SQLite has one writer at a time, and connections share no syncs.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use rusqlite::Connection;

use super::batched::Groups;
use super::{Appends, Reads, Replays, Seen, Setup, Visit};
use crate::Result;

const INSERT: &str = "INSERT INTO records (record) VALUES (?1)";

/// How many records a filled database got in a transaction.
const RECORDS_A_TRANSACTION: u64 = 4096;

fn open(dir: &Path, synchronous: &str) -> Result<Connection> {
    let connection = Connection::open(dir.join("log.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute(
        "CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY, record BLOB NOT NULL)",
        [],
    )?;
    Ok(connection)
}

/// A database that is appended to.
#[derive(Debug)]
pub(super) struct Sqlite {
    connection: Mutex<Connection>,
    sync: bool,
}

impl Sqlite {
    pub(super) fn open(setup: &Setup, sync: bool) -> Result<Sqlite> {
        let connection = open(&setup.dir, if sync { "FULL" } else { "OFF" })?;
        Ok(Sqlite { connection: Mutex::new(connection), sync })
    }

    fn connection(&self) -> Result<MutexGuard<'_, Connection>> {
        Ok(self.connection.lock().map_err(|_| "another appending thread panicked")?)
    }
}

impl Appends for Sqlite {
    fn append(&self, _: usize, record: &Bytes) -> Result<()> {
        self.connection()?.prepare_cached(INSERT)?.execute([&record[..]])?;
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        (!self.sync).then_some(0)
    }
}

impl Groups for Sqlite {
    fn write(&self, records: &[u8], ends: &[usize]) -> Result<()> {
        let mut connection = self.connection()?;
        let transaction = connection.transaction()?;
        let mut begin = 0;
        for end in ends {
            transaction.prepare_cached(INSERT)?.execute([&records[begin..*end]])?;
            begin = *end;
        }
        Ok(transaction.commit()?)
    }

    fn syncs(&self) -> Option<u64> {
        Appends::syncs(self)
    }
}

pub(super) fn fill(setup: &Setup, records: u64) -> Result<()> {
    let mut connection = open(&setup.dir, "FULL")?;
    for first in (0..records).step_by(RECORDS_A_TRANSACTION as usize) {
        let transaction = connection.transaction()?;
        for number in first..records.min(first + RECORDS_A_TRANSACTION) {
            transaction.prepare_cached(INSERT)?.execute([&setup.payloads.of(number)[..]])?;
        }
        transaction.commit()?;
    }
    Ok(connection.close().map_err(|(_, error)| error)?)
}

/// A database that was filled, opened again.
#[derive(Debug)]
pub(super) struct Filled {
    connection: Connection,
}

impl Filled {
    pub(super) fn open(setup: &Setup) -> Result<Filled> {
        Ok(Filled { connection: open(&setup.dir, "FULL")? })
    }
}

impl Replays for Filled {
    fn replay(&mut self, mut seen: Seen) -> Result<Seen> {
        let mut select = self.connection.prepare_cached("SELECT record FROM records ORDER BY number")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            seen.see(row.get_ref(0)?.as_blob()?)?;
        }
        Ok(seen)
    }
}

impl Reads for Filled {
    fn read(&mut self, numbers: &[u64], visit: Visit<'_>) -> Result<()> {
        let mut select = self.connection.prepare_cached("SELECT record FROM records WHERE number = ?1")?;
        for number in numbers {
            // The first row that SQLite numbers is 1.
            let mut rows = select.query([*number as i64 + 1])?;
            let row = rows.next()?.ok_or_else(|| format!("record {number} is not there"))?;
            visit(row.get_ref(0)?.as_blob()?)?;
        }
        Ok(())
    }
}
