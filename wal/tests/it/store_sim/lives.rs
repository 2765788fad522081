//! Processes, plans, turns and clocks: how a life is arranged, and that it replays.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater_wal::store::sim::{Actor, Cut, Fault, Op, Process, Random, Sim, SimClock, When};
use headwater_wal::store::{Append, Name, Room, Store};
use headwater_wal::{Clock, Kind, Time};

use super::{Disk, kind, name, put, read};

/// A life full of accidents, that shrugs at every error.
fn live(sim: &Sim) {
    sim.keep_history();
    sim.set_capacity(Some(1 << 16));
    for fault in [Fault::Error, Fault::Partly, Fault::Late, Fault::ExistsOwn, Fault::Rot] {
        sim.plan(When::one_in(12), fault);
    }
    sim.plan(When::one_in(80), Fault::Crash);
    let mut random = Random::new(7);
    for round in 0..20 {
        let process = sim.process();
        let guard = process.append().and_then(|append| append.own().ok());
        let tail = guard
            .as_ref()
            .and_then(|_| process.create(&name(&format!("{round}")), b"", 2048, Room::Written).ok());
        for step in 0..6 {
            let _ = put(&process, &format!("{round}-{step}"), "bytes");
            if let Some(tail) = &tail {
                let _ = tail.write(random.below(4096), &[&[step; 700]]);
                let _ = tail.sync();
            }
            let _ = process.remove(&name(&format!("{round}-{}", random.below(6))));
            process.list(&Name::ROOT).expect("a listing").for_each(drop);
        }
        if round % 2 == 0 { sim.power_cut() } else { sim.process_crash() }
    }
}

#[test]
fn the_same_seed_gives_the_same_life() {
    for make in [Sim::growing, Sim::objects] {
        let tell = |seed| {
            let sim = make(seed);
            live(&sim);
            let bytes: Vec<_> = sim.names().iter().map(|name| sim.read_raw(name)).collect();
            (sim.history(), sim.events(), sim.names(), bytes)
        };
        let first = tell(1);
        assert!(first == tell(1));
        assert!(first.0 != tell(2).0);
        assert!(first.0.len() > 500 && first.1.len() > 8, "{:?}", first.1);
    }
}

#[test]
fn a_plan_counts_only_what_it_can_befall() {
    let sim = Sim::growing(1);
    let (process, other) = (sim.process(), sim.process());
    sim.plan(When::nth(2).of(Op::Read).of(Op::Remove).by(&process).on("a"), Fault::Error);
    sim.plan(When::nth(2), Fault::Rot);
    put(&process, "a", "x").expect("neither reads nor removes");
    put(&process, "b", "x").expect("neither reads nor removes");
    assert_eq!(read(&process, "a"), "x");
    assert_ne!(read(&process, "b"), "x", "the second read of all");
    assert_eq!(read(&other, "a"), "x", "another process");
    other.remove(&name("a")).expect("another process");
    process.remove(&name("b")).expect("another name");
    assert_eq!(kind(process.remove(&name("a"))), Some(Kind::Unavailable));
    process.remove(&name("a")).expect("once");
    let events: Vec<_> = sim.events().into_iter().collect();
    assert_eq!(events, [("read: rot".into(), 1), ("remove: error".into(), 1)]);
}

#[test]
fn a_plan_holds_once_or_from_then_on_or_at_random() {
    let reads = |when: When| {
        let sim = Sim::objects(3);
        sim.write_raw("a", b"x");
        let process = sim.process();
        sim.plan(when, Fault::Error);
        let failed: String =
            (0..40).map(|_| if process.read(&name("a"), 0..1).is_ok() { '.' } else { 'x' }).collect();
        sim.calm();
        read(&process, "a");
        failed
    };
    assert_eq!(reads(When::nth(3)), format!("..x{}", ".".repeat(37)));
    assert_eq!(reads(When::from(3)), format!("..{}", "x".repeat(38)));
    let random = reads(When::one_in(4));
    assert!((3..20).contains(&random.matches('x').count()), "{random}");
}

#[test]
fn every_operation_is_counted_and_told() {
    let disk = Disk::new(1);
    disk.sim.keep_history();
    disk.sim.plan(When::nth(1).of(Op::Write), Fault::Error);
    let tail = disk.create("a", 8);
    let _ = tail.write(2, &[b"ab", b"c"]);
    assert_eq!((disk.sim.operations(), disk.process.operations()), (6, 6));
    assert_eq!((disk.sim.operations_of(Op::Own), disk.sim.operations_of(Op::Sync)), (1, 1));
    let history = disk.sim.history();
    assert_eq!(history[0], "op 2 process 0 create a +8");
    assert_eq!(history[4], "op 6 process 0 write a @2+3: error");
}

#[test]
fn a_crash_at_any_operation_ends_the_process_and_leaves_the_disk() {
    let life = |sim: &Sim| -> headwater_wal::Result<()> {
        let process = sim.process();
        let _guard = process.own()?;
        put(&process, "first", "x")?;
        let tail = process.create(&name("a"), b"head", 1024, Room::Written)?;
        tail.write(512, &[b"more"])?;
        tail.sync()?;
        tail.trim(600)?;
        process.set_aside(&name("a"), &name("b"))
    };
    let sim = Sim::growing(1);
    life(&sim).expect("nothing goes wrong");
    for n in 1..=sim.operations() {
        let sim = Sim::growing(n);
        sim.plan(When::nth(n), Fault::Crash);
        let error = life(&sim).expect_err("the machine is down");
        assert!(matches!(error.kind(), Kind::Unavailable | Kind::Unknown), "{error}");
        assert_eq!(sim.operations(), n, "nothing happens after the crash");
        sim.power_cut();
        let disk = Disk::reopen(&sim);
        if sim.has("b") {
            assert_eq!(read(&disk.process, "b").len(), 600);
        }
    }
}

#[test]
fn a_planned_panic_is_a_panic_and_the_device_goes_on() {
    let disk = Disk::new(1);
    let tail = disk.create("a", 8);
    disk.sim.plan(When::nth(1).of(Op::Write), Fault::Panic);
    let panicked = catch_unwind(AssertUnwindSafe(|| tail.write(0, &[b"x"]))).expect_err("a panic");
    assert!(panicked.downcast_ref::<String>().expect("a text").contains("operation=6 op=write name=a"));
    tail.write(0, &[b"y"]).expect("a write");
    assert_eq!(read(&disk.process, "a").slice(..1), "y");
}

#[test]
fn another_life_fits_into_one_operation() {
    let sim = Sim::objects(1);
    let sleeper = sim.process();
    let heir = sim.process();
    sleeper.before_operation(2, move || put(&heir, "b", "heir").expect("the sleeper sleeps"));
    put(&sleeper, "a", "sleeper").expect("the first operation");
    assert_eq!(kind(put(&sleeper, "b", "sleeper")), Some(Kind::Exists));
    assert_eq!(read(&sleeper, "b"), "heir");

    let heir = sim.process();
    sleeper.before(When::nth(1).of(Op::Put).on("c"), move || put(&heir, "c", "heir").expect("asleep again"));
    put(&sleeper, "d", "sleeper").expect("another name");
    assert_eq!(kind(put(&sleeper, "c", "sleeper")), Some(Kind::Exists));
}

#[test]
fn who_is_killed_asleep_does_not_wake() {
    let disk = Disk::new(1);
    let tail = disk.create("a", 8);
    let process = disk.process.clone();
    // What a visit owns may need the device to be dropped.
    let owned = Arc::new(disk);
    let (sim, kept) = (owned.sim.clone(), owned.clone());
    process.before_operation(9, move || drop(kept));
    drop(owned);
    let killer = process.clone();
    process.before_operation(1, move || killer.kill());
    assert_eq!(kind(tail.write(0, &[b"x"])), Some(Kind::Unavailable));
    assert_eq!(sim.read_raw("a"), [0; 8]);
    let next = process.restart();
    let _guard = next.own().expect("the place is free");
    assert_eq!(kind(process.own()), Some(Kind::Unavailable));
}

#[test]
fn actors_take_turns_as_the_seed_says() {
    let race = |seed| {
        let sim = Sim::objects(seed);
        sim.keep_history();
        let (running, won) = (AtomicU64::new(0), AtomicU64::new(0));
        let actor = || -> Actor<'_> {
            Box::new(|process: Process| {
                for round in 0..8 {
                    assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                    running.fetch_sub(1, Ordering::SeqCst);
                    if put(&process, &format!("{round}"), "x").is_ok() {
                        won.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        };
        sim.take_turns(vec![actor(), actor(), actor()]);
        assert_eq!(won.into_inner(), 8);
        sim.history()
    };
    let lives: Vec<_> = (0..30).map(race).collect();
    assert!(lives == (0..30).map(race).collect::<Vec<_>>(), "the same seed, the same turns");
    let asleep_throughout = |life: &Vec<String>| {
        let who: Vec<_> = life.iter().map(|line| line.split(' ').nth(3)).collect();
        who.windows(2).filter(|pair| pair[0] != pair[1]).count() == 2
    };
    assert!(lives.iter().any(asleep_throughout), "in some lives nobody is interrupted");
    assert!(lives.iter().filter(|life| !asleep_throughout(life)).count() > 10);
}

#[test]
fn actors_of_one_process_go_on_as_they_are_told_and_wait_for_each_other() {
    let disk = Disk::new(1);
    disk.sim.keep_history();
    let (tail, clock, came) = (disk.create("a", 8), SimClock::new(1), AtomicU64::new(0));
    let earlier = disk.sim.history().len();
    assert!(!clock.wait_for_others(), "who is alone waits for nobody");
    let waits: Actor<'_> = Box::new(|_| {
        tail.write(0, &[b"1"]).expect("a write");
        while came.load(Ordering::SeqCst) == 0 {
            assert!(clock.wait_for_others());
        }
        tail.write(3, &[b"4"]).expect("a write");
        assert!(!clock.wait_for_others(), "the other one has ended");
    });
    let comes: Actor<'_> = Box::new(|_| {
        tail.write(1, &[b"2"]).expect("a write");
        tail.sync().expect("nobody is asked who goes on before a sync");
        tail.write(2, &[b"3"]).expect("a write");
        came.store(1, Ordering::SeqCst);
    });
    // At first, before the first write of each, and before the other's second one.
    let mut told = vec![0, 1, 1, 0].into_iter();
    disk.sim.take_turns_as(vec![waits, comes], &[Op::Write], Box::new(move |_| told.next().unwrap_or(0)));
    let history = disk.sim.history().split_off(earlier);
    let places: Vec<_> = history.iter().map(|line| line.rsplit(' ').next().expect("a place")).collect();
    assert_eq!(places, ["@1+1", "a", "@0+1", "@2+1", "@3+1"], "{history:?}");
}

#[test]
fn an_actor_that_panics_or_dies_keeps_nobody_waiting() {
    let sim = Sim::objects(1);
    let finished = AtomicU64::new(0);
    let good: Actor<'_> = Box::new(|process| {
        for round in 0..50 {
            put(&process, &format!("{round}"), "x").expect("a put");
        }
        finished.fetch_add(1, Ordering::SeqCst);
    });
    let dead: Actor<'_> = Box::new(|process| {
        process.kill();
        while put(&process, "a", "x").is_err() && finished.load(Ordering::SeqCst) == 0 {}
        put(&process.restart(), "a", "x").expect("a new life in the same seat");
    });
    let bad: Actor<'_> = Box::new(|process| {
        put(&process, "b", "x").expect("a put");
        panic!("an actor's own fault");
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| sim.take_turns(vec![bad, good, dead])));
    assert_eq!(panicked.expect_err("a panic").downcast_ref(), Some(&"an actor's own fault"));
    assert_eq!(finished.into_inner(), 1);
    assert!(sim.has("a"));
}

#[test]
fn a_fork_has_the_same_past_and_another_future() {
    let disk = Disk::new(1);
    let tail = disk.create("a", 4);
    tail.write(0, &[b"more"]).expect("a write");
    let futures = [disk.sim.fork(1), disk.sim.fork(2)];
    futures[0].power_cut_as(Cut::LoseAll);
    futures[1].power_cut_as(Cut::KeepAll);
    assert_eq!((futures[0].read_raw("a"), futures[1].read_raw("a")), (vec![0; 4], b"more".to_vec()));
    tail.sync().expect("this one has no part in it");
    futures[0].process().own().expect("nobody owns a fork");
}

#[test]
fn a_clock_jumps_and_stands_still_when_told() {
    let clock = SimClock::new(1);
    assert_eq!(clock.wall().to_string(), "2026-01-01T00:00:00.000Z");
    clock.advance(Duration::from_secs(2));
    clock.jump(-3_000);
    assert_eq!(
        (clock.wall().to_string().as_str(), clock.elapsed().as_secs()),
        ("2025-12-31T23:59:59.000Z", 2)
    );
    clock.jump(i64::MIN);
    assert_eq!((clock.wall(), clock.elapsed().as_secs()), (Time(0), 2));
    clock.stand_still(true);
    clock.advance(Duration::from_secs(5));
    assert_eq!((clock.wall(), clock.elapsed().as_secs()), (Time(5_000), 2));
    clock.stand_still(false);
    clock.advance(Duration::from_secs(1));
    assert_eq!(clock.elapsed().as_secs(), 3);

    let (same, other) = (SimClock::new(1), SimClock::new(2));
    let drawn = [same.random(), same.random(), other.random()];
    assert_eq!(drawn[0], clock.random());
    assert!(drawn[0] != drawn[1] && drawn[0] != drawn[2] && drawn[1] != drawn[2]);
}
