//! What is read of a writer with several groups at the device at once, without the engine's own: on buckets too, where it
//! puts one at a time. They land in any order and are acknowledged in the order of their positions.

use headwater_wal::format::frame::{Codec, FRAME_HEADER_BYTES, FrameHeader, frame_len};
use headwater_wal::format::group::{GROUP_HEADER_BYTES, GroupHeader};
use headwater_wal::format::header::{HEADER_BYTES, Header, Previous};
use headwater_wal::format::name;
use headwater_wal::format::seed::Life;
use headwater_wal::format::totals::Totals;
use headwater_wal::store::sim::{Cut, Fault, Op, Random, When};
use headwater_wal::store::{Append, Name, Store};
use headwater_wal::{Durability, Handle, Position, Segment};

use super::random::options;
use super::tally::Tally;
use super::world::{End, World, replayable};

/// Runs the life of this seed.
pub(crate) fn run(growing: bool, seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let options = options(&mut random, Durability::Power);
    let world = World::new(growing, seed, options, Durability::Power, tally);
    world.sim.keep_history();
    replayable(&format!("growing {growing} HEADWATER_SEED={seed}"), &world, || {
        let mut pipeline = Pipeline::take_over(&world, &mut random);
        if growing {
            pipeline.overlap(&mut random)
        } else {
            pipeline.put_at_once(&mut random)
        }
        world.end(match random.below(3) {
            0 => End::Power(Cut::Sectors),
            1 => End::Power(Cut::Writes),
            _ => End::Kill,
        });
        world.look_around();
        let mut heir = world.recover();
        heir.append(200);
        heir.wait_for_all();
        // What was under way arrives behind the heir's decision, and is dead.
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

/// The writer of a log that was started and whose own writer is gone.
struct Pipeline<'a> {
    world: &'a World,
    life: usize,
    last: Segment,
    header: Header,
    /// Everything below was acknowledged.
    acked: Position,
    /// Where the next group goes, or the next segment.
    end: Position,
}

/// A group on its way: its appends with their handles, and where it ends.
struct InFlight {
    appends: Vec<(usize, Handle)>,
    end: Position,
    landed: bool,
    name: String,
}

/// A group as bytes.
struct Encoded {
    bytes: Vec<u8>,
    header: GroupHeader,
    check: u32,
    frames: Vec<(FrameHeader, u32)>,
    appends: Vec<(usize, Handle)>,
}

impl<'a> Pipeline<'a> {
    fn take_over(world: &'a World, random: &mut Random) -> Self {
        let mut writer = world.recover();
        for _ in 0..1 + random.below(3) {
            writer.append(random.below(700) as usize);
            writer.wait_for_all();
        }
        let last = writer.log().chain().segments().last().expect("a started log has a segment").clone();
        let raw = world.sim.read_raw(&name::segment(last.base));
        let header = Header::decode(last.base, &raw).expect("it was just written");
        let (life, end) = (writer.life, if world.growing { last.end } else { last.next });
        writer.die();
        Pipeline { world, life, last, header, acked: end, end }
    }

    fn life(&self) -> Life {
        Life { identity: self.header.identity.short(), epoch: self.header.epoch }
    }

    /// The next group, of a few appends, at `position` in the segment at `base`.
    fn group(&self, position: Position, base: Position, random: &mut Random) -> Encoded {
        let mut model = self.world.model.lock();
        let lens: Vec<usize> = (0..1 + random.below(3)).map(|_| random.below(900) as usize).collect();
        let ids: Vec<usize> =
            lens.iter().map(|&len| model.book(self.life, len, Default::default())).collect();
        ids.iter().for_each(|&id| model.taken(id));
        let times = || ids.iter().map(|&id| model.appends[id].time);
        let frames_bytes: u64 = lens.iter().map(|&len| frame_len(len as u32)).sum();
        let header = GroupHeader {
            group_bytes: (GROUP_HEADER_BYTES + frames_bytes) as u32,
            count: ids.len() as u32,
            frames_bytes: frames_bytes as u32,
            least: times().min().unwrap(),
            greatest: times().max().unwrap(),
            acked: self.acked,
        };
        let mut bytes = header.encode(self.life(), position).to_vec();
        let check = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
        let (mut frames, mut appends) = (Vec::new(), Vec::new());
        for (index, &id) in ids.iter().enumerate() {
            let (append, at) = (&model.appends[id], position.plus(bytes.len() as u64));
            let payload = append.payload();
            let frame = FrameHeader {
                codec: Codec::Raw,
                own: false,
                kind: append.kind,
                stored_len: payload.len() as u32,
                raw_len: payload.len() as u32,
                payload_check: crc32c::crc32c(&payload),
                index: index as u32,
                time: append.time,
            };
            let encoded = frame.encode(self.life(), at);
            let check = u32::from_le_bytes(encoded[..4].try_into().unwrap());
            bytes.extend_from_slice(&encoded);
            bytes.extend_from_slice(&payload);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let Life { identity, epoch } = self.life();
            let text = format!("hw1:{identity:016x}:{epoch}:{at}:{base}:{}:{check:08x}", payload.len());
            appends.push((id, text.parse().expect("a handle's text")));
            frames.push((frame, check));
        }
        assert_eq!(bytes.len() as u64, GROUP_HEADER_BYTES + frames_bytes);
        assert_eq!(FRAME_HEADER_BYTES as usize % 8, 0);
        Encoded { bytes, header, check, frames, appends }
    }

    /// Acknowledges what has landed and has nothing before it that has not.
    fn acknowledge(&mut self, in_flight: &mut Vec<InFlight>) {
        while in_flight.first().is_some_and(|first| first.landed) {
            let first = in_flight.remove(0);
            self.acked = first.end;
            let mut model = self.world.model.lock();
            for (id, handle) in first.appends {
                model.answered(id, Ok(handle));
            }
        }
    }

    /// Up to three unsynced groups in one file.
    fn overlap(&mut self, random: &mut Random) {
        let process = self.world.sim.process();
        let _own = process.own().expect("nobody else lives");
        let base = self.last.base;
        let file = Name::new(name::segment(base)).unwrap();
        let mut in_flight = Vec::new();
        for _ in 0..random.below(7) {
            let tail = process.reopen(&file).unwrap();
            let group = self.group(self.end, base, random);
            if self.end.since(base) + group.bytes.len() as u64 + 512 > self.last.file_len {
                break;
            }
            tail.write(self.end.since(base), &[&group.bytes]).unwrap();
            self.end = self.end.plus(group.bytes.len() as u64);
            in_flight.push(InFlight {
                appends: group.appends,
                end: self.end,
                landed: false,
                name: String::new(),
            });
            if in_flight.len() == 3 || random.one_in(3) {
                tail.sync().unwrap();
                in_flight.iter_mut().for_each(|group| group.landed = true);
                self.acknowledge(&mut in_flight);
            }
            self.world.tally.count("groups written at once");
        }
        process.kill();
    }

    /// Up to three puts under way, which land in any order, or not.
    fn put_at_once(&mut self, random: &mut Random) {
        let process = self.world.sim.process();
        let mut previous =
            Previous { base: self.last.base, end: self.last.end, seal: self.last.seal.unwrap() };
        let mut in_flight: Vec<InFlight> = Vec::new();
        for _ in 0..random.below(7) {
            let header = Header {
                begins_epoch: false,
                clock_in_doubt: false,
                whole: true,
                base: self.end,
                acked: self.acked,
                previous: Some(previous),
                lost: Vec::new(),
                ..self.header.clone()
            };
            let head = header.encode();
            let position = header.base.plus(header.body());
            let group = self.group(position, header.base, random);
            let mut totals = Totals::new(header.check());
            totals.group(position, &group.header, group.check);
            group.frames.iter().for_each(|(frame, check)| totals.frame(frame, *check));
            let end = position.plus(group.bytes.len() as u64);
            let footer = totals.footer(end, None, self.acked, header.begins, header.time);
            let mut bytes = head.to_vec();
            bytes.resize((header.body()).max(HEADER_BYTES) as usize, 0);
            bytes.extend_from_slice(&group.bytes);
            bytes.extend_from_slice(&footer.encode(header.life(), end, &totals.index));
            previous = Previous { base: header.base, end, seal: footer.seal };
            let name = name::segment(header.base);
            self.world.sim.plan(When::nth(1).of(Op::Put), Fault::Held);
            process.put(&Name::new(name.clone()).unwrap(), bytes.into()).expect_err("it is under way");
            self.end = footer.next;
            in_flight.push(InFlight { appends: group.appends, end: footer.next, landed: false, name });
            while in_flight.len() == 3 || (!in_flight.is_empty() && random.coin()) {
                let chosen = random.below(in_flight.len() as u64) as usize;
                if !in_flight[chosen].landed {
                    self.world.sim.land(&in_flight[chosen].name);
                    in_flight[chosen].landed = true;
                }
                self.acknowledge(&mut in_flight);
            }
            self.world.tally.count("groups put at once");
        }
        process.kill();
    }
}
