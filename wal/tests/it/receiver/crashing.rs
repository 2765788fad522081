//! Everything dies, at any operation of the device; the source sends again; each record is found once.

use headwater_wal::Kind;
use headwater_wal::receiver::{Pushed, Receiver, Reliable};
use headwater_wal::store::sim::{Fault, Random, Sim, When};

use super::{Scene, record};

const PARTITIONS: u32 = 3;

/// The source's side of one life: where it goes on in each partition.
struct Sending([u64; PARTITIONS as usize]);

impl Sending {
    /// It sends again from what it was told last.
    fn again(scene: &Scene) -> Sending {
        Sending(std::array::from_fn(|partition| scene.safe(partition as u32)))
    }

    fn send(&mut self, receiver: &Receiver<Reliable>, partition: u32) {
        let next = &mut self.0[partition as usize];
        if let Ok(Pushed::Taken | Pushed::Known) =
            receiver.try_push(partition, *next, &record(partition, *next))
        {
            *next += 1;
        }
    }
}

/// Lives of a receiver that end in a crash, a failure or a replacement, and a last one that drains.
fn live(seed: u64) -> (u64, u64) {
    let mut random = Random::new(seed);
    let sim = if random.coin() { Sim::growing(seed) } else { Sim::objects(seed) };
    let mut scene = Scene::on(sim);
    let mut zombies: Vec<Receiver<Reliable>> = Vec::new();
    let (lives, mut most) = (2 + random.below(5), [0; PARTITIONS as usize]);
    for life in 0..lives {
        if life > 0 || random.coin() {
            let fault = [Fault::Crash, Fault::Crash, Fault::Error, Fault::Partly][random.below(4) as usize];
            scene.sim.plan(When::nth(1 + random.below(120)).by(&scene.process), fault);
        }
        let Ok(receiver) = scene.try_start() else {
            scene.book().away = 0;
            scene.crash(random.coin());
            zombies.clear();
            continue;
        };
        let mut sending = Sending::again(&scene);
        for _ in 0..random.below(250) {
            match random.below(20) {
                0..=8 => sending.send(&receiver, random.below(u64::from(PARTITIONS)) as u32),
                9 => scene.pass(random.below(120)),
                10 => scene.book().away = random.below(3) as u32,
                11 => scene.book().answers_lost = random.below(2) as u32,
                12 => *scene.source.away.lock() = random.below(2) as u32,
                13 => scene.book().has_room = random.below(4) > 0,
                14 => zombies.iter().for_each(|zombie| _ = zombie.turn()),
                _ => _ = receiver.turn(),
            }
        }
        (0..most.len()).for_each(|at| most[at] = most[at].max(sending.0[at]));
        scene.book().away = 0;
        scene.book().answers_lost = 0;
        if scene.sim.store().append().is_none() && random.one_in(2) {
            zombies.push(receiver); // it does not know that it is replaced
            scene.sim.calm();
            scene.elsewhere();
        } else {
            scene.crash(random.coin());
            zombies.clear();
            drop(receiver);
        }
    }
    scene.book().has_room = true;
    *scene.source.away.lock() = 0;
    scene.sim.calm();
    let receiver = scene.start();
    let mut sending = Sending::again(&scene);
    for _ in 0..10_000 {
        let behind = (0..PARTITIONS).find(|&at| sending.0[at as usize] < most[at as usize]);
        zombies.iter().for_each(|zombie| _ = zombie.turn());
        match behind {
            Some(partition) => sending.send(&receiver, partition),
            None if receiver.lag().records == 0 => break,
            None => {}
        }
        scene.pass(20);
        receiver.turn();
    }
    assert!(receiver.failure().is_none(), "{:?}", receiver.failure());
    (0..PARTITIONS).for_each(|partition| scene.has_each_once(partition, most[partition as usize]));
    (0..PARTITIONS).for_each(|at| assert_eq!(scene.safe(at), most[at as usize], "all of it is acknowledged"));
    let book = scene.book();
    (book.taken.len() as u64, book.passed.len() as u64)
}

#[test]
fn every_record_is_found_once_whatever_dies_and_whenever() {
    let one = std::env::var("HEADWATER_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds: u64 = std::env::var("HEADWATER_SEEDS").map_or(400, |seeds| seeds.parse().unwrap());
    let (mut taken, mut passed) = (0, 0);
    for seed in one.map_or(0..seeds, |seed| seed..seed + 1) {
        let done = std::panic::catch_unwind(|| live(seed));
        let (more, over) = done.unwrap_or_else(|_| panic!("HEADWATER_SEED={seed}"));
        (taken, passed) = (taken + more, passed + over);
    }
    println!("blocks taken={taken} passed over={passed}");
    assert!(one.is_some() || taken > seeds, "there was something to lose");
}

#[test]
fn a_crash_at_each_operation_in_turn_loses_nothing() {
    let mut crashes = 0;
    for growing in [true, false] {
        for nth in 1.. {
            let sim = if growing { Sim::growing(nth) } else { Sim::objects(nth) };
            let mut scene = Scene::on(sim);
            scene.sim.plan(When::nth(nth), Fault::Crash);
            if let Ok(receiver) = scene.try_start() {
                let mut sending = Sending([0; 3]);
                for _ in 0..40 {
                    sending.send(&receiver, 0);
                    scene.pass(30);
                    receiver.turn();
                }
                (0..20).for_each(|_| _ = receiver.turn());
                if receiver.failure().is_none() && scene.sim.operations() < nth {
                    break;
                }
                let kind = receiver.failure().map(|error| error.kind());
                assert!(kind != Some(Kind::Damaged), "{:?}", receiver.failure());
            }
            crashes += 1;
            scene.crash(nth % 2 == 0);
            let receiver = scene.start();
            let mut sending = Sending::again(&scene);
            while sending.0[0] < 40 {
                assert!(receiver.failure().is_none(), "{:?}", receiver.failure());
                sending.send(&receiver, 0);
                receiver.turn();
            }
            scene.pass(200);
            super::settle(&receiver);
            scene.has_each_once(0, 40);
        }
    }
    assert!(crashes > 40, "{crashes}");
}
