//! Every order in which lanes can bring a few groups to the device, with an end at every operation of every order.

use std::sync::Arc;

use headwater_wal::store::sim::{Actor, Fault, Op, When};
use headwater_wal::{Durability, Position};
use parking_lot::Mutex;

use super::exhaustive::{ENDS, recover_and_go_on, was_met};
use super::flights::Flights;
use super::tally::Tally;
use super::world::{World, replayable, small};

/// What is handed in, each in a group of its own, and who brings it to the device.
#[derive(Clone, Copy, Debug)]
struct Case {
    lens: &'static [usize],
    lanes: usize,
    /// Somebody waits for a seal meanwhile.
    seals: bool,
}

/// No record is smaller than one before it, so that none waits for more to come. The last one of the third case needs a
/// segment of its own. Of three lanes there are so many orders that nothing else goes wrong in them.
const CASES: [Case; 5] = [
    Case { lens: &[300, 300], lanes: 2, seals: false },
    Case { lens: &[40, 900, 1600], lanes: 2, seals: false },
    Case { lens: &[300, 300, 13_000], lanes: 2, seals: false },
    Case { lens: &[300, 700, 700], lanes: 3, seals: false },
    Case { lens: &[300, 1100], lanes: 1, seals: true },
];

const FAULTS: [Fault; 5] = [Fault::Crash, Fault::Error, Fault::Partly, Fault::Full, Fault::Panic];

/// In a bucket, where a group is a put.
const PUTS: [Case; 4] = [
    Case { lens: &[300, 300], lanes: 2, seals: false },
    Case { lens: &[40, 900, 1600], lanes: 2, seals: false },
    Case { lens: &[300, 700, 700], lanes: 3, seals: false },
    Case { lens: &[300, 1100], lanes: 1, seals: true },
];

const FAULTS_OF_PUTS: [Fault; 9] = [
    Fault::Crash,
    Fault::Error,
    Fault::Full,
    Fault::Panic,
    Fault::AnswerLost,
    Fault::RequestLost,
    Fault::Held,
    Fault::ExistsOwn,
    Fault::ExistsNothing,
];

/// Runs them all, on a disk or in a bucket.
pub(crate) fn run(growing: bool, tally: &Tally) {
    let (cases, all) = if growing { (&CASES[..], &FAULTS[..]) } else { (&PUTS[..], &FAULTS_OF_PUTS[..]) };
    for &case in cases {
        each_order(growing, case, None, tally);
        let faults = if case.lanes > 2 { &[][..] } else { all };
        for &fault in faults {
            let mut point = 1;
            while each_order(growing, case, Some((fault, point)), tally) {
                point += 1;
            }
        }
    }
}

/// Every order with this fault at this operation; whether there is such an operation.
fn each_order(growing: bool, case: Case, fault: Option<(Fault, u64)>, tally: &Tally) -> bool {
    let walk = Arc::new(Mutex::new(Walk::default()));
    let (mut met, mut number) = (false, 0);
    loop {
        number += 1;
        // A summary is a put too, and would make the orders too many.
        let options = small(Durability::Power).group_bytes_max(1).summary_segments(1 << 14);
        let world = World::new(growing, number, options, Durability::Power, tally);
        world.sim.keep_history();
        replayable(&format!("growing {growing} {case:?} {fault:?} order {number}"), &world, || {
            let fell = live(&world, case, fault, &walk);
            met |= fell;
            tally.count("orders");
            // A fault that this order does not come to has nothing to show.
            if fell || fault.is_none() {
                let all = matches!(fault, Some((Fault::Crash, _))) && growing;
                for (which, end) in ENDS.into_iter().enumerate() {
                    if all || number as usize % ENDS.len() == which {
                        let ended = world.fork(number ^ (which as u64) << 32);
                        ended.end(end);
                        if number % 2 == 0 {
                            // What was under way arrives before the heir comes; else behind its decision, and is dead.
                            ended.sim.land_all();
                        }
                        recover_and_go_on(&ended);
                        tally.device(&ended.sim);
                    }
                }
            }
        });
        tally.device(&world.sim);
        Flights::default().count(&world.sim.history(), tally);
        if !walk.lock().next() {
            return met;
        }
    }
}

/// Lives one order; whether the fault befell anything.
fn live(world: &World, case: Case, fault: Option<(Fault, u64)>, walk: &Arc<Mutex<Walk>>) -> bool {
    let mut writer = world.start_in(&world.sim.process(), Position::START).expect("a calm device");
    writer.append(100);
    writer.wait_for_all();
    case.lens.iter().for_each(|&len| writer.append(len));
    if let Some((fault, point)) = fault {
        world.sim.plan(When::nth(point), fault);
    }
    let mut actors: Vec<Actor<'_>> = Vec::new();
    for _ in 0..case.lanes {
        let lane = writer.lane();
        actors.push(Box::new(move |_| while lane.turn() {}));
    }
    if case.seals {
        actors.push(Box::new(|_| writer.seal()));
    }
    // Lanes are all alike, so it does not matter which one begins.
    let (walk, mut alike) = (walk.clone(), !case.seals);
    let schedule = move |of| if std::mem::take(&mut alike) { 0 } else { walk.lock().choose(of) };
    world.sim.take_turns_as(actors, &[Op::Write, Op::Sync, Op::Put], Box::new(schedule));
    world.sim.calm();
    writer.wait_for_all();
    assert!(!writer.waits(), "there is nothing to do, and somebody waits");
    writer.append(40);
    writer.wait_for_all();
    writer.check_recovered();
    writer.die();
    was_met(world)
}

/// A walk through all schedules: what was chosen so far, of how many, and how many of these choices were asked for.
#[derive(Debug, Default)]
struct Walk(Vec<(usize, usize)>, usize);

impl Walk {
    fn choose(&mut self, of: usize) -> usize {
        let Walk(choices, at) = self;
        if *at == choices.len() {
            choices.push((0, of));
        }
        *at += 1;
        assert_eq!(choices[*at - 1].1, of, "the same choices lead to the same place");
        choices[*at - 1].0
    }

    /// Goes on to the next schedule, if there is one.
    fn next(&mut self) -> bool {
        let Walk(choices, at) = self;
        assert_eq!(std::mem::take(at), choices.len(), "the same choices are asked for");
        while choices.pop_if(|(chosen, of)| *chosen + 1 == *of).is_some() {}
        let Some((chosen, _)) = choices.last_mut() else { return false };
        *chosen += 1;
        true
    }
}
