//! Every short sequence of calls, with an end at every operation of the device, and another at every operation of the
//! recovery.

use headwater_wal::store::sim::{Cut, Fault, Op, When};
use headwater_wal::{Durability, Options, Time};

use super::tally::Tally;
use super::world::{End, World, replayable, small};
use super::writer::Writer;

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Append,
    Wait,
    Seal,
    Retire,
    Close,
}

const CALLS: [Call; 5] = [Call::Append, Call::Wait, Call::Seal, Call::Retire, Call::Close];

pub(crate) const ENDS: [End; 6] = [
    End::Power(Cut::LoseAll),
    End::Power(Cut::KeepAll),
    End::Power(Cut::Sectors),
    End::Power(Cut::Writes),
    End::Kill,
    End::KillAndForget,
];

/// What befalls an operation. The crash comes first: it is the one that every sequence meets.
const FAULTS: [Fault; 11] = [
    Fault::Crash,
    Fault::Error,
    Fault::Partly,
    Fault::Full,
    Fault::Panic,
    Fault::AnswerLost,
    Fault::RequestLost,
    Fault::Late,
    Fault::Held,
    Fault::ExistsOwn,
    Fault::ExistsNothing,
];

/// Which sequences, and how much of the product.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) growing: bool,
    pub(crate) durability: Durability,
    pub(crate) length: usize,
    /// Of the second ends, in the recovery, one in so many, in turn.
    pub(crate) stride: u64,
}

impl Scope {
    fn options(&self) -> Options {
        small(self.durability)
    }

    /// A log with a past: something sealed, something retired, something not sealed.
    fn world(&self, seed: u64, tally: &Tally) -> World {
        let world = World::new(self.growing, seed, self.options(), self.durability, tally);
        let mut writer = world.recover();
        writer.append(900);
        writer.wait_for_all();
        writer.seal();
        writer.append(700);
        writer.wait_for_all();
        writer.die();
        world.end(End::Kill);
        world
    }
}

/// Runs every sequence up to the length.
pub(crate) fn run(scope: &Scope, tally: &Tally) {
    let mut sequences = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..scope.length {
        let to = sequences.len();
        for at in from..to {
            for call in CALLS {
                sequences.push([&sequences[at][..], &[call]].concat());
            }
        }
        from = to;
    }
    for (number, sequence) in sequences.iter().enumerate() {
        // Behind a close everything is refused; one such call is enough.
        let closed = sequence.iter().position(|&call| call == Call::Close);
        if closed.is_none_or(|at| at + 2 >= sequence.len()) {
            each_end(scope, number as u64, sequence, tally);
        }
    }
}

fn call(writer: &mut Writer, call: Call, number: usize) {
    match call {
        // The second is longer than a group may be, the third than a segment.
        Call::Append => writer.append([300, 1600, 13_000, 0][number % 4]),
        Call::Wait => writer.wait(),
        Call::Seal => writer.seal(),
        Call::Retire => drop(writer.retire(Time::MAX)),
        Call::Close => writer.close(),
    }
}

/// Runs a sequence again and again, with a fault at each operation of its last call, and an end behind it. The calls
/// before are the last ones of shorter sequences.
fn each_end(scope: &Scope, number: u64, sequence: &[Call], tally: &Tally) {
    let past = scope.world(number, tally);
    for fault in FAULTS {
        let mut point = 1;
        while one_end(scope, &past, number, sequence, fault, point, tally) {
            point += 1;
        }
    }
}

/// Whether there is such a point.
fn one_end(
    scope: &Scope,
    past: &World,
    number: u64,
    sequence: &[Call],
    fault: Fault,
    point: u64,
    tally: &Tally,
) -> bool {
    let mut met = false;
    // A request that had left when its sender died may have come, come later, or not at all.
    let repeats = if fault == Fault::Crash && !scope.growing { 4 } else { 1 };
    for repeat in 0..repeats {
        let told = format!("{scope:?} sequence {number} {sequence:?} {fault:?} {point} {repeat}");
        let world = past.fork(number ^ point << 20 ^ repeat << 40);
        replayable(&told, &world, || {
            met = end_in_last_call(&world, sequence, fault, point);
            if met {
                tally.count(format!("points: {fault:?}"));
                let chosen =
                    |which: usize| fault == Fault::Crash || (number + point) as usize % ENDS.len() == which;
                for (which, end) in ENDS.into_iter().enumerate().filter(|(which, _)| chosen(*which)) {
                    if scope.growing {
                        each_second_end(scope, &world, end, number + point * 7 + which as u64, tally);
                    }
                }
                if !scope.growing {
                    each_second_end(scope, &world, End::Kill, number + point * 7 + repeat, tally);
                }
            }
            tally.device(&world.sim);
        });
    }
    met
}

/// Lives up to the `point`th operation of the last call that the fault can befall; whether there is one.
fn end_in_last_call(world: &World, sequence: &[Call], fault: Fault, point: u64) -> bool {
    let process = world.sim.process();
    let Some((last, before)) = sequence.split_last() else {
        // Of the empty sequence, the ends are in its start.
        if fault == Fault::Panic {
            return false; // the caller's own
        }
        world.sim.plan(When::nth(point), fault);
        let started = world.start_in(&process, Default::default());
        world.sim.calm();
        started.into_iter().for_each(Writer::die);
        return was_met(world);
    };
    let mut writer = world.start_in(&process, Default::default()).expect("a calm device");
    writer.check_recovered();
    for (at, &made) in before.iter().enumerate() {
        call(&mut writer, made, at);
    }
    let mut when = When::nth(point);
    if fault == Fault::Panic && *last == Call::Retire && !world.growing {
        // In a bucket, what was retired is removed by who asked for it: a panic in that is the caller's own.
        when = when.of(Op::Put);
    }
    world.sim.plan(when, fault);
    call(&mut writer, *last, before.len());
    world.sim.calm();
    if fault != Fault::Crash {
        // Whatever it was, the writer goes on or has failed for good; and it never says what is not so.
        writer.wait_for_all();
        writer.append(40);
        writer.wait_for_all();
        writer.rest();
        writer.check_recovered();
    }
    writer.die();
    was_met(world)
}

/// Whether a planned fault befell anything.
pub(crate) fn was_met(world: &World) -> bool {
    // These come of themselves.
    let by_itself = ["late", "cache", "read begun ahead"];
    world.sim.events().keys().any(|event| !by_itself.iter().any(|beginning| event.starts_with(beginning)))
}

/// The end, then a recovery that ends at each of its operations, then one that does not.
fn each_second_end(scope: &Scope, world: &World, end: End, number: u64, tally: &Tally) {
    let ended = world.fork(number);
    ended.end(end);
    recover_and_go_on(&ended);
    let mut point = 1 + number % scope.stride;
    loop {
        let world = ended.fork(number ^ point << 32);
        world.sim.plan(When::nth(point), Fault::Crash);
        let started = world.start_in(&world.sim.process(), Default::default());
        world.sim.calm();
        let Err(error) = started else { return started.into_iter().for_each(Writer::die) };
        world.explained(&error);
        tally.count("crash points in a recovery");
        let second = ENDS[(number + point) as usize % ENDS.len()];
        world.end(if scope.growing { second } else { End::Kill });
        let writer = world.recover();
        writer.die();
        point += scope.stride;
    }
}

/// After any end the log starts, has what it must, takes more, and has that the next time.
pub(crate) fn recover_and_go_on(world: &World) {
    world.look_around();
    let mut writer = world.recover();
    writer.append(500);
    world.sim.land_all();
    writer.append(100);
    writer.wait_for_all();
    writer.leave();
    world.look_around();
    world.recover().die();
}
