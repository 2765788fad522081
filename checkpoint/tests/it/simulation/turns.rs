//! Two and three writers at once and a reader, that change places at any operation of the device.

use headwater_wal::store::sim::{Actor, Process, Random};

use super::random::{call, plan_faults, the_last_word};
use super::tally::Tally;
use super::world::World;

/// Runs the lives of this seed.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let world = World::new(random.one_in(4), seed, tally);
    run_in(world, random, seed, tally);
}

/// Runs the lives of this seed where files have leases.
pub(crate) fn run_under_leases(seed: u64, tally: &Tally) {
    run_in(World::under_leases(seed, tally), Random::new(seed), seed, tally);
}

fn run_in(mut world: World, mut random: Random, seed: u64, tally: &Tally) {
    world.crowd = true;
    world.replayable(&format!("HEADWATER_SEED={seed}"), || {
        if random.coin() {
            let mut past = world.recover();
            for _ in 0..random.below(4) {
                call(&mut past, &mut random);
            }
            past.leave();
        }
        let faulty = random.coin();
        let writers = (0..2 + random.below(2)).map(|_| {
            let (world, mut random) = (world.clone(), Random::new(random.draw()));
            Box::new(move |process: Process| {
                let mut process = process;
                for _ in 0..1 + random.below(3) {
                    if faulty {
                        plan_faults(&world, &process, &mut random);
                    }
                    let alone = random.one_in(4).then(|| world.epoch_alone(&process)).flatten();
                    let epoch = alone.unwrap_or_else(|| world.next_epoch());
                    match world.start_in(&process, epoch) {
                        Ok(mut life) => {
                            world.tally.count("lives beside others");
                            for _ in 0..random.below(10) {
                                call(&mut life, &mut random);
                            }
                            life.leave();
                        }
                        Err(error) => world.tally.count(format!("starts beside others: {}", error.kind())),
                    }
                    process = process.restart();
                }
                process.kill();
            }) as Actor<'_>
        });
        let mut actors: Vec<Actor<'_>> = writers.collect();
        let (reads, reader) = (random.below(6), world.clone());
        actors.push(Box::new(move |process| (0..reads).for_each(|_| reader.read_beside(&process))));
        world.sim.take_turns(actors);
        the_last_word(&world);
    });
    tally.device(&world.sim);
}
