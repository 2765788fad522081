//! Two and three writers at once, that change places at any operation of the device.

use headwater_wal::store::sim::{Actor, Fault, Op, Random, When};
use headwater_wal::{Durability, Position};

use super::random::{Lives, options};
use super::tally::Tally;
use super::world::{World, replayable};

/// Runs the life of this seed.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let growing = random.one_in(3);
    let durability = if random.one_in(4) { Durability::Process } else { Durability::Power };
    let world = World::new(growing, seed, options(&mut random, durability), durability, tally);
    world.sim.keep_history();
    replayable(&format!("HEADWATER_SEED={seed}"), &world, || {
        if random.coin() {
            world.recover().leave();
        }
        for _ in 0..random.below(3) {
            let faults = [
                Fault::Late,
                Fault::Held,
                Fault::AnswerLost,
                Fault::RequestLost,
                Fault::ExistsOwn,
                Fault::ExistsNothing,
                Fault::Error,
                Fault::Throttled,
            ];
            let fault = faults[random.below(8) as usize];
            world.sim.plan(When::one_in(20 + random.below(30)).of(Op::Put).of(Op::Remove), fault);
        }
        if random.coin() {
            let fault = [Fault::Lagging, Fault::Stale][random.below(2) as usize];
            world.stale_listings(fault == Fault::Stale);
            world.sim.plan(When::one_in(1 + random.below(6)).of(Op::List), fault);
        }
        let actors = (0..2 + random.below(2)).map(|_| {
            let (world, seed) = (world.share(), random.draw());
            Box::new(move |process| {
                let mut lives = Lives::new(world.share(), Random::new(seed));
                let mut process: headwater_wal::store::sim::Process = process;
                for _ in 0..1 + lives.random.below(3) {
                    match world.start_in(&process, Position::START) {
                        Ok(mut writer) => {
                            world.tally.count("lives beside others");
                            writer.check_recovered();
                            for _ in 0..lives.random.below(10) {
                                lives.quiet_call(&mut writer);
                            }
                            if lives.random.coin() { writer.leave() } else { writer.die() }
                        }
                        Err(error) => {
                            world.tally.count(format!("starts beside others: {}", error.kind()));
                            world.explained(&error);
                        }
                    }
                    process = process.restart();
                }
                process.kill();
            }) as Actor<'_>
        });
        world.sim.take_turns(actors.collect());
        world.sim.calm();
        world.stale_listings(false);
        let mut heir = world.recover();
        world.sim.land_all();
        heir.append(100);
        heir.wait_for_all();
        heir.check_recovered();
        heir.leave();
        world.look_around();
        world.recover().die();
    });
    tally.device(&world.sim);
}
