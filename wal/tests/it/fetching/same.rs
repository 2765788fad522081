//! What is read ahead is told as it is without: every record and every error, whatever has become of the objects.

use std::sync::Arc;

use headwater_wal::store::sim::Random;
use headwater_wal::store::{Memory, Name, Store, What};
use headwater_wal::{Compression, Handle, Log, Options, Position, Reader, Record, Result, Time};

use super::Far;

const MIB: usize = 1 << 20;

/// All of an answer that can be told apart.
fn told(items: impl Iterator<Item = Result<Record>>) -> Vec<String> {
    let text = |item: Result<Record>| match item {
        Ok(record) => format!("{record:?} crc={:08x}", crc32c(&record.payload)),
        Err(error) => format!("{} {error}", error.kind()),
    };
    items.map(text).collect()
}

fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(17, |sum: u32, &byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)))
}

struct Objects {
    store: Memory,
    options: Options,
    handles: Vec<Handle>,
}

impl Objects {
    /// A log of a few lives, some of which end without being closed.
    fn random(random: &mut Random) -> Self {
        let options = Options::default().compression(Compression::Off).group_bytes_max(256 << 10);
        let (store, mut handles) = (Memory::objects(), Vec::new());
        for _ in 0..1 + random.below(3) {
            let opened = Log::open(Arc::new(store.clone()), options.clone()).unwrap();
            let log = opened.start_stepped(Position::START).unwrap();
            for _ in 0..1 + random.below(30) {
                let most = [50, 3000, 300_000][random.below(3) as usize];
                let tickets: Vec<_> = (0..1 + random.below(6))
                    .map(|_| {
                        let payload = vec![random.draw() as u8; random.below(most) as usize];
                        log.append(Time(random.below(1000)), payload).unwrap()
                    })
                    .collect();
                handles.extend(tickets.into_iter().map(|ticket| ticket.wait().unwrap()));
            }
            if random.coin() {
                log.close().unwrap();
            }
        }
        Objects { store, options, handles }
    }

    /// A log whose one object of records has many pieces.
    fn in_pieces(random: &mut Random) -> Self {
        let options = Options::default().compression(Compression::Off).group_bytes_max(64 << 20);
        let store = Memory::objects();
        let opened = Log::open(Arc::new(store.clone()), options.clone()).unwrap();
        let log = opened.start_stepped(Position::START).unwrap();
        let (mut tickets, mut bytes) = (Vec::new(), 0);
        while bytes < 20 * MIB {
            let most = [1000, 100_000, 9 * MIB][random.below(3) as usize];
            let payload = vec![random.draw() as u8; random.below(most as u64) as usize];
            bytes += payload.len();
            tickets.push(log.append(Time(random.below(1000)), payload).unwrap());
        }
        let handles = tickets.into_iter().map(|ticket| ticket.wait().unwrap()).collect();
        log.close().unwrap();
        Objects { store, options, handles }
    }

    /// Objects are cut, changed, swapped and removed behind everybody's back.
    fn spoil(&self, random: &mut Random) {
        let names: Vec<Name> = self
            .store
            .list(&Name::ROOT)
            .unwrap()
            .flat_map(Result::unwrap)
            .filter(|entry| matches!(entry.what, What::File(_)))
            .map(|entry| Name::new(entry.name).unwrap())
            .collect();
        for _ in 0..random.below(5) {
            let name = &names[random.below(names.len() as u64) as usize];
            let Ok(bytes) = self.store.read(name, 0..u64::MAX) else { continue };
            let mut bytes = bytes.to_vec();
            let at = random.below(bytes.len() as u64 + 1) as usize;
            match random.below(5) {
                0 => bytes.truncate(at),
                1 => {
                    let end = bytes.len().min(at + random.below(5000) as usize);
                    bytes[at..end].fill(0);
                }
                2 => {
                    self.store.remove(name).unwrap();
                    continue;
                }
                _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                _ => bytes.push(7),
            }
            self.store.remove(name).unwrap();
            self.store.put(name, bytes.into()).unwrap();
        }
    }

    /// With and without, everything is told alike; what was damaged after the log was opened too.
    fn compare(&self, random: &mut Random, seed: u64) {
        let fails_each = [0, 0, 2, 7][random.below(4) as usize];
        let ahead = Far::new(&self.store);
        let serial = Far::new(&self.store).serial();
        let limit = [64 << 20, 64 << 20, 2000][random.below(3) as usize];
        let open = |far: &Far| {
            let options = self.options.clone().record_bytes_max(limit);
            Log::open(Arc::new(far.clone()), options)
        };
        let (one, other) = match (open(&ahead), open(&serial)) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(one), Err(other)) => {
                assert_eq!(one.to_string(), other.to_string(), "HEADWATER_SEED={seed}");
                return;
            }
            (one, other) => panic!("HEADWATER_SEED={seed}: {one:?} {other:?}"),
        };
        // A look says that a read failed; what is read ahead is read again.
        ahead.fail_each(fails_each);
        if random.coin() {
            self.spoil(random);
        }
        let from = match random.below(3) {
            0 => Position::START,
            1 => self.handles[random.below(self.handles.len() as u64) as usize].position(),
            _ => Position(random.below(self.handles.last().unwrap().end().0 + 100)),
        };
        let replays = (one.replay(from), other.replay(from));
        match replays {
            (Ok(one), Ok(other)) => assert_eq!(told(one), told(other), "HEADWATER_SEED={seed}"),
            (one, other) => assert_eq!(one.is_ok(), other.is_ok(), "HEADWATER_SEED={seed}"),
        }
        let since = Time(random.below(1000));
        let (one, other) = (one.replay_since(since).unwrap(), other.replay_since(since).unwrap());
        assert_eq!(told(one), told(other), "HEADWATER_SEED={seed}");
        self.compare_many(random, seed, (&ahead, &serial), limit);
    }

    fn compare_many(&self, random: &mut Random, seed: u64, (ahead, serial): (&Far, &Far), limit: u32) {
        let mut handles = self.handles.clone();
        for at in 0..handles.len() {
            if random.coin() {
                let other = random.below(handles.len() as u64) as usize;
                handles.swap(at, other);
            }
        }
        handles.truncate(1 + random.below(60) as usize);
        let reader = |far: &Far| Reader::open(Arc::new(far.clone())).unwrap().record_bytes_max(limit);
        let (one, other) = (reader(ahead), reader(serial));
        assert_eq!(told(one.read_many(&handles)), told(other.read_many(&handles)), "HEADWATER_SEED={seed}");
    }
}

fn seeds(most: u64) -> impl Iterator<Item = u64> {
    match std::env::var("HEADWATER_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")].into_iter(),
        Err(_) => (0..most).collect::<Vec<_>>().into_iter(),
    }
}

#[test]
fn what_is_read_ahead_is_told_as_it_is_without() {
    for seed in seeds(300) {
        let mut random = Random::new(seed);
        let objects = Objects::random(&mut random);
        objects.spoil(&mut random);
        objects.compare(&mut random, seed);
    }
}

#[test]
fn what_comes_in_pieces_is_told_as_it_is_without() {
    for seed in seeds(12) {
        let mut random = Random::new(seed ^ 0x5eed);
        let objects = Objects::in_pieces(&mut random);
        objects.compare(&mut random, seed);
        objects.spoil(&mut random);
        objects.compare(&mut random, seed);
    }
}
