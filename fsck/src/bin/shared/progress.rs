//! How far long work has come: one line on the terminal, to stderr, and nothing anywhere else.
//!
//! A store that is [`Watched`] tells how much of it was read. Both programs include this file; whoever shows something on
//! stdout calls [`Progress::clear`] first.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::store::{Append, Entry, Fetch, Name, Object, Pages, Store, Survives, What};
use headwater_wal::{Error, Kind, Result};

/// Shorter work shows no line.
const QUIET: Duration = Duration::from_millis(500);

const BETWEEN_LINES: Duration = Duration::from_millis(100);

const BAR_LETTERS: u64 = 24;

/// `received/STREAM/RECEIVER`, and `checkpoints/parts`.
const FOLDERS_DEEP_MAX: usize = 3;

/// Where there are more, the line does not say of how much.
const FOLDERS_MAX: usize = 1000;

/// How far the work has come.
#[derive(Debug)]
pub(crate) struct Progress {
    is_shown: bool,
    interrupted: Arc<AtomicBool>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    what: String,
    began: Instant,
    drawn: Option<Instant>,
    read_bytes: u64,
    /// None where nobody knows how much there is to read.
    all_bytes: Option<u64>,
}

impl Progress {
    /// It is shown if stderr is a terminal that can go back to the beginning of a line.
    pub(crate) fn new() -> Arc<Progress> {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_shown = io::stderr().is_terminal() && !is_dumb;
        Arc::new(Progress { is_shown, interrupted: Arc::default(), state: Mutex::new(State::new()) })
    }

    /// Once this is set, whatever reads a watched store fails.
    pub(crate) fn interrupted(&self) -> &Arc<AtomicBool> {
        &self.interrupted
    }

    /// Other work begins, at 0 of so many bytes, if that is known.
    pub(crate) fn begin(&self, what: &str, all_bytes: Option<u64>) {
        self.clear();
        self.with(|state| {
            *state =
                State { what: what.to_owned(), began: Instant::now(), drawn: None, read_bytes: 0, all_bytes };
        });
    }

    /// Takes the line off the terminal. It comes back as the work goes on.
    pub(crate) fn clear(&self) {
        self.with(|state| {
            if state.drawn.take().is_some() {
                put("\r\x1b[K");
            }
        });
    }

    fn read(&self, bytes: usize) {
        if !self.is_shown {
            return;
        }
        self.with(|state| {
            state.read_bytes += bytes as u64;
            let now = Instant::now();
            let is_due = match state.drawn {
                None => now - state.began >= QUIET,
                Some(drawn) => now - drawn >= BETWEEN_LINES,
            };
            if is_due {
                state.drawn = Some(now);
                put(&format!("\r{}\x1b[K", state.line(now - state.began)));
            }
        });
    }

    fn with(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// If it cannot be shown, the work goes on.
fn put(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

impl State {
    fn new() -> State {
        State { what: String::new(), began: Instant::now(), drawn: None, read_bytes: 0, all_bytes: None }
    }

    fn line(&self, took: Duration) -> String {
        let rate = self.read_bytes as f64 / took.as_secs_f64().max(0.001);
        let mut line = format!("{} ", self.what);
        match self.all_bytes {
            // What is read twice may come to more than there is.
            Some(all) if all > 0 && self.read_bytes <= all => {
                let filled = (self.read_bytes as u128 * u128::from(BAR_LETTERS) / u128::from(all)) as usize;
                let percent = self.read_bytes as u128 * 100 / u128::from(all);
                // Writing to a string cannot fail.
                let _ = write!(
                    line,
                    "[{}{}] {percent:>3} %  {} of {}",
                    "#".repeat(filled),
                    ".".repeat(BAR_LETTERS as usize - filled),
                    human(self.read_bytes as f64),
                    human(all as f64)
                );
            }
            _ => line += &format!("{} read", human(self.read_bytes as f64)),
        }
        line + &format!("  {}/s", human(rate))
    }
}

fn human(bytes: f64) -> String {
    let (mut value, mut unit) = (bytes, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "B" { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// How many bytes lie in a store, as deep as a root has folders, and none if nobody is shown how far the work is.
pub(crate) fn all_bytes(progress: &Progress, store: &dyn Store) -> Result<Option<u64>> {
    if !progress.is_shown {
        return Ok(None);
    }
    let (mut bytes, mut seen) = (0_u64, 0);
    let mut folders = vec![(Name::ROOT, 0)];
    while let Some((folder, deep)) = folders.pop() {
        seen += 1;
        if seen > FOLDERS_MAX {
            return Ok(None);
        }
        for page in store.list(&folder)? {
            for Entry { name, what } in page? {
                match what {
                    What::File(len) => bytes = bytes.saturating_add(len),
                    // What was set aside is not read.
                    What::Folder if deep < FOLDERS_DEEP_MAX && name != "quarantine" => {
                        folders.extend(folder.join(&name).ok().map(|name| (name, deep + 1)));
                    }
                    What::Folder | What::Other(_) => {}
                }
            }
        }
    }
    Ok(Some(bytes))
}

/// A store whose reads are counted.
#[derive(Debug)]
pub(crate) struct Watched {
    store: Arc<dyn Store>,
    progress: Arc<Progress>,
    is_to_end: bool,
}

impl Watched {
    pub(crate) fn over(store: Arc<dyn Store>, progress: &Arc<Progress>) -> Arc<dyn Store> {
        Arc::new(Watched { store, progress: progress.clone(), is_to_end: false })
    }

    /// One whose reads do not fail when they are interrupted, for work that goes on to its end.
    pub(crate) fn to_the_end(store: Arc<dyn Store>, progress: &Arc<Progress>) -> Arc<dyn Store> {
        Arc::new(Watched { store, progress: progress.clone(), is_to_end: true })
    }

    fn go_on(&self) -> Result<()> {
        if self.is_to_end { Ok(()) } else { self.progress.go_on() }
    }
}

impl Progress {
    fn go_on(&self) -> Result<()> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(Error::new(Kind::Unavailable, "it was interrupted by a signal")),
            false => Ok(()),
        }
    }
}

impl Store for Watched {
    fn place(&self) -> String {
        self.store.place()
    }

    fn survives(&self) -> Survives {
        self.store.survives()
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        self.store.put(name, bytes)
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.store.read(name, range)?;
        self.progress.read(bytes.len());
        self.go_on()?;
        Ok(bytes)
    }

    fn open(&self, name: &Name) -> Result<Option<Arc<dyn Object>>> {
        let (progress, is_to_end) = (self.progress.clone(), self.is_to_end);
        let watch = |object| Arc::new(WatchedObject { object, progress, is_to_end }) as Arc<dyn Object>;
        Ok(self.store.open(name)?.map(watch))
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        self.go_on()?;
        self.store.list(folder)
    }

    fn list_after(&self, folder: &Name, after: &str) -> Result<Pages<'_>> {
        self.go_on()?;
        self.store.list_after(folder, after)
    }

    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        self.go_on().ok()?;
        let fetch = self.store.fetch(name, range)?;
        let progress = self.progress.clone();
        Some(Fetch::new(move || fetch.wait().inspect(|bytes| progress.read(bytes.len()))))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        self.store.remove(name)
    }

    fn remove_all(&self, names: &[Name]) -> Vec<Result<()>> {
        self.store.remove_all(names)
    }

    fn prove(&self) -> Result<()> {
        self.store.prove()
    }

    fn others(&self) -> Vec<Arc<dyn Store>> {
        self.store.others()
    }

    fn append(&self) -> Option<&dyn Append> {
        self.store.append()
    }
}

#[derive(Debug)]
struct WatchedObject {
    object: Arc<dyn Object>,
    progress: Arc<Progress>,
    is_to_end: bool,
}

impl WatchedObject {
    fn read_so_many(&self, bytes: usize) -> Result<()> {
        self.progress.read(bytes);
        if self.is_to_end { Ok(()) } else { self.progress.go_on() }
    }
}

impl Object for WatchedObject {
    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.object.read(range)?;
        self.read_so_many(bytes.len())?;
        Ok(bytes)
    }

    fn read_into(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let count = self.object.read_into(offset, into)?;
        self.read_so_many(count)?;
        Ok(count)
    }

    fn is_still(&self) -> Result<bool> {
        self.object.is_still()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(read_bytes: u64, all_bytes: Option<u64>, took: Duration) -> String {
        let what = "checking".to_owned();
        State { what, read_bytes, all_bytes, ..State::new() }.line(took)
    }

    #[test]
    fn the_line_says_how_far_it_is_and_never_more_than_all_of_it() {
        let second = Duration::from_secs(1);
        assert_eq!(
            line(3 << 20, Some(12 << 20), 2 * second),
            "checking [######..................]  25 %  3.0 MiB of 12.0 MiB  1.5 MiB/s"
        );
        assert_eq!(line(512, None, second), "checking 512 B read  512 B/s");
        assert_eq!(line(1024, Some(1000), second), "checking 1.0 KiB read  1.0 KiB/s", "some was read twice");
        assert_eq!(line(0, Some(0), Duration::ZERO), "checking 0 B read  0 B/s");
        let most = line(999 << 40, Some(999 << 40), second);
        assert!(most.contains("100 %") && most.len() < 80, "{most}");
        assert!(line(u64::MAX, Some(u64::MAX), second).contains("100 %"));
    }

    #[test]
    fn what_reads_a_watched_store_fails_once_it_is_interrupted() {
        let store: Arc<dyn Store> = Arc::new(headwater_wal::store::Memory::objects());
        let name = Name::new("a").unwrap();
        store.put(&name, Bytes::from_static(b"abc")).unwrap();
        let progress = Progress::new();
        let watched = Watched::over(store, &progress);
        assert_eq!(watched.read(&name, 0..9).unwrap(), "abc");
        let shown = Progress { is_shown: true, interrupted: Arc::default(), state: Mutex::new(State::new()) };
        assert_eq!(all_bytes(&shown, &*watched).unwrap(), Some(3));
        progress.interrupted().store(true, Ordering::Relaxed);
        assert_eq!(watched.read(&name, 0..9).unwrap_err().kind(), Kind::Unavailable);
        assert!(watched.list(&Name::ROOT).is_err());
        let store: Arc<dyn Store> = Arc::new(headwater_wal::store::Memory::objects());
        store.put(&name, Bytes::from_static(b"abc")).unwrap();
        assert_eq!(Watched::to_the_end(store, &progress).read(&name, 0..9).unwrap(), "abc");
    }
}
