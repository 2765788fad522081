//! The sink: a PostgreSQL database that takes an output in one transaction, under its name, once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use headwater_checkpoint::journal::OutputId;
use postgres::error::SqlState;
use postgres::{Client, NoTls};

use crate::Result;
use crate::counts::Counts;

const TABLES: &str = "
    create table if not exists outputs (
        batch bigint, partition int, attempt bigint not null, primary key (batch, partition));
    create table if not exists words (
        word text primary key,
        count bigint not null, -- the sum of what was published
        state bigint not null); -- what the driver's own state said then
    create table if not exists counted (sequence bigint not null); -- each message, each time it was counted
";

/// So long a database is waited for that is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a partition of a batch gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// The messages that were counted.
    pub(crate) sequences: Vec<i64>,
    pub(crate) counts: Counts,
}

/// What became of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    Now,
    /// It was there: whoever published it was killed before it could record that, or did not hear of it.
    Before,
}

/// A connection to the database, made again whenever it breaks.
pub(crate) struct Sink {
    at: String,
    client: Option<Client>,
}

impl Sink {
    pub(crate) fn at(postgres: &str) -> Sink {
        Sink { at: postgres.into(), client: None }
    }

    pub(crate) fn make_tables(&mut self) -> Result<()> {
        self.until_there(|client| client.batch_execute(TABLES))
    }

    /// Publishes an output under its name. When the connection breaks nobody knows whether it was: it is published again,
    /// and its name tells.
    pub(crate) fn publish(
        &mut self,
        id: OutputId,
        attempt: u64,
        output: &Output,
        state: &Counts,
    ) -> Result<Published> {
        let (batch, partition) = (id.batch.0 as i64, id.partition as i32);
        let words: Vec<&str> = output.counts.0.keys().map(String::as_str).collect();
        let counts: Vec<i64> = output.counts.0.values().map(|&count| count as i64).collect();
        let states: Vec<i64> = words.iter().map(|&word| state.0[word] as i64).collect();
        self.until_there(|client| {
            let mut all = client.transaction()?;
            let name = "insert into outputs values ($1, $2, $3) on conflict do nothing";
            if all.execute(name, &[&batch, &partition, &(attempt as i64)])? == 0 {
                return Ok(Published::Before);
            }
            let add = "insert into words select * from unnest($1::text[], $2::bigint[], $3::bigint[])
                on conflict (word) do update set count = words.count + excluded.count, state = excluded.state";
            all.execute(add, &[&words, &counts, &states])?;
            all.execute("insert into counted select unnest($1::bigint[])", &[&output.sequences])?;
            all.commit()?;
            Ok(Published::Now)
        })
    }

    /// How many messages have been counted, one that was counted twice among them twice.
    pub(crate) fn counted(&mut self) -> Result<u64> {
        let count = self.until_there(|client| client.query_one("select count(*) from counted", &[]))?;
        Ok(count.get::<_, i64>(0) as u64)
    }

    /// How often each message was counted, by its number in the stream.
    pub(crate) fn times_counted(&mut self) -> Result<BTreeMap<u64, u64>> {
        let query = "select sequence, count(*) from counted group by sequence";
        let rows = self.until_there(|client| client.query(query, &[]))?;
        Ok(rows.iter().map(|row| (row.get::<_, i64>(0) as u64, row.get::<_, i64>(1) as u64)).collect())
    }

    /// For each word the sum of what was published, and the driver's own.
    pub(crate) fn words(&mut self) -> Result<(Counts, Counts)> {
        let rows = self.until_there(|client| client.query("select word, count, state from words", &[]))?;
        let column =
            |at: usize| Counts(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(at) as u64)).collect());
        Ok((column(1), column(2)))
    }

    /// Does something, again and again while the database is away.
    fn until_there<T>(
        &mut self,
        mut what: impl FnMut(&mut Client) -> Result<T, postgres::Error>,
    ) -> Result<T> {
        let since = Instant::now();
        loop {
            let done = match &mut self.client {
                Some(client) => what(client),
                none => match Client::connect(&self.at, NoTls) {
                    Ok(client) => what(none.insert(client)),
                    Err(error) => Err(error),
                },
            };
            let error = match done {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            self.client = None;
            if !is_away(&error) || since.elapsed() > PATIENCE {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether the database could not be reached, or is starting or ending; else it has found fault.
fn is_away(error: &postgres::Error) -> bool {
    const COMES_AND_GOES: [SqlState; 3] =
        [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    error.code().is_none_or(|code| COMES_AND_GOES.contains(code))
}
