//! Histories in which an earlier version lost something, said what was not so, or stopped for ever.

use std::sync::Arc;
use std::time::Duration;

use headwater_wal::store::sim::{Fault, Op, Sim, SimClock, When};
use headwater_wal::store::{Memory, Store};
use headwater_wal::{
    Compression, Handle, Kind, Log, Opened, Options, Position, Reader, Record, Result, Segment, Time,
    Unsettled,
};

fn small() -> Options {
    Options::default()
        .segment_bytes(16 << 10)
        .record_bytes_max(64 << 10)
        .group_bytes_max(4 << 10)
        .in_flight_bytes_max(0)
        .compression(Compression::Off)
}

fn open(store: &Arc<dyn Store>) -> Opened {
    Log::open(store.clone(), small()).unwrap()
}

fn start(store: &Arc<dyn Store>) -> Log {
    open(store).start_stepped(Position::START).unwrap()
}

/// Appends a record that is known by its time.
fn put(log: &Log, time: u64, len: usize) -> Handle {
    log.append(Time(time), vec![time as u8; len]).unwrap().wait().unwrap()
}

/// The times of records, and the kinds of what stands in the place of others.
fn times(records: impl Iterator<Item = Result<Record>>) -> Vec<Result<u64, Kind>> {
    records.map(|record| record.map(|record| record.time.0).map_err(|error| error.kind())).collect()
}

fn follow(store: &Arc<dyn Store>) -> Vec<Result<u64, Kind>> {
    times(Reader::open(store.clone()).unwrap().follow(Position::START).take(20))
}

fn data_segments(log: &Log) -> Vec<Segment> {
    log.chain().segments().iter().filter(|segment| !segment.begins_epoch).cloned().collect()
}

fn name(base: Position) -> String {
    format!("{:020}.wal", base.0)
}

/// A closed log of four sealed segments of two records each.
fn four_segments(sim: &Sim) -> (Vec<Handle>, Vec<Segment>) {
    let log = start(&sim.store());
    let mut handles = Vec::new();
    for time in 1..=4 {
        handles.push(put(&log, time, 9000));
        handles.push(put(&log, time + 10, 600));
        log.seal().unwrap();
    }
    let segments = data_segments(&log);
    log.close().unwrap();
    (handles, segments)
}

#[test]
fn groups_that_became_zeros_are_told_of_by_replay_and_follower() {
    let sim = Sim::growing(1);
    let store = sim.store();
    let log = start(&store);
    let handles: Vec<_> = (1..=4).map(|time| put(&log, time, 600)).collect();
    log.seal().unwrap();
    put(&log, 5, 600);
    let sealed = data_segments(&log)[0].clone();
    log.close().unwrap();
    drop(log);
    let third = (handles[2].position().since(sealed.base) - 48) as usize;
    sim.zero(&name(sealed.base), third..sealed.end.since(sealed.base) as usize);
    let want = [Ok(1), Ok(2), Err(Kind::Damaged), Ok(5)];
    assert_eq!(times(start(&store).replay(Position::START).unwrap()), want);
    assert_eq!(follow(&store), want);
}

#[test]
fn a_missing_segment_is_told_of_by_replay_and_follower() {
    let sim = Sim::growing(1);
    let store = sim.store();
    let (_, segments) = four_segments(&sim);
    sim.remove_file(&name(segments[1].base));
    let want = [Ok(1), Ok(11), Err(Kind::Damaged), Ok(3), Ok(13), Ok(4), Ok(14)];
    assert_eq!(times(open(&store).replay(Position::START).unwrap()), want);
    assert_eq!(follow(&store), want);
}

#[test]
fn a_missing_acknowledged_file_is_damage_and_never_certainly_not_there() {
    let sim = Sim::growing(1);
    let store = sim.store();
    let (handles, segments) = four_segments(&sim);
    let log = start(&store);
    sim.remove_file(&name(segments[1].base));
    let gone = handles.iter().find(|handle| handle.base() == segments[1].base).unwrap();
    assert_eq!(log.read(gone).unwrap_err().kind(), Kind::Damaged);
    assert_eq!(Reader::open(store).unwrap().read(gone).unwrap_err().kind(), Kind::Damaged);
    let unsettled = Unsettled::from_bytes(&gone.to_bytes()).unwrap();
    assert_eq!(log.settle(&unsettled).unwrap_err().kind(), Kind::Damaged);
}

#[test]
fn a_replay_gives_only_bytes_that_it_has_verified_itself() {
    let sim = Sim::growing(1);
    let options = small().record_bytes_max(1 << 20);
    let log = Log::open(sim.store(), options).unwrap().start_stepped(Position::START).unwrap();
    log.append(Time(1), vec![5; 900 << 10]).unwrap().wait().unwrap();
    for read in 1..12 {
        sim.calm();
        sim.plan(When::nth(read).of(Op::Read), Fault::Rot);
        for record in log.replay(Position::START).unwrap().flatten() {
            assert!(record.payload.iter().all(|&byte| byte == 5), "rot at read {read}");
        }
    }
}

#[test]
fn retiring_and_following_go_on_behind_an_accepted_loss() {
    let sim = Sim::growing(1);
    let store = sim.store();
    let (_, segments) = four_segments(&sim);
    sim.flip(&name(segments[1].base), segments[1].file_len as usize - 3, 1);
    let whole = Position::START..Position(u64::MAX);
    let log = open(&store).accept_loss(whole).start_stepped(Position::START).unwrap();
    put(&log, 99, 600);
    log.seal().unwrap();
    assert!(follow(&store).contains(&Ok(99)));
    log.retire_before(Time::MAX).unwrap();
    assert!(log.chain().segments().len() <= 2, "{:?}", log.chain().segments());
}

#[test]
fn all_of_a_cut_tail_is_kept_in_quarantine() {
    let sim = Sim::growing(1);
    let process = sim.process();
    let options = || small().segment_bytes(64 << 20).group_bytes_max(1 << 20).record_bytes_max(1 << 20);
    let log = Log::open(process.store(), options()).unwrap().start_stepped(Position::START).unwrap();
    let handles: Vec<_> = (0..30).map(|time| put(&log, time, 1 << 20)).collect();
    process.kill();
    drop(log);
    let file = name(handles[1].base());
    sim.flip(&file, handles[1].position().since(handles[1].base()) as usize + 50, 1);
    let used = sim.read_raw(&file).iter().rposition(|&byte| byte != 0).unwrap();
    let whole = Position::START..Position(u64::MAX);
    let opened = Log::open(sim.store(), options()).unwrap().accept_loss(whole);
    drop(opened.start_stepped(Position::START).unwrap());
    let quarantined = sim.names().into_iter().filter(|name| name.starts_with("quarantine/"));
    let kept: usize = quarantined.map(|name| sim.read_raw(&name).len()).sum();
    assert!(sim.read_raw(&file).len() + kept > used, "used={used} kept={kept}");
}

#[test]
fn a_log_starts_although_what_was_retired_cannot_be_removed() {
    for sim in [Sim::growing(1), Sim::objects(1)] {
        let store = sim.store();
        let log = start(&store);
        put(&log, 1, 600);
        log.seal().unwrap();
        put(&log, 2, 600);
        put(&log, 3, 600);
        sim.plan(When::from(1).of(Op::Remove), Fault::Error);
        assert!(log.retire_before(Time::MAX).unwrap().left > 0);
        drop(log);
        assert!(start(&store).untidied().is_some());
        sim.calm();
        assert!(start(&store).untidied().is_none());
    }
}

#[test]
fn a_restart_confirms_no_jump_of_the_clock() {
    let sim = Sim::growing(1);
    let clock = Arc::new(SimClock::new(1));
    let start = || {
        let opened = Log::open_with(sim.store(), small(), clock.clone()).unwrap();
        opened.start_stepped(Position::START).unwrap()
    };
    let log = start();
    put(&log, 1, 600);
    log.seal().unwrap();
    put(&log, 2, 600);
    drop(log);
    clock.jump(10 * 365 * 86_400_000);
    for _ in 0..2 {
        let log = start();
        let week = log.now().before(Duration::from_secs(7 * 86_400));
        assert_eq!(log.retire_before(week).unwrap_err().kind(), Kind::Unavailable);
    }
    let log = start();
    log.confirm_clock();
    put(&log, 3, 600);
    drop(log);
    let log = start();
    assert!(log.retire_before(log.now().before(Duration::from_secs(7 * 86_400))).unwrap().removed > 0);
}

#[test]
fn a_pin_keeps_what_a_replay_from_it_needs() {
    let store: Arc<dyn Store> = Arc::new(Memory::objects());
    let log = start(&store);
    let handle = put(&log, 1, 600);
    put(&log, 2, 600);
    put(&log, 3, 600);
    let _pin = log.pin(handle.end()).unwrap();
    log.retire_before(Time::MAX).unwrap();
    assert_eq!(times(log.replay(handle.end()).unwrap()), [Ok(2), Ok(3)]);
}

#[test]
fn a_follower_that_missed_nothing_goes_on_when_what_it_has_read_is_retired() {
    let sim = Sim::growing(1);
    let store = sim.store();
    let log = start(&store);
    put(&log, 1, 100);
    log.rest();
    let mut follow = Reader::open(store).unwrap().follow(Position::START);
    assert_eq!(times(follow.by_ref()), [Ok(1)]);
    log.seal().unwrap();
    assert_eq!(times(follow.by_ref()), [], "it comes to the footer");
    put(&log, 2, 100);
    log.rest();
    log.retire_before(Time::MAX).unwrap();
    assert_eq!(times(follow.by_ref()), [Ok(2)]);
}

#[test]
fn sealing_does_not_overtake_what_waits_for_room() {
    let sim = Sim::growing(1);
    let log = start(&sim.store());
    put(&log, 1, 9000);
    let used: u64 = sim.names().iter().map(|name| sim.read_raw(name).len() as u64).sum();
    sim.set_capacity(Some(used + sim.reserved() + 4000));
    let ticket = log.append(Time(2), vec![2; 9000]).unwrap();
    assert_eq!(log.seal().unwrap_err().kind(), Kind::Full);
    assert!(ticket.answer().is_none(), "it waits");
    sim.set_capacity(None);
    ticket.wait().unwrap();
}

#[test]
fn a_segment_that_is_never_idle_is_sealed_by_its_age() {
    let sim = Sim::growing(1);
    let clock = Arc::new(SimClock::new(1));
    let options = small().segment_age(Duration::from_secs(60));
    let log = Log::open_with(sim.store(), options, clock.clone()).unwrap();
    let log = log.start_stepped(Position::START).unwrap();
    for time in 0..10 {
        put(&log, time, 10);
        clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(data_segments(&log).len(), 10);
}

#[test]
fn no_number_from_outside_makes_a_start_panic() {
    for sim in [Sim::growing(1), Sim::objects(1)] {
        let store = sim.store();
        drop(start(&store));
        let whole = Position::START..Position(u64::MAX);
        let far = open(&store).accept_loss(whole).start_stepped(Position(u64::MAX));
        assert_eq!(far.unwrap_err().kind(), Kind::Invalid);
        sim.write_raw(&format!("epoch/{:020}", (1_u64 << 62) - 1), b"");
        // Under a lock claims mean nothing; without one there is no number left.
        assert_eq!(open(&store).start_stepped(Position::START).is_ok(), store.append().is_some());
    }
}

#[test]
fn waiting_for_as_long_as_it_takes_is_waiting() {
    let store: Arc<dyn Store> = Arc::new(Memory::growing());
    let log = Log::open(store, small()).unwrap().start(Position::START).unwrap();
    log.append(Time(1), "x").unwrap().wait_for(Duration::MAX).unwrap().unwrap();
}
