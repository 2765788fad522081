//! A newcomer's first minute with the log: open, append, read, be killed, come back, retire, close.
//!
//! `cargo run --release --example quickstart` works in a temporary directory and leaves nothing behind.
//! `cargo run --release --example quickstart -- --dir DIR` works in `DIR`, on the disk of your choice, and keeps it.
//!
//! Every number that is printed was measured in this very run. The exit status is 0 only if everything that was
//! acknowledged, before the kill and up to it, was found again, byte for byte.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use headwater::store::Local;
use headwater::{Clock, Handle, Kind, Log, Options, Position, Reader, Survey, SystemClock, Time};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

const APPEND_UNTIL_KILLED: &str = "--append-until-killed";
const THREADS: u64 = 4;
const RECORDS_EACH: u64 = 1_000;
const IN_FLIGHT_EACH: usize = 50;
const RECORD_BYTES: usize = 1_000;
const KILL_AFTER_ACKS: usize = 1_500;
const KILL_AFTER: Duration = Duration::from_secs(1);

/// Which record this is: who appended it, and which of theirs it was.
type Number = (String, u64, u64);

/// The handle of every acknowledged record.
type Acked = BTreeMap<Number, Handle>;

fn main() -> ExitCode {
    let done = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => tempfile::tempdir().map_err(Into::into).and_then(|dir| show(&dir.path().join("log"), false)),
        [flag, dir] if flag == "--dir" => show(&PathBuf::from(dir), true),
        [flag, dir] if flag == APPEND_UNTIL_KILLED => append_until_killed(Path::new(dir)),
        _ => Err("usage: quickstart [--dir DIR]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show(dir: &Path, keep: bool) -> Result<()> {
    if dir.read_dir().is_ok_and(|mut names| names.next().is_some()) {
        return Err(format!("{} is not empty; name a directory that is new", dir.display()).into());
    }
    println!("Headwater: a log, a kill, and nothing lost\n");

    println!("1. Open. This looks, and changes nothing.");
    let store = Arc::new(Local::open(dir)?);
    let opened = Log::open(store.clone(), options())?;
    println!("     {}\n", opened.survey());

    println!(
        "2. Append from {THREADS} threads. A ticket answers once its record is synced; what waits shares a sync."
    );
    let log = opened.start(Position::START)?;
    let since = Instant::now();
    let mut acked = append(&log, "first")?;
    let took = since.elapsed().as_secs_f64();
    let rate = acked.len() as f64 / took;
    println!(
        "     {} records of {RECORD_BYTES} bytes acknowledged in {took:.2} s, {rate:.0} a second\n",
        acked.len()
    );

    println!("3. Read one by its handle: one ranged read, from any process, without a lock.");
    let (number, handle) = acked.iter().nth(acked.len() / 2).ok_or("nothing was acknowledged")?;
    let (number, handle) = (number.clone(), *handle);
    let record = Reader::open(store.clone())?.read(&handle)?;
    proven(record.payload == payload(&number), "a handle gave other bytes than were appended")?;
    println!("     {handle}");
    println!("     {} bytes, as they were appended\n", record.payload.len());
    log.close()?;

    println!("4. Kill. Another process appends, and SIGKILL hits it in the middle.");
    let told = kill_in_the_middle(dir)?;
    println!("     it had told of {} acknowledgements", told.len());
    acked.extend(told);
    if let Some(bytes) = tear(dir, Log::open(store.clone(), options())?.survey())? {
        println!(
            "     and {bytes} bytes of half a write are put behind its last, by hand: a power cut leaves such a thing"
        );
    }
    println!();

    println!(
        "5. Open again. The log must reach beyond the last acknowledged record, or starting it is refused."
    );
    let opened = Log::open(store.clone(), options())?;
    println!("     {}", opened.survey());
    let promised = acked.values().map(Handle::end).max().unwrap_or_default();
    let log = opened.start(promised)?;
    let since = Instant::now();
    let more = prove(&log, &acked)?;
    let took = since.elapsed().as_secs_f64();
    println!(
        "     all {} acknowledged records are there, byte for byte: read twice in {took:.2} s",
        acked.len()
    );
    println!(
        "     {more} more were written, and the process died before it told: kept, for they leave no gap\n"
    );

    println!(
        "6. Retire what is old, but nothing that a pin needs: whole segments, the intent durable before a file goes."
    );
    let second = acked.iter().find(|((who, ..), _)| who == "killed").ok_or("nothing was acknowledged")?;
    let pin = log.pin(second.1.position())?;
    let before = log.chain().segments().len();
    let retired = log.retire_before(log.now())?;
    println!("     {} of {before} files removed; the log begins at {} now", retired.removed, retired.begins);
    let gone = log.read(&handle).map_err(|error| error.kind());
    proven(gone == Err(Kind::Retired), "a retired record did not say so")?;
    println!("     the handle of step 3 answers: {}\n", Kind::Retired);

    drop(pin);

    println!("7. Close. This drains, seals, and gives the directory up.");
    log.close()?;
    println!("     {}", Log::open(store, options())?.survey());
    if keep {
        println!("\nLook at what is left, or put info, dump or check in the place of ls:");
        println!("     cargo run --release -p headwater-fsck --bin wal-inspect -- ls {}", dir.display());
    }
    Ok(())
}

/// Small segments, so that a short run has several of them. The rest is as it comes: a record is synced before it is
/// acknowledged.
fn options() -> Options {
    Options::default().segment_bytes(512 << 10)
}

fn append(log: &Log, who: &str) -> Result<Acked> {
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || append_in(log, who, thread))).collect();
        let mut all = Acked::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(all)
    })
}

fn append_in(log: &Log, who: &str, thread: u64) -> Result<Acked> {
    let mut acked = Acked::new();
    let numbers: Vec<Number> = (0..RECORDS_EACH).map(|count| (who.to_owned(), thread, count)).collect();
    for some in numbers.chunks(IN_FLIGHT_EACH) {
        let mut tickets = Vec::new();
        for number in some {
            tickets.push(log.append(now(), payload(number))?);
        }
        for (number, ticket) in some.iter().zip(tickets) {
            acked.insert(number.clone(), ticket.wait()?);
        }
    }
    Ok(acked)
}

/// What the killed process does: it appends, and tells of an acknowledgement only once it has it.
fn append_until_killed(dir: &Path) -> Result<()> {
    let log =
        Log::open(Arc::new(Local::open(dir)?), options().segment_bytes(16 << 20))?.start(Position::START)?;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || -> Result<()> {
                for count in 0.. {
                    let number = ("killed".to_owned(), thread, count);
                    let handle = log.append(now(), payload(&number))?.wait()?;
                    // An error means that nobody listens any more.
                    writeln!(std::io::stdout().lock(), "{thread} {count} {handle}")?;
                }
                Ok(())
            });
        }
    });
    Err("it was to be killed".into())
}

fn kill_in_the_middle(dir: &Path) -> Result<Acked> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(APPEND_UNTIL_KILLED)
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut told = BufReader::new(child.stdout.take().ok_or("no pipe")?);
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        // A line without its end was not told.
        while told.read_line(&mut line).is_ok_and(|_| line.ends_with('\n')) {
            if send.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    let mut all: Vec<String> = lines.recv().into_iter().collect();
    let deadline = Instant::now() + KILL_AFTER;
    while all.len() < KILL_AFTER_ACKS {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => all.push(line),
            Err(_) => break,
        }
    }
    child.kill()?;
    let ended = child.wait()?;
    proven(ended.code().is_none(), "the other process ended before it was killed")?;
    all.extend(lines); // what it told before it died
    proven(!all.is_empty(), "the other process acknowledged nothing")?;
    all.iter()
        .map(|line| read_ack(line.trim_end()).ok_or_else(|| format!("not understood: {line:?}").into()))
        .collect()
}

fn read_ack(line: &str) -> Option<(Number, Handle)> {
    let mut words = line.split(' ');
    let number = ("killed".to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((number, words.next()?.parse().ok()?))
}

/// Puts half a write where the next group would have gone: the beginning of an earlier group, which does not belong
/// there and so does not verify there.
fn tear(dir: &Path, survey: &Survey) -> Result<Option<u64>> {
    let growing = survey.chain().segments().last().filter(|last| !last.sealed && !last.begins_epoch);
    let Some(last) = growing else { return Ok(None) }; // it died between two segments
    let path = dir.join(format!("{:020}.wal", last.base.0));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut half = [0; 400];
    file.read_exact_at(&mut half, last.body)?;
    file.write_all_at(&half, survey.end().since(last.base))?;
    file.sync_data()?;
    Ok(Some(half.len() as u64))
}

/// Proves that everything acknowledged is in the log, by replay and by handle, and that nothing is missing before
/// anything that is there. Returns how many records there are that nobody was told of.
fn prove(log: &Log, acked: &Acked) -> Result<usize> {
    let mut next: BTreeMap<(String, u64), u64> = BTreeMap::new();
    let mut found = Acked::new();
    for record in log.replay(Position::START)? {
        let record = record?;
        let number = number_of(&record.payload).ok_or("a record that nobody appended")?;
        proven(record.payload == payload(&number), "a record came back with other bytes")?;
        let next = next.entry((number.0.clone(), number.1)).or_default();
        proven(*next == number.2, "a record is missing before one that is there")?;
        *next += 1;
        found.insert(number, record.handle);
    }
    for (number, handle) in acked {
        proven(found.get(number) == Some(handle), "an acknowledged record is not where its handle says")?;
        proven(log.read(handle)?.payload == payload(number), "a handle gave other bytes than were appended")?;
    }
    Ok(found.len() - acked.len())
}

fn proven(fact: bool, otherwise: &str) -> Result<()> {
    if fact { Ok(()) } else { Err(format!("NOT PROVEN: {otherwise}").into()) }
}

/// A payload that says which one it is; the rest is readings of a made-up instrument.
fn payload(number: &Number) -> Vec<u8> {
    let (who, thread, count) = number;
    let mut text = format!("{who} {thread} {count} ");
    let mut reading = thread.wrapping_mul(1 << 40) ^ count.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    while text.len() < RECORD_BYTES {
        reading = reading.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text += &format!("temperature={}.{:03} ", 20 + (reading >> 62), (reading >> 40) % 1_000);
    }
    text.truncate(RECORD_BYTES);
    text.into_bytes()
}

fn number_of(payload: &[u8]) -> Option<Number> {
    let mut words = std::str::from_utf8(payload).ok()?.split(' ');
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn now() -> Time {
    SystemClock::default().wall()
}
