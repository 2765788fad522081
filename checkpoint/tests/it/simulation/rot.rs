//! Bytes that rot: what is read is right or refused, and an heir goes on from what is left.

use std::collections::BTreeSet;

use headwater_checkpoint::{Checkpoint, Checkpoints, Held, Id, Owner, Writer};
use headwater_wal::Kind;
use headwater_wal::store::sim::Random;

use super::files;
use super::random::call;
use super::tally::Tally;
use super::world::{World, options};
use crate::fixture::{IDENTITY, at, noise};

/// Runs the life of this seed.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let world = World::new(random.coin(), seed, tally);
    world.replayable(&format!("HEADWATER_SEED={seed}"), || {
        for _ in 0..1 + random.below(2) {
            let mut life = world.recover();
            (0..2 + random.below(8)).for_each(|_| call(&mut life, &mut random));
            life.leave();
        }
        let rotten = spoil(&world, &mut random);
        verify_tells(&world, &rotten);
        go_on(&world, &rotten);
    });
}

/// Flips a bit of a few files, or cuts them.
fn spoil(world: &World, random: &mut Random) -> BTreeSet<String> {
    let names: Vec<String> = world.sim.names().into_iter().filter(|name| !name.ends_with(".epoch")).collect();
    let mut rotten = BTreeSet::new();
    for _ in 0..random.below(4).min(names.len() as u64) {
        let name = &names[random.below(names.len() as u64) as usize];
        let len = world.sim.read_raw(name).len() as u64;
        if !rotten.insert(name.clone()) {
            continue;
        }
        if random.one_in(3) {
            world.sim.cut(name, random.below(len) as usize);
        } else {
            world.sim.flip(name, random.below(len) as usize, random.below(8) as u8);
        }
        world.tally.count(if name.ends_with(".ckpt") { "rotten heads" } else { "rotten parts" });
    }
    rotten
}

/// A check of everything names each checkpoint that has a rotten file, the file, and no other.
fn verify_tells(world: &World, rotten: &BTreeSet<String>) {
    let look = Checkpoints::open(world.sim.store());
    let ids = look.list().unwrap();
    for (id, errors) in look.verify(&ids).unwrap() {
        let mut hit = &world.model().files([&id]) & rotten;
        for error in errors {
            assert_eq!(error.kind(), Kind::Damaged, "{id} {error}");
            assert!(rotten.contains(&*error.site().unwrap().name), "{id} {error}");
            hit.remove(&*error.site().unwrap().name);
        }
        // Which parts a head names that does not verify is not known.
        assert!(hit.is_empty() || rotten.contains(&files::head(id)), "not told of: {id} {hit:?}");
    }
}

/// An heir restores the newest of which every byte is right, and its first checkpoint is whole.
fn go_on(world: &World, rotten: &BTreeSet<String>) {
    let process = world.sim.process();
    let epoch = world.next_epoch();
    let look = Checkpoints::open(process.store());
    let listed = look.list().unwrap();
    let owner = Owner { identity: IDENTITY, epoch };
    let started = Writer::start_with(look.clone(), owner, options(), &Held::nothing(), world.clock.clone());
    let (mut writer, latest) = started.unwrap();
    let (mut found, mut fell) = (latest.checkpoint, false);
    while let Some(bad) = found.as_ref().filter(|found| !reads(world, &look, found)) {
        fell = true;
        world.tally.count("fall back from rot");
        assert!(
            !(&world.model().files([&bad.id()]) & rotten).is_empty(),
            "nothing of it had rotted: {bad:?}"
        );
        found = writer.fall_back(&Held::nothing()).unwrap().checkpoint;
    }
    let whole = |id: &&Id| (&world.model().files([*id]) & rotten).is_empty();
    let newest = listed.iter().rev().find(whole).copied();
    let restored = found.as_ref().map(Checkpoint::id);
    // What is not kept with one whose head is good is dead, and may be swept at any time.
    assert!(restored >= newest || fell, "a whole one was passed over: {restored:?} {newest:?}");
    world.tally.count(if restored.is_some() { "restored" } else { "nothing left" });
    let mut draft = writer.draft().unwrap();
    let shares = draft.follows().is_some();
    assert!(!(shares && fell), "shared after a fall-back");
    if shares {
        for section in found.iter().flat_map(|found| found.sections()) {
            draft.keep(section.name()).unwrap();
        }
    }
    draft.write("new", &noise(1, 100)).unwrap();
    let id = draft.publish(&at(1)).unwrap();
    let newest = look.latest(&Held::nothing()).unwrap().checkpoint.unwrap();
    assert_eq!(newest.id(), id);
    let errors = look.verify(&[id]).unwrap().remove(&id).unwrap();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Whether all of it can be read; it is never wrong.
fn reads(world: &World, look: &Checkpoints, found: &Checkpoint) -> bool {
    let attempt = world.model().attempts[&found.id()].clone();
    attempt.sections.iter().all(|(name, section)| {
        let read = look.read_section(found, name).and_then(|reader| reader.read_all(1 << 20));
        read.as_ref().inspect(|bytes| assert_eq!(**bytes, section.bytes, "other bytes (P3)")).is_ok()
    })
}
