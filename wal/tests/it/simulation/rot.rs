//! Rot: bytes change behind everybody's back. Whatever was acknowledged and is hit is told of, never passed over; all
//! the rest stays readable.

use std::ops::Range;

use headwater_wal::format::frame::{FRAME_HEADER_BYTES, frame_len};
use headwater_wal::format::group::GROUP_HEADER_BYTES;
use headwater_wal::format::name;
use headwater_wal::store::sim::Random;
use headwater_wal::{Depth, Durability, Handle, Kind, Log, Position, Reader, look};

use super::model::Append;
use super::random::options;
use super::tally::Tally;
use super::world::{World, replayable, small};

/// Runs the life of this seed.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let options = options(&mut random, Durability::Power);
    let world = World::new(random.coin(), seed, options, Durability::Power, tally);
    world.sim.keep_history();
    replayable(&format!("HEADWATER_SEED={seed}"), &world, || {
        for _ in 0..1 + random.below(3) {
            let mut writer = world.recover();
            for _ in 0..2 + random.below(12) {
                let most = [300, 3000][random.below(2) as usize];
                // Some are equally long, so that one can lie in the place of another.
                writer.append(if random.coin() { 200 } else { random.below(most) as usize });
                match random.below(6) {
                    0 => writer.seal(),
                    1..4 => writer.wait_for_all(),
                    _ => {}
                }
            }
            writer.wait_for_all();
            if random.coin() { writer.die() } else { writer.leave() }
        }
        rot(&world, &mut random);
    });
    tally.device(&world.sim);
}

fn rot(world: &World, random: &mut Random) {
    let acknowledged: Vec<Append> =
        world.model.lock().appends.iter().filter(|append| append.is_there()).cloned().collect();
    let hit = &acknowledged[random.below(acknowledged.len() as u64) as usize];
    let handle = hit.handle.unwrap();
    let (file, offset) = (name::segment(handle.base()), handle.position().since(handle.base()) as usize);
    let frame = FRAME_HEADER_BYTES as usize + handle.stored_len() as usize;
    let len = world.sim.read_raw(&file).len();
    // What was changed, as offsets in the file.
    let changed: Range<usize> = match random.below(9) {
        7 | 8 => match misplaced(world, &acknowledged, &handle) {
            true => offset..offset + frame,
            false => flip(world, random, &file, offset..offset + frame),
        },
        0 => flip(world, random, &file, offset..offset + FRAME_HEADER_BYTES as usize),
        1 | 2 => flip(world, random, &file, offset..offset + frame),
        3 => flip(world, random, &file, offset - GROUP_HEADER_BYTES as usize..offset),
        4 => {
            let end = (offset + 1 + random.below(2000) as usize).min(len);
            world.sim.zero(&file, offset..end);
            offset..end
        }
        5 => {
            world.sim.cut(&file, offset + random.below(frame as u64) as usize);
            offset..len
        }
        _ => {
            world.sim.remove_file(&file);
            0..len
        }
    };
    let hits = |of: &Handle, len: usize| {
        let at = of.position().since(of.base()) as usize;
        of.base() == handle.base() && at < changed.end && changed.start < at + len
    };
    let is_hit = |of: &Handle| hits(of, FRAME_HEADER_BYTES as usize + of.stored_len() as usize);
    // The zeros behind a payload are part of its frame, which a replay verifies whole.
    let frame_is_hit = |of: &Handle| hits(of, frame_len(of.stored_len()) as usize);
    let names: Vec<_> = world.sim.names();
    let image = || names.iter().map(|name| world.sim.read_raw(name)).collect::<Vec<_>>();
    let before = image();
    // A later segment says that all before it was acknowledged; the last one needs somebody who knows.
    let is_last = world.sim.names().iter().all(|name| *name <= file || name.contains('/'));
    let promised = if is_last || random.coin() { world.model.lock().promised() } else { Position::START };
    let store = world.sim.store();

    // A full look always tells.
    let told = look(&*store, promised, Depth::Full).expect("a calm device");
    world.tally.survey(&told);
    assert!(told.damage_count() > 0, "rot at {file} {changed:?} is not told of (P4): {told}");

    // Everything around it is read by its handle, and what was hit never is.
    let reader = Reader::open(store.clone()).unwrap();
    for append in &acknowledged {
        let of = append.handle.unwrap();
        match reader.read(&of) {
            Ok(record) => {
                assert!(!is_hit(&of), "what rotted was read (P3): {of}");
                world.model.lock().recognise(&record);
            }
            Err(error) => {
                assert!(is_hit(&of), "what did not rot cannot be read (P4): {error:?}");
                assert!(matches!(error.kind(), Kind::Damaged | Kind::NotThere), "{error:?}");
            }
        }
    }

    // A start refuses it and changes nothing, or goes on, and a replay tells where something is missing.
    let opened = Log::open_with(store, world.options.clone(), world.clock.clone()).expect("a calm device");
    world.tally.survey(opened.survey());
    match opened.start_stepped(promised) {
        Err(error) => {
            assert_eq!(error.kind(), Kind::Damaged, "{error:?}");
            assert!(error.to_string().contains("wal-inspect"), "{error}");
            assert!(
                before == image() && names == world.sim.names(),
                "a refused start changed something (P7)"
            );
            world.tally.count("rot: refused");
        }
        Ok(log) => {
            let (mut records, mut errors) = (Vec::new(), 0);
            for item in log.replay(Position::START).unwrap() {
                match item {
                    Ok(record) => records.push(world.model.lock().recognise(&record)),
                    Err(error) => {
                        assert_eq!(error.kind(), Kind::Damaged, "{error:?}");
                        errors += 1;
                    }
                }
            }
            let mut model = world.model.lock();
            let mut missing = acknowledged.iter().filter(|append| !frame_is_hit(&append.handle.unwrap()));
            let missing =
                missing.find(|append| !records.iter().any(|&id| model.appends[id].time == append.time));
            assert!(
                missing.is_none(),
                "a record beside the rot {file} {changed:?} is not replayed (P4): {missing:?} {told}"
            );
            assert!(errors > 0, "a replay passes over rot (P4)");
            model.violation = None;
            world.tally.count("rot: told by the replay");
        }
    }
}

/// Puts another record of the same length, frame and all, in this one's place; whether there is one.
fn misplaced(world: &World, acknowledged: &[Append], at: &Handle) -> bool {
    let mut others = acknowledged.iter().filter_map(|append| append.handle);
    let other =
        others.find(|other| other != at && other.stored_len() == at.stored_len() && at.stored_len() > 0);
    let Some(other) = other else { return false };
    let frame = frame_len(at.stored_len()) as usize;
    let place = |of: &Handle| (name::segment(of.base()), of.position().since(of.base()) as usize);
    let ((from, from_at), (to, to_at)) = (place(&other), place(at));
    let bytes = world.sim.read_raw(&from)[from_at..from_at + frame].to_vec();
    let mut file = world.sim.read_raw(&to);
    file[to_at..to_at + frame].copy_from_slice(&bytes);
    world.sim.write_raw(&to, &file);
    true
}

fn flip(world: &World, random: &mut Random, file: &str, within: Range<usize>) -> Range<usize> {
    let at = within.start + random.below(within.len() as u64) as usize;
    world.sim.flip(file, at, random.below(8) as u8);
    at..at + 1
}

/// Every group header of a long tail rots and no frame does: then nothing says what was acknowledged, but there is more
/// than can have been in flight.
pub(crate) fn more_than_was_in_flight(tally: &Tally) {
    let options =
        small(Durability::Power).segment_bytes(64 << 10).record_bytes_max(1 << 10).group_bytes_max(1);
    let world = World::new(true, 1, options, Durability::Power, tally);
    let mut writer = world.recover();
    (0..100).for_each(|_| writer.append(300));
    writer.wait_for_all();
    writer.die();
    let handles: Vec<_> = world.model.lock().appends.iter().filter_map(|append| append.handle).collect();
    for handle in &handles[10..] {
        let at = handle.position().since(handle.base()) - GROUP_HEADER_BYTES;
        world.sim.flip(&name::segment(handle.base()), at as usize, 3);
    }
    let survey = look(&*world.sim.store(), Position::START, Depth::Quick).unwrap();
    tally.survey(&survey);
    assert_eq!((survey.row(), survey.damages().len()), ("more than was in flight", 1), "{survey}");
}

/// The header of the newest epoch's first segment rots. No group lies behind it, so nothing was lost; but going on
/// would give its number to a second writer.
pub(crate) fn the_newest_epoch_loses_its_header(growing: bool, tally: &Tally) {
    let world = World::new(growing, 1, small(Durability::Power), Durability::Power, tally);
    let mut writer = world.recover();
    writer.append(300);
    writer.wait_for_all();
    writer.die();
    world.recover().die();
    let first = world.sim.names().into_iter().rfind(|name| !name.contains('/')).expect("a log has segments");
    world.sim.flip(&first, 40, 3);
    let survey = look(&*world.sim.store(), Position::START, Depth::Quick).unwrap();
    assert_eq!(survey.row(), "inside a file put whole", "{survey}");
}
