//! The source: it makes records at a steady rate and hands them to whoever connects for a partition.
//!
//! A line from a receiver is `safe P N`, as often as it likes, and once `partition P`; from then on a line to it is a
//! record. A resending source begins each connection with the first record that it was not told to be safe; another one sends each
//! record once, and what its receiver loses is lost.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::options::SourceKind;
use crate::place::Place;
use crate::{Result, text};

/// So many records are in a file.
const FILE_RECORDS: u64 = 100;

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A source that runs.
pub(crate) struct Source {
    shared: Arc<Shared>,
    pub(crate) address: SocketAddr,
}

struct Shared {
    kind: SourceKind,
    /// Of one partition, in a second.
    rate: u64,
    began: Instant,
    /// How many records of each partition there will ever be, once that is known.
    most: AtomicU64,
    partitions: Vec<Mutex<Partition>>,
}

/// How a partition stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Partition {
    /// How many records were sent, at least once.
    pub(crate) sent: u64,
    /// Below this they need not be sent again.
    pub(crate) safe: u64,
    /// How many were sent again.
    pub(crate) resent: u64,
    /// Whose connection counts.
    connection: u64,
}

impl Source {
    pub(crate) fn start(kind: SourceKind, partitions: u32, rate: u64, place: &Place) -> Result<Source> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            kind,
            rate,
            began: Instant::now(),
            most: AtomicU64::new(u64::MAX),
            partitions: (0..partitions).map(|_| Mutex::default()).collect(),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = serving.clone();
                // It ends with its receiver, or with the process.
                thread::spawn(move || shared.serve(stream));
            }
        });
        if kind == SourceKind::Files {
            let (shared, dir) = (shared.clone(), place.files());
            std::fs::create_dir_all(&dir)?;
            thread::spawn(move || shared.write_files(&dir));
        }
        Ok(Source { shared, address })
    }

    /// Makes no more.
    pub(crate) fn end(&self) {
        self.shared.most.store(self.shared.made(), SeqCst);
    }

    pub(crate) fn partitions(&self) -> Vec<Partition> {
        let made = self.shared.made();
        let partitions = self.shared.partitions.iter().map(|partition| *lock(partition));
        let is_read = self.shared.kind == SourceKind::Direct;
        partitions.map(|of| Partition { sent: if is_read { made } else { of.sent }, ..of }).collect()
    }

    /// Everything that there is was sent; and is safe, where anybody says so.
    pub(crate) fn is_done(&self) -> bool {
        let made = self.shared.made();
        let is_told = self.shared.kind == SourceKind::Reliable;
        let done = |partition: &Partition| partition.sent == made && (!is_told || partition.safe == made);
        self.partitions().iter().all(done)
    }
}

impl Shared {
    /// How many records of each partition there are by now.
    fn made(&self) -> u64 {
        let made = self.began.elapsed().as_millis() as u64 * self.rate / 1000;
        made.min(self.most.load(SeqCst))
    }

    /// Writes files, each of them there as a whole or not at all.
    fn write_files(&self, dir: &Path) {
        let mut numbers = vec![0_u64; self.partitions.len()];
        loop {
            let (made, is_over) = (self.made(), self.is_over());
            for (partition, number) in (0..).zip(&mut numbers) {
                let mut sent = lock(&self.partitions[partition as usize]).sent;
                while sent + FILE_RECORDS <= made || (is_over && sent < made) {
                    let behind = made.min(sent + FILE_RECORDS);
                    let lines: String = (sent..behind).map(|at| text::record(partition, at) + "\n").collect();
                    let new = dir.join("new");
                    std::fs::write(&new, lines).expect("there is room for the input");
                    std::fs::rename(new, file(dir, partition, *number)).expect("it is the same directory");
                    (sent, *number) = (behind, *number + 1);
                }
                lock(&self.partitions[partition as usize]).sent = sent;
            }
            if is_over {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// No more will be made.
    fn is_over(&self) -> bool {
        self.most.load(SeqCst) != u64::MAX
    }

    /// Answers a driver that reads by itself.
    fn answer(&self, line: &str, mut to: &TcpStream) -> Option<()> {
        let mut words = line.split(' ');
        let mut answer = String::new();
        match words.next()? {
            "ends" => self.partitions.iter().for_each(|_| answer += &format!("{}\n", self.made())),
            "records" => {
                let partition = words.next()?.parse().ok()?;
                let (first, behind) = (words.next()?.parse().ok()?, words.next()?.parse::<u64>().ok()?);
                (first..behind.min(self.made()))
                    .for_each(|at| answer += &(text::record(partition, at) + "\n"));
            }
            _ => return None,
        }
        to.write_all(answer.as_bytes()).ok()
    }

    /// Some of a partition is safe.
    fn hear(&self, line: &str) -> Option<()> {
        let (partition, safe) = line.strip_prefix("safe ")?.split_once(' ')?;
        let mut partition = lock(self.partitions.get(partition.parse::<usize>().ok()?)?);
        partition.safe = partition.safe.max(safe.parse().ok()?);
        Some(())
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let number = loop {
            let line = lines.next()?.ok()?;
            match line.strip_prefix("partition ") {
                Some(number) => break number.parse::<u32>().ok()?,
                None if line.starts_with("safe ") => self.hear(&line)?,
                None => return self.answer(&line, &stream),
            }
        };
        let partition = self.partitions.get(number as usize)?;
        let (mut next, connection) = {
            let mut partition = lock(partition);
            partition.connection += 1;
            let next = if self.kind == SourceKind::Reliable { partition.safe } else { partition.sent };
            (next, partition.connection)
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ = lines.map_while(|line| line.ok()).try_for_each(|line| {
                    if line == "enough" {
                        lock(partition).connection += 1;
                        return Some(());
                    }
                    self.hear(&line)
                });
                // Its receiver is gone.
                let mut partition = lock(partition);
                if partition.connection == connection {
                    partition.connection += 1;
                }
            });
            let mut out = BufWriter::with_capacity(64 << 10, &stream);
            loop {
                let made = self.made();
                while next < made {
                    {
                        let mut partition = lock(partition);
                        if partition.connection != connection {
                            break;
                        }
                        partition.resent += u64::from(next < partition.sent);
                        partition.sent = partition.sent.max(next + 1);
                    }
                    if writeln!(out, "{}", text::record(number, next)).is_err() {
                        return;
                    }
                    next += 1;
                }
                // One that sends nothing again need not be told anything either.
                let is_done = self.is_over() && self.kind != SourceKind::Reliable;
                if out.flush().is_err() || is_done || lock(partition).connection != connection {
                    let _ = stream.shutdown(Shutdown::Write);
                    return;
                }
                thread::sleep(LOOK_EVERY);
            }
        });
        Some(())
    }
}

/// The file of a partition that has this number.
pub(crate) fn file(dir: &Path, partition: u32, number: u64) -> PathBuf {
    dir.join(format!("{partition}-{number}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}
