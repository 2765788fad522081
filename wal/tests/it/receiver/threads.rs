//! A receiver with threads of its own: whoever pushes while it stops, panics or hangs is left neither waiting nor in the
//! dark.

use std::sync::Arc;
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

use headwater_wal::receiver::{
    Acknowledge, Answer, Driver, End, Pushed, Receiver, ReceiverLog, Reliable, Report,
};
use headwater_wal::store::Memory;
use headwater_wal::store::sim::Sim;
use headwater_wal::{Error, Kind, Log, Position, Result};
use parking_lot::{Condvar, Mutex};

use super::{Desk, Scene, log_options, record};

const LONG: Duration = Duration::from_secs(20);

/// Longer than anything takes here that does not hang.
const TOO_LONG: Duration = Duration::from_secs(10);

/// What happens when a driver is reported to, or a source told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Answers,
    Panics,
    Hangs,
}

/// A driver and a source that do as they are told.
#[derive(Debug)]
struct Strange {
    scene: Desk,
    told: Arc<super::Told>,
    driver: Mutex<Does>,
    source: Mutex<Does>,
    /// Who hangs here has come, and goes on when it is over.
    hanging: Mutex<(u32, bool)>,
    moves: Condvar,
}

impl Strange {
    fn of(scene: &Scene, driver: Does, source: Does) -> Arc<Strange> {
        Arc::new(Strange {
            scene: scene.desk.clone(),
            told: scene.source.clone(),
            driver: Mutex::new(driver),
            source: Mutex::new(source),
            hanging: Mutex::default(),
            moves: Condvar::new(),
        })
    }

    fn act(&self, does: Does) {
        match does {
            Does::Answers => {}
            Does::Panics => panic!("as it was told to"),
            Does::Hangs => {
                let mut hanging = self.hanging.lock();
                hanging.0 += 1;
                self.moves.notify_all();
                while !hanging.1 {
                    self.moves.wait(&mut hanging);
                }
            }
        }
    }

    fn until_somebody_hangs(&self) {
        let mut hanging = self.hanging.lock();
        while hanging.0 == 0 {
            self.moves.wait(&mut hanging);
        }
    }

    fn go_on(&self) {
        self.hanging.lock().1 = true;
        self.moves.notify_all();
    }
}

impl Driver for Strange {
    fn settled(&self, log: ReceiverLog) -> Result<Option<Position>> {
        self.scene.settled(log)
    }
    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        let does = *self.driver.lock();
        self.act(does);
        self.scene.report(blocks)
    }
    fn pass_over(&self, block: &Report) -> Result<Answer> {
        self.scene.pass_over(block)
    }

    fn released(&self, _: ReceiverLog) -> Result<Position> {
        Ok(Position::START)
    }
}

/// The source's side of it.
#[derive(Debug)]
struct Side(Arc<Strange>);

impl Acknowledge for Side {
    fn acknowledge(&self, ends: &[End]) -> Result<()> {
        let does = *self.0.source.lock();
        self.0.act(does);
        self.0.told.acknowledge(ends)
    }
}

fn start_on(scene: &Scene, store: &Arc<Memory>, strange: &Arc<Strange>) -> Receiver<Reliable> {
    let opened = Log::open(store.clone(), log_options()).unwrap();
    let source = Reliable::new(Arc::new(Side(strange.clone())));
    let options = scene.options.clone().interval(Duration::from_millis(1)).back_off(Duration::from_millis(1));
    Receiver::start(opened, strange.clone(), source, options).unwrap()
}

fn start(scene: &Scene, strange: &Arc<Strange>) -> Receiver<Reliable> {
    start_on(scene, &Arc::new(Memory::growing()), strange)
}

/// Pushes until it is refused; how many records were taken in, and why no more were.
fn push_on(receiver: &Receiver<Reliable>, partition: u32) -> (u64, Error) {
    for position in 0.. {
        match receiver.push(partition, position, &record(partition, position)) {
            Ok(pushed) => assert_eq!(pushed, Pushed::Taken),
            Err(error) => return (position, error),
        }
    }
    unreachable!("it is refused some day");
}

#[test]
fn a_push_beside_a_stop_is_taken_and_acknowledged_or_refused() {
    for round in 0..40 {
        let scene = Scene::new();
        let receiver = start(&scene, &Strange::of(&scene, Does::Answers, Does::Answers));
        let pushed = scope(|scope| {
            let pushing: Vec<_> = (0..2)
                .map(|partition| {
                    scope.spawn({
                        let receiver = &receiver;
                        move || push_on(receiver, partition)
                    })
                })
                .collect();
            sleep(Duration::from_micros(round * 200));
            receiver.stop(LONG).unwrap();
            pushing.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (partition, (taken, why)) in (0..).zip(pushed) {
            assert_eq!(scene.safe(partition), taken, "round={round}");
            assert_eq!(why.kind(), Kind::Closed);
        }
    }
}

#[test]
fn a_stop_tells_a_source_that_is_away_at_first_or_says_that_it_did_not() {
    for round in 0..300 {
        let scene = Scene::new();
        let receiver = start(&scene, &Strange::of(&scene, Does::Answers, Does::Answers));
        *scene.source.away.lock() = 1;
        let _ = receiver.push(0, 0, &record(0, 0)).unwrap();
        receiver.stop(LONG).unwrap();
        assert_eq!(scene.safe(0), 1, "round={round}");
    }
}

#[test]
fn a_push_that_waits_for_room_ends_with_a_stop() {
    let scene = Scene::new();
    let receiver = start(&scene, &Strange::of(&scene, Does::Answers, Does::Answers));
    scene.book().away = u32::MAX;
    let why = scope(|scope| {
        let pushing = scope.spawn(|| push_on(&receiver, 0).1);
        while receiver.lag().bytes < 18 << 10 {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(20));
        let stopped = receiver.stop(Duration::from_millis(50)).unwrap_err();
        assert_eq!(stopped.kind(), Kind::Unavailable);
        pushing.join().unwrap()
    });
    assert_eq!(why.kind(), Kind::Closed);
}

#[test]
fn a_panic_of_the_driver_or_the_source_ends_the_receiver_and_leaves_nobody_waiting() {
    for (driver, source) in [(Does::Panics, Does::Answers), (Does::Answers, Does::Panics)] {
        let scene = Scene::new();
        let store = Arc::new(Memory::growing());
        let strange = Strange::of(&scene, driver, source);
        let receiver = start_on(&scene, &store, &strange);
        let (taken, why) = push_on(&receiver, 0);
        assert_eq!(why.kind(), Kind::Closed);
        assert!(why.to_string().contains("as it was told to"), "{why}");
        assert_eq!(receiver.stop(LONG).unwrap_err().kind(), Kind::Closed);
        assert_eq!(scene.safe(0), 0);
        drop(receiver);
        // What was durable is reported by the next one.
        (*strange.driver.lock(), *strange.source.lock()) = (Does::Answers, Does::Answers);
        let receiver = start_on(&scene, &store, &strange);
        for position in 0..taken {
            let _ = receiver.push(0, position, &record(0, position)).unwrap();
        }
        receiver.stop(LONG).unwrap();
        assert_eq!(scene.safe(0), taken);
    }
}

#[test]
fn a_call_that_hangs_does_not_hold_a_stop() {
    for (driver, source) in [(Does::Hangs, Does::Answers), (Does::Answers, Does::Hangs)] {
        let scene = Scene::new();
        let store = Arc::new(Memory::growing());
        let strange = Strange::of(&scene, driver, source);
        let receiver = start_on(&scene, &store, &strange);
        let _ = receiver.push(0, 0, &record(0, 0)).unwrap();
        strange.until_somebody_hangs();
        let began = Instant::now();
        assert_eq!(receiver.stop(Duration::from_millis(50)).unwrap_err().kind(), Kind::Unavailable);
        drop(receiver);
        assert!(began.elapsed() < TOO_LONG, "{:?}", began.elapsed());
        // Its log is free, and what it holds is reported, whatever becomes of the call.
        (*strange.driver.lock(), *strange.source.lock()) = (Does::Answers, Does::Answers);
        *scene.source.several.lock() = true;
        let receiver = start_on(&scene, &store, &strange);
        let _ = receiver.push(0, 0, &record(0, 0)).unwrap();
        strange.go_on();
        receiver.stop(LONG).unwrap();
        assert_eq!((scene.safe(0), scene.book().taken.len()), (1, 1));
    }
}

#[test]
fn a_log_that_waits_for_room_does_not_hold_a_stop() {
    let sim = Sim::growing(1);
    let scene = Scene::on(sim);
    let options = log_options().queue_bytes_max(1 << 10);
    let opened = Log::open(scene.process.store(), options).unwrap();
    let source = Reliable::new(scene.source.clone());
    let options = scene.options.clone().interval(Duration::from_millis(1)).held_bytes_max(1 << 20);
    let receiver = Arc::new(Receiver::start(opened, Arc::new(scene.desk.clone()), source, options).unwrap());
    scene.sim.set_capacity(Some(0));
    let mut position = 0;
    while receiver.log().waits_for_room().is_none() || receiver.lag().blocks < 100 {
        // All that is held may be in before the log has noticed.
        match receiver.try_push(0, position, &record(0, position)).unwrap() {
            Pushed::NotNow => sleep(Duration::from_millis(1)),
            Pushed::Taken | Pushed::Known => position += 1,
        }
    }
    sleep(Duration::from_millis(20));
    let stopping = receiver.clone();
    let stopped = spawn(move || stopping.stop(Duration::from_millis(50)));
    let began = Instant::now();
    while !stopped.is_finished() {
        assert!(began.elapsed() < TOO_LONG, "the stop hangs");
        sleep(Duration::from_millis(5));
    }
    assert_eq!(stopped.join().unwrap().unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn a_source_may_let_the_receiver_go_in_its_own_call() {
    /// It holds the receiver that tells it.
    #[derive(Debug, Default)]
    struct Holds(Mutex<Option<Receiver<Reliable>>>, Mutex<bool>);
    impl Acknowledge for Holds {
        fn acknowledge(&self, _: &[End]) -> Result<()> {
            let held = self.0.lock().take();
            drop(held);
            *self.1.lock() = true;
            Ok(())
        }
    }
    let scene = Scene::new();
    let holds = Arc::new(Holds::default());
    let opened = Log::open(Arc::new(Memory::growing()), log_options()).unwrap();
    let (desk, source) = (Arc::new(scene.desk.clone()), Reliable::new(holds.clone()));
    let receiver = Receiver::start(opened, desk, source, scene.options.clone()).unwrap();
    let mut held = holds.0.lock();
    let receiver = held.insert(receiver);
    let _ = receiver.push(0, 0, &record(0, 0)).unwrap();
    drop(held);
    let began = Instant::now();
    while !*holds.1.lock() {
        assert!(began.elapsed() < TOO_LONG, "its thread hangs, or has panicked");
        sleep(Duration::from_millis(5));
    }
}
