//! What no driver should answer: it ends the receiver with words, or is asked again later; nothing spins, nothing panics,
//! and the source is told of nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_wal::receiver::{Answer, Driver, End, Receiver, ReceiverLog, Reliable, Report};
use headwater_wal::{Kind, Position, Result};
use parking_lot::Mutex;

use super::{Desk, Scene, send, settle};

/// A driver that gives these answers first, whatever it is asked, and then comes to its senses.
#[derive(Debug)]
struct Strange {
    desk: Desk,
    reports: Mutex<VecDeque<Vec<Answer>>>,
    passes: Mutex<VecDeque<Answer>>,
    asked: Mutex<u64>,
}

impl Driver for Strange {
    fn settled(&self, log: ReceiverLog) -> Result<Option<Position>> {
        self.desk.settled(log)
    }

    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        *self.asked.lock() += 1;
        match self.reports.lock().pop_front() {
            Some(answers) => Ok(answers),
            None => self.desk.report(blocks),
        }
    }

    fn pass_over(&self, block: &Report) -> Result<Answer> {
        match self.passes.lock().pop_front() {
            Some(answer) => Ok(answer),
            None => self.desk.pass_over(block),
        }
    }

    fn released(&self, _: ReceiverLog) -> Result<Position> {
        Ok(Position::START)
    }
}

fn start(
    scene: &Scene,
    reports: Vec<Vec<Answer>>,
    passes: Vec<Answer>,
) -> (Receiver<Reliable>, Arc<Strange>) {
    let strange = Arc::new(Strange {
        desk: scene.desk.clone(),
        reports: Mutex::new(reports.into()),
        passes: Mutex::new(passes.into()),
        asked: Mutex::default(),
    });
    let (opened, source) = (scene.open().unwrap(), Reliable::new(scene.source.clone()));
    let (options, clock) = (scene.options.clone(), scene.clock.clone());
    let receiver = Receiver::start_stepped(opened, strange.clone(), source, options, clock).unwrap();
    (receiver, strange)
}

/// So many turns, which may have no end.
fn turns(receiver: &Receiver<Reliable>, most: u64) {
    let mut left = most;
    while left > 0 && receiver.turn() {
        left -= 1;
    }
}

/// A scene whose log holds so many blocks of two records that were never reported.
fn unreported(blocks: u64) -> Scene {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    for block in 0..blocks {
        send(&receiver, 0, block * 2..block * 2 + 2);
        scene.pass(200);
        settle(&receiver);
    }
    drop(receiver);
    scene.book().away = 0;
    scene
}

#[test]
fn more_answers_than_blocks_end_the_receiver() {
    // Those of a block that was just cut, and those of blocks that it begins with.
    let cut = Scene::new();
    let (receiver, _) = start(&cut, vec![vec![Answer::Taken; 2]], vec![]);
    settle(&receiver);
    send(&receiver, 0, 0..2);
    cut.pass(200);
    settle(&receiver);
    assert_eq!(receiver.failure().expect("it ended").kind(), Kind::Invalid);
    assert_eq!(cut.safe(0), 0);

    let found = unreported(2);
    let (receiver, _) = start(&found, vec![vec![Answer::Taken; 3]], vec![]);
    settle(&receiver);
    assert_eq!(receiver.failure().expect("it ended").kind(), Kind::Invalid);
    assert_eq!(found.safe(0), 0);
}

#[test]
fn no_answer_at_all_is_asked_for_again_later() {
    for found in [0, 2] {
        let scene = unreported(found);
        let (receiver, strange) = start(&scene, vec![vec![]; 3], vec![]);
        if found == 0 {
            settle(&receiver);
            send(&receiver, 0, 0..4);
            scene.pass(200);
        }
        turns(&receiver, 100);
        assert_eq!(*strange.asked.lock(), 1, "it is not asked in a circle");
        assert_eq!(receiver.status().driver_away.expect("it says so").kind(), Kind::Unavailable);
        for _ in 0..4 {
            scene.pass(10_000);
            turns(&receiver, 100);
        }
        assert_eq!(scene.safe(0), 4);
        assert!(receiver.failure().is_none() && receiver.status().driver_away.is_none());
    }
}

#[test]
fn a_driver_that_answers_for_fewer_blocks_is_told_of_the_rest_again() {
    let scene = unreported(3);
    let (receiver, _) = start(&scene, vec![], vec![]);
    turns(&receiver, 100);
    assert_eq!(scene.safe(0), 6);
    drop(receiver);
    let scene = unreported(3);
    let first = Arc::new(Mutex::new(true));
    /// Takes one block at a time.
    #[derive(Debug)]
    struct OneByOne(Desk, Arc<Mutex<bool>>);
    impl Driver for OneByOne {
        fn settled(&self, log: ReceiverLog) -> Result<Option<Position>> {
            self.0.settled(log)
        }
        fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
            *self.1.lock() &= blocks.len() == 3;
            self.0.report(&blocks[..1])
        }
        fn pass_over(&self, block: &Report) -> Result<Answer> {
            self.0.pass_over(block)
        }

        fn released(&self, _: ReceiverLog) -> Result<Position> {
            Ok(Position::START)
        }
    }
    let driver = Arc::new(OneByOne(scene.desk.clone(), first));
    let (opened, source) = (scene.open().unwrap(), Reliable::new(scene.source.clone()));
    let (options, clock) = (scene.options.clone(), scene.clock.clone());
    let receiver = Receiver::start_stepped(opened, driver, source, options, clock).unwrap();
    settle(&receiver);
    scene.has_each_once(0, 6);
    assert_eq!(scene.safe(0), 6);
}

#[test]
fn a_refusal_without_a_reason_ends_the_receiver_and_does_not_fill_the_log() {
    // No ends; ends at which the block begins.
    for ends in [vec![], vec![End { partition: 0, end: 0 }], vec![End { partition: 7, end: 3 }]] {
        let scene = Scene::new();
        let (receiver, _) = start(&scene, vec![vec![Answer::Refused(ends)]; 1000], vec![]);
        settle(&receiver);
        send(&receiver, 0, 0..2);
        scene.pass(200);
        turns(&receiver, 2000);
        assert_eq!(receiver.failure().expect("it ended").kind(), Kind::Invalid);
        assert_eq!((scene.safe(0), scene.book().passed.len()), (0, 0));
    }
}

#[test]
fn what_is_no_answer_to_passing_over_ends_the_receiver() {
    for answer in [Answer::Taken, Answer::Refused(vec![]), Answer::Full] {
        // Of a block that was just cut.
        let scene = Scene::new();
        scene.book().ends.insert(0, 1);
        let (receiver, _) = start(&scene, vec![], vec![answer.clone(); 1000]);
        settle(&receiver);
        send(&receiver, 0, 0..2);
        scene.pass(200);
        turns(&receiver, 2000);
        assert_eq!(receiver.failure().expect("it ended").kind(), Kind::Invalid, "{answer:?}");
        assert_eq!(scene.safe(0), 0);
        // Of blocks that it begins with.
        let scene = unreported(2);
        scene.book().ends.insert(0, 1);
        let (receiver, _) = start(&scene, vec![], vec![answer.clone(); 1000]);
        turns(&receiver, 2000);
        assert_eq!(receiver.failure().expect("it ended").kind(), Kind::Invalid, "{answer:?}");
        assert_eq!(scene.safe(0), 0);
    }
}

#[test]
fn a_driver_that_went_back_while_blocks_are_cut_anew_gets_what_it_misses() {
    let scene = Scene::new();
    let (receiver, _) = start(&scene, vec![], vec![Answer::Early(None)]);
    settle(&receiver);
    send(&receiver, 0, 0..2);
    scene.pass(200);
    settle(&receiver);
    assert_eq!(scene.book().taken.len(), 1);
    // It refuses the next block, and has forgotten the first one when it is asked to pass the next one over.
    scene.book().ends.insert(0, 3);
    send(&receiver, 0, 2..4);
    scene.pass(200);
    turns(&receiver, 2000);
    assert!(receiver.failure().is_none(), "{:?}", receiver.failure());
    assert_eq!((scene.safe(0), scene.book().passed.len()), (4, 1));
}
