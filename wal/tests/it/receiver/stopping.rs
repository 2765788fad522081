//! A stop loses nothing; a kill of a source that cannot resend costs only what was not durable.

use std::sync::Arc;
use std::time::Duration;

use headwater_wal::receiver::{Pushed, Receiver, Reliable, Unreliable, blocks};
use headwater_wal::store::Memory;
use headwater_wal::{Kind, Log, Reader};

use super::{Scene, log_options, record, send, settle};

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_stop_drains_a_hundred_times_over() {
    let scene = Scene::new();
    let mut sent = 0;
    for round in 0..100 {
        let receiver = scene.start();
        send(&receiver, 0, sent..sent + 45);
        sent += 45;
        // Some are on their way, whatever has become of them.
        for _ in 0..round % 7 {
            receiver.turn();
        }
        receiver.stop(LONG).unwrap();
        assert_eq!(scene.safe(0), sent, "round={round}");
    }
    scene.has_each_once(0, sent);
}

#[test]
fn a_stop_of_threads_drains_a_hundred_times_over() {
    let store = Arc::new(Memory::growing());
    let scene = Scene::new();
    let mut sent = 0;
    for round in 0..100 {
        let opened = Log::open(store.clone(), log_options()).unwrap();
        let (desk, source) = (Arc::new(scene.desk.clone()), Reliable::new(scene.source.clone()));
        let receiver = Receiver::start(opened, desk, source, scene.options.clone()).unwrap();
        send(&receiver, 0, sent..sent + 45);
        sent += 45;
        receiver.stop(LONG).unwrap();
        assert_eq!(scene.safe(0), sent, "round={round}");
    }
}

/// Spark's graceful stop with a log loses the last 45 records or so of a source that cannot resend, each time.
#[test]
fn the_graceful_stop_that_loses_45_records_in_spark_loses_none_a_hundred_times_over() {
    for round in 0..100_u64 {
        let store = Arc::new(Memory::growing());
        let scene = Scene::new();
        let opened = Log::open(store.clone(), log_options()).unwrap();
        let options = scene.options.clone().held_bytes_max(1 << 20);
        let receiver = Receiver::start(opened, Arc::new(scene.desk.clone()), Unreliable, options).unwrap();
        let records: Vec<_> = (0..45 + round * 3).map(|number| record(9, number)).collect();
        for bytes in &records {
            assert_eq!(receiver.push(bytes).unwrap(), Pushed::Taken);
        }
        // Some blocks are under way; or all are settled but the open one, which is what Spark loses.
        while round % 2 == 0 && receiver.lag().blocks > 0 {
            std::thread::yield_now();
        }
        receiver.stop(LONG).unwrap();
        let reader = Reader::open(store).unwrap();
        let taken: Vec<_> =
            scene.book().taken.iter().map(|block| reader.read(&block.handle).unwrap()).collect();
        let received = taken.iter().flat_map(|block| blocks::records(&block.payload).unwrap());
        let received: Vec<_> = received.map(|record| record.unwrap().bytes.to_vec()).collect();
        assert_eq!(received, records, "round={round}");
    }
}

#[test]
fn a_stop_while_the_receiver_catches_up_reports_what_its_log_holds() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    send(&receiver, 0, 0..30);
    scene.pass(200);
    settle(&receiver);
    drop(receiver);
    scene.book().away = 0;
    scene.try_start().unwrap().stop(LONG).unwrap();
    assert_eq!(scene.safe(0), 30);
    scene.has_each_once(0, 30);
}

#[test]
fn a_stop_while_blocks_are_refused_cuts_them_anew_first() {
    for turns in 0..12 {
        let scene = Scene::new();
        let receiver = scene.start();
        scene.book().ends.insert(0, 5);
        send(&receiver, 0, 3..40);
        scene.pass(200);
        (0..turns).for_each(|_| _ = receiver.turn());
        receiver.stop(LONG).unwrap();
        assert_eq!(scene.safe(0), 40, "turns={turns}");
        let positions: Vec<_> = scene.received().iter().map(|(at, _)| at.unwrap().1).collect();
        assert_eq!(positions, (5..40).collect::<Vec<_>>(), "turns={turns}");
    }
}

#[test]
fn a_stop_without_its_driver_gives_up_and_the_next_receiver_reports() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..10);
    scene.book().away = u32::MAX;
    let why = receiver.stop(LONG).unwrap_err();
    assert_eq!(why.kind(), Kind::Unavailable);
    assert_eq!(scene.safe(0), 0);
    scene.book().away = 0;
    let _receiver = scene.start();
    assert_eq!(scene.safe(0), 10);
    scene.has_each_once(0, 10);
}

#[test]
fn a_stop_waits_for_its_source_and_says_if_that_was_not_told() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..10);
    *scene.source.away.lock() = u32::MAX;
    let why = receiver.stop(LONG).unwrap_err();
    assert_eq!((why.kind(), scene.safe(0)), (Kind::Unavailable, 0));
    // Threads have the time to tell it later.
    let store = Arc::new(Memory::growing());
    let opened = Log::open(store, log_options()).unwrap();
    let (desk, source) = (Arc::new(scene.desk.clone()), Reliable::new(scene.source.clone()));
    let receiver = Receiver::start(opened, desk, source, scene.options.clone()).unwrap();
    send(&receiver, 0, 10..20);
    *scene.source.away.lock() = 2;
    receiver.stop(LONG).unwrap();
    assert_eq!(scene.safe(0), 20);
}

#[test]
fn a_stopped_receiver_has_sealed_its_log() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..10);
    receiver.stop(LONG).unwrap();
    let opened = scene.open().unwrap();
    assert!(opened.survey().chain().segments().last().unwrap().sealed);
}

#[test]
fn a_kill_costs_an_unreliable_source_only_what_was_not_durable() {
    let mut scene = Scene::new();
    let receiver = scene.start_unreliable();
    for number in 0..50 {
        let _ = receiver.push(&record(9, number)).unwrap();
        while receiver.turn() {}
    }
    scene.pass(200);
    while receiver.turn() {}
    let taken = scene.received().len();
    assert_eq!(taken, 50);
    // Durable and not reported.
    scene.book().away = u32::MAX;
    (50..60).for_each(|number| _ = receiver.push(&record(9, number)).unwrap());
    scene.pass(200);
    while receiver.turn() {}
    // Not durable.
    (60..63).for_each(|number| _ = receiver.push(&record(9, number)).unwrap());
    scene.crash(true);
    drop(receiver);
    scene.book().away = 0;
    let receiver = scene.start_unreliable();
    let received: Vec<_> = scene.received().into_iter().map(|(at, bytes)| (at.is_none(), bytes)).collect();
    assert_eq!(received, (0..60).map(|number| (true, record(9, number))).collect::<Vec<_>>());
    let _ = receiver.push(&record(9, 63)).unwrap();
    receiver.stop(LONG).unwrap();
    assert_eq!(scene.received().len(), 61);
}

#[test]
fn what_is_dropped_without_a_stop_is_sent_again() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..10);
    drop(receiver);
    assert_eq!(scene.safe(0), 0);
    let receiver = scene.start();
    send(&receiver, 0, 0..10);
    settle(&receiver);
    receiver.stop(LONG).unwrap();
    scene.has_each_once(0, 10);
}
