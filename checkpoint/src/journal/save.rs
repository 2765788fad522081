//! Saved states: this page is the specification of their bytes, version 1, and its only statement.
//!
//! A saved state is a stream of pieces. It is written and read in bounded memory, whatever it holds, and a piece is
//! believed only once it has verified. All integers are little-endian.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 4 | check | CRC-32C of the check of the piece before (0 for the first one), the length and the payload |
//! | 4 | 4 | length | of the payload: at most 65536; 0: this is the last piece |
//! | 8 | | payload | |
//!
//! The payloads one behind the other are these fields, wherever a piece ends:
//!
//! | bytes | field | |
//! |---|---|---|
//! | 8 | magic | `89 48 57 4A 53 54 0D 0A` |
//! | 2, 6 | version, zero | 1 |
//! | 8 | events | how many made the state |
//! | 8 | logs | how many follow, in ascending order |
//! | 64 each | log | stream (4), receiver (4), identity (8), settled position or none (8), retires below (8), needed from (8), ordinal of the first block that no batch has (8), ordinal of the next block (8), zero (8) |
//! | 8 | journal retires | below this |
//! | 8 | ends | how many follow, in ascending order |
//! | 16 each | end | stream (4), partition (4), end (8) |
//! | 8 | batches | how many unfinished ones follow, in ascending order |
//! | | batch | batch (8), since (8), count of runs (4), count of direct ranges (4); each run as in the [event] and the ordinal of its first block (48); each direct range as there (24) |
//! | 8, 8 | newest | 1 and the newest batch that was allotted; or 0 and 0 |
//! | 8 | forgotten | ended batches below may have been |
//! | 8 | accounts | how many follow, in ascending order |
//! | | account | batch (8), standing (8: 0 pending, 1 finished, 2 given up), number of the event that ended it, or 0 (8), count of outputs (8); each output, in ascending order: partition (4), zero (4), attempt (8) |
//! | | blocks | of each log in order, and by ordinal: the blocks of unfinished batches and those that no batch has, each as the [event] has it behind its receiver |
//!
//! It is valid if
//! - S1: the stream holds every piece that it begins, and ends behind its last piece;
//! - S2: lengths are at most 65536;
//! - S3: every check is right;
//! - S4: the magic is right and the version is 1 (a greater one is "unsupported");
//! - S5: what is called zero is zero, what is said to ascend does, and every block, run and range is a valid one;
//! - S6: the runs of a log do not overlap and end below the first block that no batch has, which is at or below the
//!   next one; their first and last positions are those of their blocks, positions go up with ordinals, and none is
//!   behind the last settled one; needed from is what the log's blocks say;
//! - S7: the batches are the accounts that are pending, none is behind the newest, and none ended by an event that is
//!   still to come.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use headwater_wal::{Error, Kind, Position, Result};

use super::batch::{BatchId, Run, Taken};
use super::block::{BODY_BYTES, Block, ReceiverLog, body_need};
use super::event::{self, DIRECT_RANGES_MAX, RUNS_MAX};
use super::fields::{put_position, put_u32, put_u64};
use super::ledger::{Account, Ending, Ledger};
use super::need::Need;
use super::queue::Queue;
use super::sealed::{Sealing, Unsealing, damaged};
use super::state::State;
use super::tracker::{Received, Tracker};

const MAGIC: [u8; 8] = *b"\x89HWJST\r\n";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 32;
const LOG_BYTES: usize = 64;
const RUN_BYTES: usize = 48;
const DIRECT_BYTES: usize = 24;

impl State {
    /// Saves the state: the same state always gives the same bytes.
    ///
    /// `Unavailable`: what it is written to has failed.
    pub fn save(&self, to: &mut dyn Write) -> Result<()> {
        let mut to = Sealing::new(to);
        put_head(self, &mut to)?;
        put_tracker(&self.tracker, &mut to)?;
        put_ledger(&self.ledger, &mut to)?;
        let lives = lives(&self.tracker);
        for (log, received) in &self.tracker.logs {
            for (from, blocks) in lives.get(log).into_iter().flatten() {
                let stretch = received.queue.stretch(*from, *blocks);
                stretch.bodies().try_for_each(|body| to.put(body))?;
            }
        }
        to.end()
    }

    /// Restores a saved state.
    ///
    /// `Damaged`: it is not one, or not what was saved. `Unsupported`: of a newer release. `Unavailable`: what it is read
    /// from has failed.
    pub fn restore(from: &mut dyn Read) -> Result<State> {
        let mut from = Unsealing::new(from);
        let head = take_head(&mut from)?;
        let mut tracker = take_tracker(&mut from)?;
        let ledger = take_ledger(&mut from)?;
        is_coherent(head.events, &tracker, &ledger).ok_or_else(unsound)?; // S7
        let lives = lives_of(&head.logs, &tracker).ok_or_else(unsound)?; // S6
        for (log, saved) in &head.logs {
            let queue = take_queue(&mut from, *log, saved, &lives[log])?;
            tracker.pending_bytes += queue.bytes();
            let received = Received { settled: saved.settled, retires: saved.retires, queue };
            tracker.logs.insert(*log, received);
        }
        from.end()?; // S1
        let state = State { events: head.events, tracker, ledger };
        is_as_said(&head, &state).ok_or_else(unsound)?; // S6
        Ok(state)
    }
}

impl State {
    /// How many events made a saved state, and what it needs. That is at its beginning; the rest is not read.
    pub fn outline(from: &mut dyn Read) -> Result<(u64, Need)> {
        let head = take_head(&mut Unsealing::new(from))?;
        let need = head.logs.into_iter().map(|(log, saved)| (log, saved.needed)).collect();
        Ok((head.events, Need(need)))
    }
}

struct Head {
    events: u64,
    logs: BTreeMap<ReceiverLog, Saved>,
}

struct Saved {
    settled: Option<Position>,
    retires: Position,
    needed: Position,
    taken: u64,
    next: u64,
}

/// By log, what of its blocks is not done with: ordinals and counts, in ascending order.
type Lives = BTreeMap<ReceiverLog, Vec<(u64, u64)>>;

fn lives(tracker: &Tracker) -> Lives {
    let waits = |received: &Received| (received.queue.taken(), received.queue.waiting());
    let mut lives: Lives = tracker.logs.iter().map(|(&log, received)| (log, vec![waits(received)])).collect();
    for (run, from) in tracker.batches.values().flat_map(|taken| &taken.runs) {
        lives.entry(run.log).or_default().push((*from, run.blocks));
    }
    lives.values_mut().for_each(|runs| runs.sort_unstable());
    lives
}

fn put_head(state: &State, to: &mut Sealing<'_>) -> Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 6]);
    put_u64(&mut bytes, state.events);
    put_u64(&mut bytes, state.tracker.logs.len() as u64);
    to.put(&bytes)?;
    let need = state.tracker.need();
    for (&log, received) in &state.tracker.logs {
        bytes.clear();
        event::put_log(&mut bytes, log);
        put_position(&mut bytes, received.settled);
        put_u64(&mut bytes, received.retires.0);
        put_u64(&mut bytes, need.from(log).0);
        put_u64(&mut bytes, received.queue.taken());
        put_u64(&mut bytes, received.queue.next());
        put_u64(&mut bytes, 0);
        to.put(&bytes)?;
    }
    Ok(())
}

fn take_head(from: &mut Unsealing<'_>) -> Result<Head> {
    let fields = &mut from.take(HEADER_BYTES)?;
    if fields.bytes(MAGIC.len()) != Some(&MAGIC) {
        return Err(damaged("not a saved state")); // S4
    }
    let version = fields.u16();
    if version.is_some_and(|version| version > VERSION) {
        let message = format!("a state saved by a newer release: version={version:?}");
        return Err(Error::new(Kind::Unsupported, message)); // S4
    }
    let sound = version == Some(VERSION) && fields.zeros(6).is_some();
    let (Some(events), Some(count), true) = (fields.u64(), fields.u64(), sound) else {
        return Err(unsound()); // S4, S5
    };
    let mut logs = BTreeMap::new();
    for _ in 0..count {
        let fields = &mut from.take(LOG_BYTES)?;
        let mut one = || {
            let log = event::take_log(fields)?;
            let settled = fields.position_or_none()?;
            let (retires, needed) = (fields.position()?, fields.position()?);
            let (taken, next) = (fields.u64()?, fields.u64()?);
            fields.zeros(8)?;
            Some((log, Saved { settled, retires, needed, taken, next }))
        };
        let (log, saved) = one().ok_or_else(unsound)?;
        insert(&mut logs, log, saved)?;
    }
    Ok(Head { events, logs })
}

/// The tracker but for its logs.
fn put_tracker(tracker: &Tracker, to: &mut Sealing<'_>) -> Result<()> {
    let mut bytes = Vec::new();
    put_u64(&mut bytes, tracker.journal_retires.0);
    put_u64(&mut bytes, tracker.ends.values().map(|ends| ends.0.len() as u64).sum());
    to.put(&bytes)?;
    for (stream, ends) in &tracker.ends {
        for (partition, end) in &ends.0 {
            bytes.clear();
            put_u32(&mut bytes, *stream);
            put_u32(&mut bytes, *partition);
            put_u64(&mut bytes, *end);
            to.put(&bytes)?;
        }
    }
    to.put(&(tracker.batches.len() as u64).to_le_bytes())?;
    for (batch, taken) in &tracker.batches {
        bytes.clear();
        put_u64(&mut bytes, batch.0);
        put_u64(&mut bytes, taken.since.0);
        put_u32(&mut bytes, taken.runs.len() as u32);
        put_u32(&mut bytes, taken.direct.len() as u32);
        for (run, from) in &taken.runs {
            event::put_run(&mut bytes, run);
            put_u64(&mut bytes, *from);
        }
        taken.direct.iter().for_each(|direct| event::put_direct(&mut bytes, direct));
        to.put(&bytes)?;
    }
    Ok(())
}

fn take_tracker(from: &mut Unsealing<'_>) -> Result<Tracker> {
    let mut tracker = Tracker::default();
    let fields = &mut from.take(16)?;
    let (retires, ends) = (fields.position().ok_or_else(unsound)?, fields.u64().unwrap_or(0));
    tracker.journal_retires = retires;
    let mut last = None;
    for _ in 0..ends {
        let fields = &mut from.take(16)?;
        let place = (fields.u32().unwrap_or(0), fields.u32().unwrap_or(0));
        let end = fields.u64().unwrap_or(0);
        if last.replace(place).is_some_and(|last| last >= place) {
            return Err(unsound()); // S5
        }
        tracker.ends.entry(place.0).or_default().0.push((place.1, end));
    }
    let batches = from.take(8)?.u64().unwrap_or(0);
    for _ in 0..batches {
        let (batch, taken) = take_batch(from)?;
        insert(&mut tracker.batches, batch, Arc::new(taken))?;
    }
    Ok(tracker)
}

fn take_batch(from: &mut Unsealing<'_>) -> Result<(BatchId, Taken)> {
    let fields = &mut from.take(24)?;
    let (batch, since) = (BatchId(fields.u64().unwrap_or(0)), BatchId(fields.u64().unwrap_or(0)));
    let (runs, direct) = (fields.u32().unwrap_or(0) as usize, fields.u32().unwrap_or(0) as usize);
    if since > batch || runs > RUNS_MAX || direct > DIRECT_RANGES_MAX {
        return Err(unsound()); // S5
    }
    let mut taken = Taken { since, runs: Vec::new(), direct: Vec::new() };
    for _ in 0..runs {
        let fields = &mut from.take(RUN_BYTES)?;
        let run: Option<(Run, u64)> = event::take_run(fields).zip(fields.u64());
        taken.runs.push(run.ok_or_else(unsound)?);
    }
    for _ in 0..direct {
        let direct = event::take_direct(&mut from.take(DIRECT_BYTES)?);
        taken.direct.push(direct.ok_or_else(unsound)?);
    }
    let ascends = taken.runs.windows(2).all(|pair| pair[0].0.log < pair[1].0.log);
    if !ascends || !event::direct_in_order(&taken.direct) {
        return Err(unsound()); // S5
    }
    Ok((batch, taken))
}

fn put_ledger(ledger: &Ledger, to: &mut Sealing<'_>) -> Result<()> {
    let mut bytes = Vec::new();
    put_u64(&mut bytes, u64::from(ledger.newest.is_some()));
    put_u64(&mut bytes, ledger.newest.unwrap_or_default().0);
    put_u64(&mut bytes, ledger.forgotten.0);
    put_u64(&mut bytes, ledger.batches.len() as u64);
    to.put(&bytes)?;
    for (batch, account) in &ledger.batches {
        bytes.clear();
        let (standing, number) = match account.ended {
            None => (0, 0),
            Some((Ending::Finished, number)) => (1, number),
            Some((Ending::GivenUp, number)) => (2, number),
        };
        put_u64(&mut bytes, batch.0);
        put_u64(&mut bytes, standing);
        put_u64(&mut bytes, number);
        put_u64(&mut bytes, account.outputs.len() as u64);
        to.put(&bytes)?;
        for (partition, attempt) in &account.outputs {
            bytes.clear();
            put_u32(&mut bytes, *partition);
            put_u32(&mut bytes, 0);
            put_u64(&mut bytes, *attempt);
            to.put(&bytes)?;
        }
    }
    Ok(())
}

fn take_ledger(from: &mut Unsealing<'_>) -> Result<Ledger> {
    let fields = &mut from.take(32)?;
    let mut four = || Some([fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?]);
    let newest = match four() {
        Some([0, 0, forgotten, accounts]) => (None, forgotten, accounts),
        Some([1, newest, forgotten, accounts]) => (Some(BatchId(newest)), forgotten, accounts),
        _ => return Err(unsound()), // S5
    };
    let (newest, forgotten, accounts) = newest;
    let mut ledger = Ledger { batches: BTreeMap::new(), newest, forgotten: BatchId(forgotten) };
    for _ in 0..accounts {
        let fields = &mut from.take(32)?;
        let mut four = || Some([fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?]);
        let (batch, ended, outputs) = match four() {
            Some([batch, 0, 0, outputs]) => (batch, None, outputs),
            Some([batch, 1, number, outputs]) => (batch, Some((Ending::Finished, number)), outputs),
            Some([batch, 2, number, outputs]) => (batch, Some((Ending::GivenUp, number)), outputs),
            _ => return Err(unsound()), // S5
        };
        let mut account = Account { ended, outputs: BTreeMap::new() };
        for _ in 0..outputs {
            let fields = &mut from.take(16)?;
            let mut output = || {
                let partition = fields.u32()?;
                fields.zeros(4)?;
                Some((partition, fields.u64()?))
            };
            let (partition, attempt) = output().ok_or_else(unsound)?;
            insert(&mut account.outputs, partition, attempt)?;
        }
        insert(&mut ledger.batches, BatchId(batch), Arc::new(account))?;
    }
    Ok(ledger)
}

/// Condition S7.
fn is_coherent(events: u64, tracker: &Tracker, ledger: &Ledger) -> Option<()> {
    let pending = ledger.batches.iter().filter(|(_, account)| account.ended.is_none());
    let numbers = ledger.batches.values().filter_map(|account| account.ended);
    let sound = pending.map(|(batch, _)| batch).eq(tracker.batches.keys())
        && ledger.batches.keys().all(|&batch| Some(batch) <= ledger.newest)
        && numbers.map(|(_, number)| number).all(|number| number < events);
    sound.then_some(())
}

/// What of each log's blocks is saved, if the runs of the batches fit: the first half of condition S6.
fn lives_of(logs: &BTreeMap<ReceiverLog, Saved>, tracker: &Tracker) -> Option<Lives> {
    let mut lives: Lives = logs.keys().map(|&log| (log, Vec::new())).collect();
    for (run, from) in tracker.batches.values().flat_map(|taken| &taken.runs) {
        lives.get_mut(&run.log)?.push((*from, run.blocks));
    }
    for (log, runs) in &mut lives {
        runs.sort_unstable();
        let saved = &logs[log];
        let mut end = 0;
        for (from, blocks) in runs.iter() {
            if *from < end {
                return None;
            }
            end = from.checked_add(*blocks)?;
        }
        if end > saved.taken {
            return None;
        }
        runs.push((saved.taken, saved.next.checked_sub(saved.taken)?));
    }
    Some(lives)
}

fn take_queue(
    from: &mut Unsealing<'_>,
    log: ReceiverLog,
    saved: &Saved,
    lives: &[(u64, u64)],
) -> Result<Queue> {
    let mut queue = Queue::default();
    let mut last = None;
    for &(ordinal, blocks) in lives {
        queue.skip_to(ordinal);
        for _ in 0..blocks {
            let more = body_need(&from.take(BODY_BYTES)?).ok_or_else(unsound)?;
            let block = Block::take(log.stream, log.receiver, &mut from.take_more(more)?);
            let block = block.filter(|block| block.log() == log).ok_or_else(unsound)?; // S5
            let position = Some(block.position());
            if position <= last || position > saved.settled {
                return Err(unsound()); // S6
            }
            last = position;
            queue.push(&block);
        }
    }
    queue.set_taken(saved.taken);
    Ok(queue)
}

/// The second half of condition S6, which needs the blocks.
fn is_as_said(head: &Head, state: &State) -> Option<()> {
    let need = state.tracker.need();
    let logs = &state.tracker.logs;
    let ends = |run: &Run, from: u64| {
        let queue = &logs.get(&run.log)?.queue;
        Some(queue.ends_of(from, run.blocks) == (run.first, run.last))
    };
    let sound = head.logs.iter().all(|(&log, saved)| need.from(log) == saved.needed)
        && state
            .tracker
            .batches
            .values()
            .flat_map(|taken| &taken.runs)
            .all(|(run, from)| ends(run, *from) == Some(true));
    sound.then_some(())
}

/// Puts something behind all that is there; condition S5.
fn insert<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) -> Result<()> {
    if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
        return Err(unsound());
    }
    map.insert(key, value);
    Ok(())
}

fn unsound() -> Error {
    damaged("a saved state contradicts itself")
}
