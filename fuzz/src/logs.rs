//! Whole logs: folders with anything done to their files, and lives of any operations with crashes between them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use headwater_wal::store::sim::{Fault, Op, Sim, SimClock, When};
use headwater_wal::{Compression, Depth, Handle, Log, Options, Position, Reader, Ticket, Time, look};

use crate::{lay, take};

fn options() -> Options {
    Options::default()
        .segment_bytes(8 << 10)
        .record_bytes_max(8 << 10)
        .group_bytes_max(1 << 10)
        .in_flight_bytes_max(0)
        .compression(Compression::Off)
}

fn start(sim: &Sim, clock: &Arc<SimClock>) -> headwater_wal::Result<Log> {
    Log::open_with(sim.store(), options(), clock.clone())?.start_stepped(Position::START)
}

fn payload(number: u64) -> Bytes {
    let len = 8 + (number % 7 * 150) as usize;
    Bytes::from(number.to_le_bytes().into_iter().cycle().take(len).collect::<Vec<u8>>())
}

/// A log as files, and what was appended to it.
struct Written {
    files: BTreeMap<String, Vec<u8>>,
    records: Vec<(Handle, Bytes)>,
}

/// Two small logs, one of each shape: three lives, the last one not closed.
fn written(grows: bool) -> &'static Written {
    static LOGS: [OnceLock<Written>; 2] = [OnceLock::new(), OnceLock::new()];
    LOGS[usize::from(grows)].get_or_init(|| {
        let sim = if grows { Sim::growing(1) } else { Sim::objects(1) };
        let (clock, mut records) = (Arc::new(SimClock::new(1)), Vec::new());
        for life in 0..3 {
            let log = start(&sim, &clock).expect("a log");
            for number in 0..if grows { 12 } else { 4 } {
                let payload = payload(life * 100 + number);
                let handle =
                    log.append(Time(number), payload.clone()).and_then(Ticket::wait).expect("a record");
                records.push((handle, payload));
            }
            if life == 2 {
                sim.process_crash();
            }
        }
        let files = sim.names().into_iter().map(|name| (name.clone(), sim.read_raw(&name))).collect();
        Written { files, records }
    })
}

/// Does to the files of a log what the bytes ask for; then whatever can be asked of it answers, and never with a record
/// that was not appended.
pub fn directory(bytes: &[u8]) {
    let ([shape], mut orders) = take(bytes);
    let grows = shape % 2 == 0;
    let written = written(grows);
    let sim = if grows { Sim::growing(2) } else { Sim::objects(2) };
    written.files.iter().for_each(|(name, bytes)| sim.write_raw(name, bytes));
    for _ in 0..16 {
        let ([what, file, value], rest) = take(orders);
        let (at, rest) = take::<2>(rest);
        let at = usize::from(u16::from_le_bytes(at));
        orders = rest;
        let names = sim.names();
        let Some(name) = names.get(usize::from(file) % names.len().max(1)) else { break };
        let mut file = sim.read_raw(name);
        let offset = at % file.len().max(1);
        match what % 8 {
            0 => break,
            1 => file.iter_mut().skip(offset).take(1).for_each(|byte| *byte ^= value | 1),
            2 => file.iter_mut().skip(offset).take(usize::from(value)).for_each(|byte| *byte = 0),
            3 => file.truncate(offset),
            4 => file.resize(file.len() + usize::from(value), value),
            5 => file.clear(),
            6 => {
                sim.write_raw(&format!("{at:020}.wal"), &lay::lay(orders));
                continue;
            }
            _ => {
                sim.remove_file(name);
                if value % 2 == 0 {
                    sim.write_raw(&format!("{:020}.wal", at * 8), &file);
                }
                continue;
            }
        }
        sim.write_raw(name, &file);
    }
    let known = |payload: &Bytes| written.records.iter().any(|(_, appended)| appended == payload);
    let before: Vec<_> = sim.names().into_iter().map(|name| (sim.read_raw(&name), name)).collect();
    let _ = look(&*sim.store(), Position::START, Depth::Full).map(|survey| survey.to_string());
    let Ok(opened) = Log::open_with(sim.store(), options(), Arc::new(SimClock::new(3))) else { return };
    for record in opened.replay(Position::START).into_iter().flatten().flatten() {
        assert!(known(&record.payload), "a record that was never appended: {record:?}");
    }
    let reader = Reader::open(sim.store()).expect("a reader");
    for (handle, payload) in &written.records {
        let read = reader.read(handle);
        assert!(read.is_err() || read.is_ok_and(|record| record.payload == payload), "other bytes");
    }
    assert!(reader.follow(Position::START).take(100).flatten().all(|record| known(&record.payload)));
    let after: Vec<_> = sim.names().into_iter().map(|name| (sim.read_raw(&name), name)).collect();
    assert!(before == after, "looking changes nothing");
    let damages: Vec<_> = opened.survey().damages().iter().map(|damage| damage.range.clone()).collect();
    let opened = damages.into_iter().fold(opened, |opened, range| opened.accept_loss(range));
    let Ok(log) = opened.start_stepped(Position::START) else { return };
    let fresh = Bytes::from_static(b"it goes on");
    let handle = log.append(Time(1), fresh.clone()).and_then(Ticket::wait).expect("a started log goes on");
    assert_eq!(log.read(&handle).expect("what was acknowledged is there").payload, fresh);
    for record in log.replay(Position::START).expect("a replay").flatten() {
        assert!(known(&record.payload) || record.payload == fresh, "never appended: {record:?}");
    }
}

/// Lives a log as the bytes ask for, with crashes: what was acknowledged and not retired is there, in order, and what
/// was not appended is not.
pub fn operations(bytes: &[u8]) {
    let ([shape, seed], orders) = take(bytes);
    let sim = if shape % 2 == 0 { Sim::growing(u64::from(seed)) } else { Sim::objects(u64::from(seed)) };
    let clock = Arc::new(SimClock::new(u64::from(seed)));
    let mut number = 0;
    let mut acked: BTreeMap<Position, u64> = BTreeMap::new();
    let mut open: Option<(Log, Vec<(u64, Ticket)>)> = None;
    for order in orders.iter().take(64).chain([&7]) {
        match order % 8 {
            0..=2 => {
                let Some((log, tickets)) = &mut open else {
                    open = start(&sim, &clock).ok().map(|log| (log, Vec::new()));
                    continue;
                };
                number += 1;
                tickets.extend(log.append(Time(number), payload(number)).ok().map(|ticket| (number, ticket)));
            }
            3 => {
                let waited = open.iter_mut().flat_map(|(_, tickets)| tickets.drain(..));
                let answered =
                    waited.filter_map(|(number, ticket)| Some((ticket.wait().ok()?.position(), number)));
                acked.extend(answered.collect::<Vec<_>>());
            }
            4 => drop(open.as_ref().map(|(log, _)| log.seal())),
            5 => {
                if let Some(retired) = open.as_ref().and_then(|(log, _)| log.retire_before(Time::MAX).ok()) {
                    acked.retain(|position, _| *position >= retired.begins);
                }
            }
            6 => {
                let fault = [Fault::Error, Fault::Full, Fault::Crash][usize::from(order / 8) % 3];
                let op = [Op::Write, Op::Sync, Op::Put, Op::Link][usize::from(order / 24) % 4];
                sim.plan(When::nth(1 + u64::from(order / 96)).of(op), fault);
            }
            _ => {
                // A retirement whose answer was lost may have taken effect.
                drop(open.take_if(|_| order / 8 % 2 == 0));
                sim.power_cut();
                drop(open.take());
                sim.calm();
                sim.land_all();
                let log = start(&sim, &clock).expect("a crash does no damage");
                let begins = log.range().start;
                acked.retain(|position, _| *position >= begins);
                let replay = log.replay(Position::START).expect("a replay");
                let found: BTreeMap<Position, u64> = replay
                    .map(|record| {
                        let record = record.expect("a record");
                        let mut number = [0; 8];
                        number.copy_from_slice(&record.payload[..8]);
                        let number = u64::from_le_bytes(number);
                        assert_eq!(record.payload, payload(number), "the bytes that were appended");
                        (record.position(), number)
                    })
                    .collect();
                assert!(found.values().is_sorted(), "in order: {found:?}");
                assert!(
                    acked.iter().all(|(at, number)| found.get(at) == Some(number)),
                    "{acked:?} {found:?}"
                );
                acked = found;
                open = Some((log, Vec::new()));
            }
        }
    }
}
