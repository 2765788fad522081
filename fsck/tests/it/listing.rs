//! `ls` of a log of more segments than are read.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use headwater_fsck::{Depth, NEWEST, WHOLE_MAX, being_written, check, list};
use headwater_wal::format::name::segment;
use headwater_wal::store::sim::Sim;
use headwater_wal::store::{Append, Entry, Local, Memory, Name, Pages, Store, Survives, What};
use headwater_wal::{Log, Position, Time};
use serde_json::Value;

use crate::counted::Counted;
use crate::program::{json, lines};
use crate::specimen::options;

/// A log of more segments than are read, made in memory and copied out. Its middle begins an epoch.
fn long(dir: &Path) -> usize {
    let memory: Arc<dyn Store> = Arc::new(Memory::growing());
    for _ in 0..2 {
        let log = Log::open(memory.clone(), options()).unwrap().start(Position::START).unwrap();
        for time in 0..WHOLE_MAX / 2 + 20 {
            log.append(Time(time as u64), "x").unwrap().wait().unwrap();
            log.seal().unwrap();
        }
        log.close().unwrap();
    }
    let mut count = 0;
    for page in memory.list(&Name::ROOT).unwrap() {
        for Entry { name, what } in page.unwrap() {
            let What::File(len) = what else { continue };
            fs::write(dir.join(&name), memory.read(&Name::new(&*name).unwrap(), 0..len).unwrap()).unwrap();
            count += 1;
        }
    }
    count
}

fn of<'a>(lines: &'a [Value], what: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == what).collect()
}

#[test]
fn of_a_long_log_ls_reads_the_newest_and_says_what_it_does_not_know() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let count = long(dir.path());
    let (quick, whole) = (json(&["ls", path, "--json"], 0), json(&["ls", path, "--json", "--long"], 0));
    let (quick, whole) = (of(&quick, "segment"), of(&whole, "segment"));
    assert_eq!((quick.len(), whole.len()), (count, count));
    let unread = count - NEWEST;
    assert_eq!(quick[unread..], whole[unread..], "the newest are all there");
    for (one, other) in quick.iter().zip(&whole).take(unread) {
        for name in ["file", "base", "next", "file_bytes"] {
            assert_eq!(one[name], other[name]);
        }
        for name in
            ["end", "epoch", "state", "records", "time_min_ms", "time_max_ms", "made_at_ms", "closed_at_ms"]
        {
            assert!(one[name].is_null() && !one.as_object().unwrap().contains_key("?"), "{name}");
            assert!(other.as_object().unwrap().contains_key(name));
        }
        assert_eq!(
            one.as_object().unwrap().len(),
            other.as_object().unwrap().len(),
            "the names are the same"
        );
    }
    let text = lines(&["ls", path], 0);
    assert_eq!(text.len(), 1 + count + 1);
    assert!(text.last().unwrap().contains("ls --long"), "{:?}", text.last());
    let widths: Vec<usize> = text[1..=count].iter().map(|line| line.find(".wal").unwrap()).collect();
    assert!(widths.windows(2).all(|two| two[0] == two[1]));

    let counted = Counted::over(Arc::new(Local::open(dir.path()).unwrap()));
    list(&counted).unwrap();
    assert!(counted.reads() < 10 * NEWEST as u64, "{} reads", counted.reads());
}

#[test]
fn damage_among_the_newest_is_told_and_what_is_retired_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let count = long(dir.path());
    let files = json(&["ls", path, "--json"], 0);
    let file = |at: usize| dir.path().join(files[at]["file"].as_str().unwrap());
    let said = |text: &[String]| text.iter().any(|line| line.contains("DAMAGED"));
    assert!(!said(&lines(&["ls", path], 0)), "what was left out is not missing");
    let kept = fs::read(file(count - 30)).unwrap();
    fs::remove_file(file(count - 30)).unwrap();
    assert!(said(&lines(&["ls", path], 0)));
    fs::write(file(count - 30), kept).unwrap();
    assert!(!said(&lines(&["ls", path], 0)));

    // Segments that a retirement has left behind.
    let oldest: Vec<(std::path::PathBuf, Vec<u8>)> =
        (1..4).map(|at| (file(at), fs::read(file(at)).unwrap())).collect();
    let begins = files[4]["base"].as_u64().unwrap();
    let store: Arc<dyn Store> = Arc::new(Local::open(dir.path()).unwrap());
    let log = Log::open(store, options()).unwrap().start(Position::START).unwrap();
    let pin = log.pin(Position(begins)).unwrap();
    log.retire_before(Time::MAX).unwrap();
    log.append(Time(1), "x").unwrap().wait().unwrap();
    drop(pin);
    log.close().unwrap();
    oldest.iter().for_each(|(file, bytes)| fs::write(file, bytes).unwrap());
    let lines = json(&["ls", path, "--json"], 0);
    let aside = of(&lines, "set-aside");
    assert_eq!(aside.len(), 3, "{aside:?}");
    assert!(aside.iter().all(|line| line["because"] == "retired"));
    assert_eq!(of(&lines, "segment")[0]["file"], segment(Position(begins)));
}

/// A log of 30 KiB whose last segment is open under a lease, or one of a record of which nothing can be read yet.
fn open(records: u64) -> (Sim, Log) {
    let sim = Sim::leases(3);
    let log = Log::open(sim.store(), options()).unwrap().start_stepped(Position::START).unwrap();
    for number in 0..records {
        assert!(log.append(Time(number), vec![7; 1000]).unwrap().wait().is_ok());
    }
    (sim, log)
}

#[test]
fn of_a_log_with_a_segment_that_is_open_a_listing_and_a_check_say_that_it_is_being_written() {
    for records in [1, 9] {
        let (sim, log) = open(records);
        let store = sim.store();
        let (listing, report) =
            (list(&*store).unwrap(), check(&*store, Position::START, Depth::Full).unwrap());
        let told = being_written(listing.survey()).unwrap();
        assert!(told.contains(".wal") && told.contains("lease"), "{told}");
        let page = report.to_string();
        assert!(report.is_sound() && page.contains(&told), "{page}");
        assert!(!page.contains("acknowledged") && !page.contains("removes"), "{page}");
        log.close().unwrap();
        let closed = list(&*store).unwrap();
        assert_eq!(being_written(closed.survey()), None);
        assert!(closed.survey().torn().is_none());
    }
}

/// Closes the log right after its names were listed for the first time.
#[derive(Debug)]
struct ClosesBehind(Arc<dyn Store>, Mutex<Option<Log>>);

impl Store for ClosesBehind {
    fn place(&self) -> String {
        self.0.place()
    }

    fn survives(&self) -> Survives {
        self.0.survives()
    }

    fn put(&self, name: &Name, bytes: Bytes) -> headwater_wal::Result<()> {
        self.0.put(name, bytes)
    }

    fn read(&self, name: &Name, range: Range<u64>) -> headwater_wal::Result<Bytes> {
        self.0.read(name, range)
    }

    fn list(&self, folder: &Name) -> headwater_wal::Result<Pages<'_>> {
        let pages: Vec<_> = self.0.list(folder)?.collect();
        if let Some(log) = self.1.lock().unwrap().take() {
            log.close().unwrap();
        }
        Ok(Box::new(pages.into_iter()))
    }

    fn remove(&self, name: &Name) -> headwater_wal::Result<()> {
        self.0.remove(name)
    }

    fn append(&self) -> Option<&dyn Append> {
        self.0.append()
    }
}

#[test]
fn a_segment_that_is_closed_while_it_is_listed_is_not_called_torn() {
    let (sim, log) = open(9);
    let listing = list(&ClosesBehind(sim.store(), Mutex::new(Some(log)))).unwrap();
    let survey = listing.survey();
    assert!(survey.torn().is_none() && !survey.is_open() && survey.aside().is_empty(), "{survey}");
    let records: u64 = survey.chain().segments().iter().filter_map(|segment| segment.records).sum();
    assert_eq!(records, 9, "{survey}");
}
