//! What the next receiver of a log finds there, and what becomes of blocks that are refused.

use headwater_wal::receiver::blocks;
use headwater_wal::{Kind, Position};

use super::{Scene, record, send, settle};

#[test]
fn a_durable_block_that_was_not_reported_is_reported_by_the_next_receiver() {
    let mut scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    send(&receiver, 0, 0..30);
    scene.pass(200);
    settle(&receiver);
    assert_eq!(scene.book().taken.len(), 0);
    scene.crash(true);
    drop(receiver);
    scene.book().away = 0;
    let receiver = scene.start();
    assert_eq!(scene.safe(0), 30, "told without being asked to send again");
    assert_eq!(receiver.next(0), Some(30));
    send(&receiver, 0, 0..33);
    scene.pass(200);
    settle(&receiver);
    scene.has_each_once(0, 33);
}

#[test]
fn no_record_is_taken_before_the_log_is_settled() {
    let mut scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    send(&receiver, 0, 0..3);
    scene.pass(200);
    settle(&receiver);
    scene.crash(false);
    drop(receiver);
    scene.book().away = 0;
    let receiver = scene.try_start().unwrap();
    assert!(!receiver.status().takes_records);
    assert_eq!(receiver.try_push(0, 0, &record(0, 0)).unwrap(), headwater_wal::receiver::Pushed::NotNow);
    settle(&receiver);
    assert!(receiver.status().takes_records);
}

#[test]
fn a_replaced_receiver_is_fenced_and_acknowledges_nothing_that_was_passed_over() {
    let mut scene = Scene::on(headwater_wal::store::sim::Sim::objects(3));
    let old = scene.start();
    // Its block is durable; the driver has half of it from elsewhere, and is away.
    scene.book().ends.insert(0, 2);
    scene.book().away = u32::MAX;
    send(&old, 0, 0..4);
    scene.pass(200);
    settle(&old);
    let old_clock = scene.clock.clone();
    scene.elsewhere();
    scene.book().away = 0;
    let heir = scene.start();
    assert_eq!(scene.book().passed.len(), 1, "the heir cannot take it whole");
    old_clock.advance(std::time::Duration::from_secs(60));
    settle(&old);
    assert_eq!(scene.safe(0), 0, "the source still has records 2 and 3");
    assert_eq!(old.failure().unwrap().kind(), Kind::Fenced);
    send(&heir, 0, 2..4);
    scene.pass(200);
    settle(&heir);
    assert_eq!(scene.safe(0), 4);
}

#[test]
fn a_block_of_which_the_driver_has_a_part_is_cut_anew_without_it() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().ends.insert(0, 5);
    send(&receiver, 0, 3..40);
    send(&receiver, 1, 0..20);
    scene.pass(200);
    settle(&receiver);
    assert!(!scene.book().passed.is_empty());
    let mut positions = [Vec::new(), Vec::new()];
    for (at, bytes) in scene.received() {
        let (partition, position) = at.unwrap();
        assert_eq!(bytes, record(partition, position));
        positions[partition as usize].push(position);
    }
    assert_eq!(positions, [(5..40).collect::<Vec<_>>(), (0..20).collect()]);
    assert_eq!((scene.safe(0), scene.safe(1)), (40, 20));
    assert_eq!(receiver.lag().bytes, 0, "all room was given back");
}

#[test]
fn blocks_that_are_refused_together_are_cut_anew_in_their_order() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    send(&receiver, 0, 0..60);
    scene.pass(200);
    settle(&receiver);
    assert!(receiver.lag().blocks > 3, "{:?}", receiver.lag());
    // Another receiver had the partition meanwhile, and this one has all of its blocks at the driver's door.
    scene.book().ends.insert(0, 5);
    scene.book().away = 0;
    scene.pass(10_000);
    settle(&receiver);
    assert!(receiver.failure().is_none(), "{:?}", receiver.failure());
    assert!(scene.book().passed.len() > 3);
    let positions: Vec<_> = scene.received().iter().map(|(at, _)| at.unwrap().1).collect();
    assert_eq!(positions, (5..60).collect::<Vec<_>>());
    assert_eq!((scene.safe(0), receiver.lag()), (60, Default::default()));
}

#[test]
fn of_blocks_that_are_refused_the_source_is_told_all_that_the_driver_knows() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    for block in 0..3 {
        send(&receiver, 1, block * 2..block * 2 + 2);
        if block == 0 {
            send(&receiver, 0, 0..2);
        }
        scene.pass(200);
        settle(&receiver);
    }
    assert_eq!(receiver.lag().blocks, 3);
    // It has half of what the first block has of partition 0, and more of partition 1 than all of them have.
    scene.book().ends.extend([(0, 1), (1, 100)]);
    scene.book().away = 0;
    scene.pass(10_000);
    settle(&receiver);
    assert_eq!(scene.book().passed.len(), 3);
    assert_eq!(scene.safe(1), 6);
    scene.pass(200);
    settle(&receiver);
    assert_eq!((scene.safe(0), receiver.lag()), (2, Default::default()));
}

#[test]
fn a_block_behind_a_gap_ends_the_receiver_and_its_source_sends_again() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().ends.insert(0, 5);
    send(&receiver, 0, 8..10);
    scene.pass(200);
    settle(&receiver);
    assert_eq!(receiver.failure().unwrap().kind(), Kind::Unavailable);
    assert_eq!(scene.safe(0), 0);
    drop(receiver);
    let receiver = scene.start();
    assert_eq!(scene.book().passed.len(), 1);
    send(&receiver, 0, 5..10);
    scene.pass(200);
    settle(&receiver);
    assert_eq!(scene.safe(0), 10);
}

#[test]
fn a_driver_that_went_back_gets_what_it_misses_from_the_log() {
    let scene = Scene::new();
    let receiver = scene.start();
    for block in 0..10 {
        send(&receiver, 0, block * 3..block * 3 + 3);
        scene.pass(200);
        settle(&receiver);
    }
    let (log, kept) = (receiver.receiver_log(), 4);
    {
        let mut book = scene.book();
        assert_eq!(book.taken.len(), 10);
        book.taken.truncate(kept);
        let last = book.taken[kept - 1].clone();
        book.settled.insert(log, last.handle.position());
        book.ends.insert(0, last.ranges[0].to);
    }
    send(&receiver, 0, 30..33);
    scene.pass(200);
    settle(&receiver);
    scene.has_each_once(0, 33);
    assert!(receiver.failure().is_none());
}

#[test]
fn a_block_that_is_missing_from_the_log_is_not_passed_over_in_silence() {
    let scene = Scene::new();
    let receiver = scene.start();
    for block in 0..60 {
        send(&receiver, 0, block * 8..block * 8 + 8);
        scene.pass(200);
        settle(&receiver);
    }
    receiver.log().seal().unwrap();
    scene.pass(10_000);
    let retired = receiver.log().retire_before(receiver.log().now()).unwrap();
    assert!(retired.removed > 0, "{retired:?}");
    scene.book().settled.clear();
    send(&receiver, 0, 480..482);
    scene.pass(200);
    settle(&receiver);
    let why = receiver.failure().expect("it says so");
    assert_eq!(why.kind(), Kind::Unavailable, "{why:?}");
}

#[test]
fn a_block_without_the_one_before_it_is_not_reported() {
    // The blocks of two epochs, of which only the first one was reported, to a driver that is no more.
    let scene = Scene::new();
    for epoch in 0..2 {
        scene.book().away = 0;
        let receiver = scene.start();
        for block in 0..3 {
            let from = epoch * 6 + block * 2;
            send(&receiver, 0, from..from + 2);
            scene.book().away = if from == 0 { 0 } else { u32::MAX };
            scene.pass(200);
            settle(&receiver);
        }
        drop(receiver);
    }
    let payloads: Vec<_> = {
        let log = scene.open().unwrap();
        let log = log.start_stepped(Position::START).unwrap();
        log.replay(Position::START).unwrap().map(|record| record.unwrap().payload).collect()
    };
    assert_eq!(payloads.len(), 6);
    let of_all_but = |missing: Option<usize>| {
        let scene = Scene::new();
        let log = scene.open().unwrap().start_stepped(Position::START).unwrap();
        for (_, payload) in payloads.iter().enumerate().filter(|(at, _)| Some(*at) != missing) {
            drop(log.append_kind(blocks::RECORD_KIND, log.now(), payload.clone()).unwrap());
            while log.turn() {}
        }
        log.close().unwrap();
        let receiver = scene.try_start().unwrap();
        settle(&receiver);
        let failure = receiver.failure().map(|why| why.kind());
        (failure, scene.book().taken.len())
    };
    assert_eq!(of_all_but(None), (None, 6));
    for missing in 0..5 {
        let (failure, taken) = of_all_but(Some(missing));
        assert!(failure == Some(Kind::Damaged) && taken <= missing, "missing={missing} {failure:?} {taken}");
    }
}

#[test]
fn a_loss_that_was_accepted_does_not_stop_a_receiver_for_ever() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    for block in 0..4 {
        send(&receiver, 0, block * 2..block * 2 + 2);
        scene.pass(200);
        settle(&receiver);
        receiver.log().seal().unwrap();
    }
    drop(receiver);
    scene.book().away = 0;
    // The second block's segment is damaged, and its loss accepted.
    let names = scene.sim.names();
    scene.sim.flip(&names[2], 100, 0);
    assert_eq!(scene.try_start().unwrap_err().kind(), Kind::Damaged);
    let mut opened = scene.open().unwrap();
    let damages: Vec<_> = opened.survey().damages().iter().map(|damage| damage.range.clone()).collect();
    for range in damages {
        opened = opened.accept_loss(range);
    }
    let receiver = scene.try_start_at(opened).unwrap();
    settle(&receiver);
    assert!(receiver.failure().is_none(), "{:?}", receiver.failure());
    // The source was told of what is before the loss, and sends the rest again.
    assert_eq!((scene.safe(0), scene.book().passed.len()), (2, 2));
    send(&receiver, 0, 2..8);
    scene.pass(200);
    settle(&receiver);
    assert_eq!(scene.safe(0), 8);
    scene.has_each_once(0, 8);
}

#[test]
fn the_log_of_another_receiver_is_refused() {
    let mut scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    send(&receiver, 0, 0..3);
    scene.pass(200);
    settle(&receiver);
    drop(receiver);
    scene.book().away = 0;
    scene.options = scene.options.clone().of(0, 1);
    let receiver = scene.start();
    assert_eq!(receiver.failure().unwrap().kind(), Kind::Invalid);
}

#[test]
fn a_source_that_comes_back_to_a_hole_in_its_numbers_says_where_it_was() {
    let scene = Scene::new();
    let receiver = scene.start();
    // The driver has what is below 5, and there is nothing between that and 8.
    scene.book().ends.insert(0, 5);
    receiver.skip(0, 5);
    receiver.skip(0, 8);
    send(&receiver, 0, 8..10);
    scene.pass(200);
    settle(&receiver);
    assert!(receiver.failure().is_none(), "nothing is missing: {:?}", receiver.failure());
    assert_eq!(scene.safe(0), 10);
}
