//! When blocks are cut, and in which order things happen to them.

use headwater_wal::Kind;
use headwater_wal::receiver::Pushed;
use headwater_wal::store::sim::{Fault, Op, When};

use super::{Scene, record, send, settle};

#[test]
fn a_block_is_cut_when_its_oldest_record_has_waited_for_the_interval() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..1);
    scene.pass(150);
    send(&receiver, 0, 1..2);
    settle(&receiver);
    assert_eq!(scene.book().taken.len(), 0);
    scene.pass(49);
    settle(&receiver);
    assert_eq!(scene.book().taken.len(), 0, "199 ms");
    scene.pass(1);
    settle(&receiver);
    assert_eq!(scene.book().taken.len(), 1, "200 ms");
    assert_eq!(scene.book().taken[0].records, 2);
    assert_eq!(scene.safe(0), 2);
}

#[test]
fn a_block_is_cut_when_it_is_full_and_a_larger_record_has_one_of_its_own() {
    let scene = Scene::new();
    let receiver = scene.start();
    assert_eq!(receiver.push(0, 0, &[1; 200]).unwrap(), Pushed::Taken);
    let _ = receiver.push(0, 1, &[2; 2000]).unwrap();
    let _ = receiver.push(0, 2, &[3; 10]).unwrap();
    settle(&receiver);
    let counts: Vec<_> = scene.book().taken.iter().map(|block| block.records).collect();
    assert_eq!(counts, [1, 1], "the third one waits");
    assert_eq!(receiver.push(0, 3, &[0; 5000]).unwrap_err().kind(), Kind::Invalid);
    scene.pass(200);
    settle(&receiver);
    assert_eq!(scene.received().iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [200, 2000, 10]);
}

#[test]
fn a_log_whose_records_cannot_be_as_long_as_the_blocks_is_refused_before_it_is_touched() {
    let mut scene = Scene::new();
    scene.options = scene.options.clone().record_bytes_max(60 << 10);
    let (before, why) = (scene.sim.names(), scene.try_start().unwrap_err());
    assert_eq!(why.kind(), Kind::Invalid);
    let says = why.to_string();
    assert!(says.contains("record_bytes_max") && says.contains("65536") && says.contains("81985"), "{says}");
    assert_eq!(scene.sim.names(), before, "nothing was created");
    // As long as it says is enough.
    let opened = headwater_wal::Log::open_with(
        scene.process.store(),
        super::log_options().record_bytes_max(81_985),
        scene.clock.clone(),
    );
    let receiver = scene.try_start_at(opened.unwrap()).unwrap();
    settle(&receiver);
    let _ = receiver.push(0, 0, &vec![1; 60 << 10]).unwrap();
    settle(&receiver);
    assert_eq!(scene.safe(0), 1);
}

#[test]
fn what_blocks_and_partitions_take_beside_their_records_is_bounded_too() {
    // Each record is a block of its own; each is of another partition.
    for (block_bytes, partitions) in [(1, 1), (40_000, u32::MAX)] {
        let mut scene = Scene::new();
        scene.options =
            scene.options.clone().block_bytes(block_bytes).record_bytes_max(1).held_bytes_max(64 << 10);
        let receiver = scene.start();
        scene.book().away = u32::MAX;
        let mut position = 0;
        while receiver.try_push(position as u32 % partitions, position / u64::from(partitions), &[7]).unwrap()
            == Pushed::Taken
        {
            position += 1;
            receiver.turn();
        }
        let lag = receiver.lag();
        assert!(lag.bytes <= 64 << 10 && position < 2000, "{position} {lag:?}");
        scene.book().away = 0;
        scene.pass(10_000);
        settle(&receiver);
        scene.pass(10_000);
        settle(&receiver);
        assert_eq!(receiver.lag().bytes, 0);
    }
}

#[test]
fn a_hole_that_is_told_of_while_the_receiver_catches_up_is_not_forgotten() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    send(&receiver, 0, 0..2);
    scene.pass(200);
    settle(&receiver);
    drop(receiver);
    scene.book().away = 0;
    let receiver = scene.try_start().unwrap();
    receiver.skip(0, 5);
    settle(&receiver);
    send(&receiver, 0, 5..6);
    scene.pass(200);
    settle(&receiver);
    assert_eq!(scene.safe(0), 6);
}

#[test]
fn nothing_is_reported_before_it_is_durable_nor_acknowledged_before_it_is_reported() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..3);
    scene.pass(200);
    scene.book().away = 1000;
    settle(&receiver);
    assert_eq!((scene.book().taken.len(), scene.safe(0)), (0, 0), "the driver is away");
    let durable = receiver.log().range().end;
    assert_eq!(receiver.lag().records, 3);
    scene.book().away = 0;
    scene.pass(60_000);
    settle(&receiver);
    assert_eq!(scene.safe(0), 3);
    assert!(scene.book().taken[0].handle.position() < durable);
    // The next block's sync fails: it is neither reported nor acknowledged, and the receiver says so.
    scene.sim.plan(When::nth(1).of(Op::Sync), Fault::Error);
    send(&receiver, 0, 3..5);
    scene.pass(200);
    settle(&receiver);
    assert_eq!((scene.book().taken.len(), scene.safe(0)), (1, 3));
    let why = receiver.failure().expect("it ended");
    assert_eq!(why.kind(), Kind::Unknown, "{why:?}");
    assert_eq!(receiver.push(0, 5, b"late").unwrap_err().kind(), Kind::Unknown);
}

#[test]
fn blocks_are_acknowledged_in_the_order_in_which_their_records_came() {
    let scene = Scene::new();
    let receiver = scene.start();
    for round in 0..20 {
        send(&receiver, 0, round * 7..round * 7 + 7);
        send(&receiver, 1, round * 3..round * 3 + 3);
    }
    scene.pass(200);
    settle(&receiver);
    // The source itself refuses to be told anything backwards, or anything that the driver does not have.
    assert_eq!((scene.safe(0), scene.safe(1)), (140, 60));
    scene.has_each_once(0, 140);
    scene.has_each_once(1, 60);
    assert!(scene.book().taken.len() > 10);
}

#[test]
fn a_source_that_cannot_be_told_is_told_later() {
    let scene = Scene::new();
    let receiver = scene.start();
    *scene.source.away.lock() = 2;
    send(&receiver, 0, 0..3);
    scene.pass(200);
    settle(&receiver);
    assert!(receiver.status().source_away.is_some() && scene.safe(0) == 0);
    scene.pass(40);
    settle(&receiver);
    scene.pass(80);
    settle(&receiver);
    assert!(receiver.status().source_away.is_none() && scene.safe(0) == 3);
}

#[test]
fn a_record_that_does_not_follow_is_refused_unless_the_source_has_a_hole_there() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..2);
    assert_eq!(receiver.push(0, 1, &record(0, 1)).unwrap(), Pushed::Known);
    assert_eq!(receiver.push(0, 5, &record(0, 5)).unwrap_err().kind(), Kind::Invalid);
    receiver.skip(0, 5);
    send(&receiver, 0, 5..6);
    scene.pass(200);
    settle(&receiver);
    let positions: Vec<_> = scene.received().iter().map(|(at, _)| at.unwrap().1).collect();
    assert_eq!(positions, [0, 1, 5]);
    assert_eq!(scene.safe(0), 6);
}

#[test]
fn a_hole_between_two_blocks_belongs_to_the_second() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..2);
    scene.pass(200);
    settle(&receiver);
    receiver.skip(0, 5);
    send(&receiver, 0, 5..6);
    scene.pass(200);
    settle(&receiver);
    assert!(receiver.failure().is_none(), "{:?}", receiver.failure());
    let ranges: Vec<_> =
        scene.book().taken.iter().map(|block| (block.ranges[0].from, block.ranges[0].to)).collect();
    assert_eq!((ranges, scene.safe(0)), (vec![(0, 2), (2, 6)], 6));
}

#[test]
fn a_source_that_sends_again_what_is_safe_is_told_again() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..3);
    scene.pass(200);
    settle(&receiver);
    assert_eq!(scene.safe(0), 3);
    // It died, and has forgotten what it was told.
    scene.source.safe.lock().clear();
    assert_eq!(receiver.push(0, 1, &record(0, 1)).unwrap(), Pushed::Known);
    settle(&receiver);
    assert_eq!((scene.safe(0), scene.book().taken.len()), (3, 1));
}

#[test]
fn a_source_that_sends_again_what_it_had_skipped_is_told_by_the_driver_what_is_safe() {
    let scene = Scene::new();
    let receiver = scene.start();
    // Another receiver had the partition: the source was told so, and has nothing new to send.
    scene.book().ends.insert(0, 5);
    receiver.skip(0, 5);
    // It died, and has forgotten what it was told.
    send(&receiver, 0, 3..5);
    scene.pass(200);
    settle(&receiver);
    assert!(receiver.failure().is_none(), "{:?}", receiver.failure());
    assert_eq!((scene.safe(0), scene.book().ends[&0]), (5, 5), "nobody waits for what is safe");
    send(&receiver, 0, 5..6);
    scene.pass(200);
    settle(&receiver);
    assert_eq!((scene.safe(0), scene.book().ends[&0]), (6, 6));
}

#[test]
fn a_source_that_skips_forward_and_comes_back_is_told_by_the_driver_what_is_safe() {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 0, 0..2);
    scene.pass(200);
    settle(&receiver);
    // Another receiver has had the partition since, and now it is here again.
    scene.book().ends.insert(0, 5);
    receiver.skip(0, 5);
    scene.source.safe.lock().clear();
    send(&receiver, 0, 2..5);
    scene.pass(200);
    settle(&receiver);
    assert!(receiver.failure().is_none(), "{:?}", receiver.failure());
    assert_eq!((scene.safe(0), scene.book().ends[&0]), (5, 5), "nobody waits for what is safe");
    assert_eq!(receiver.next(0), Some(5));
}

#[test]
fn what_is_held_is_bounded_and_pushing_waits_for_room() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    let mut position = 0;
    while receiver.try_push(0, position, &[7; 100]).unwrap() == Pushed::Taken {
        position += 1;
    }
    assert!(receiver.lag().bytes <= 20 << 10 && position >= 30, "{:?}", receiver.lag());
    settle(&receiver);
    assert_eq!(receiver.push(0, position, &[7; 100]).unwrap(), Pushed::NotNow);
    scene.book().away = 0;
    scene.pass(10_000);
    settle(&receiver);
    assert_eq!(receiver.push(0, position, &[7; 100]).unwrap(), Pushed::Taken);
}
