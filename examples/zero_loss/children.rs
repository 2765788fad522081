//! The processes of a run: started, killed, started again, and listened to.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::options::Options;
use crate::place::Place;

/// A process of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who(pub(crate) &'static str, pub(crate) u32);

pub(crate) const DRIVER: Who = Who("driver", 0);

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who("driver", _) => f.write_str("driver"),
            Who(role, number) => write!(f, "{role}-{number}"),
        }
    }
}

/// All processes.
pub(crate) struct Children {
    options: Options,
    place: Place,
    running: BTreeMap<Who, Running>,
    say: Sender<(Who, String)>,
    hear: Receiver<(Who, String)>,
    /// How long each took from its predecessor's death until it was ready.
    pub(crate) recoveries: BTreeMap<&'static str, Vec<Duration>>,
}

struct Running {
    process: Child,
    /// When the one before it died, if it follows one.
    follows: Option<Instant>,
    is_ready: bool,
}

/// Never left behind, whatever the run ends with.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Children {
    pub(crate) fn new(options: &Options, place: &Place) -> Children {
        let (say, hear) = mpsc::channel();
        let (options, place) = (options.clone(), place.clone());
        Children { options, place, running: BTreeMap::new(), say, hear, recoveries: BTreeMap::new() }
    }

    /// Starts a process; `follows` tells when the one before it died.
    pub(crate) fn start(&mut self, who: Who, follows: Option<Instant>) -> Result<()> {
        let errors = File::options().create(true).append(true).open(self.errors_of(who))?;
        let mut process = Command::new(std::env::current_exe()?)
            .args(self.options.args(who.0, who.1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()?;
        let told = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        let say = self.say.clone();
        thread::spawn(move || {
            told.lines().map_while(|line| line.ok()).try_for_each(|line| say.send((who, line)))
        });
        self.running.insert(who, Running { process, follows, is_ready: false });
        Ok(())
    }

    /// Kills a process, as `kill -9` does. When it died.
    pub(crate) fn kill(&mut self, who: Who) -> Instant {
        drop(self.running.remove(&who));
        Instant::now()
    }

    /// Asks a process to stop.
    pub(crate) fn ask_to_stop(&mut self, who: Who) {
        if let Some(running) = self.running.get_mut(&who) {
            drop(running.process.stdin.take());
        }
    }

    /// Waits until a process has ended by itself, and says whether it was content.
    pub(crate) fn wait(&mut self, who: Who, at_most: Duration) -> Result<()> {
        let until = Instant::now() + at_most;
        while let Some(running) = self.running.get_mut(&who) {
            if let Some(status) = running.process.try_wait()? {
                self.running.remove(&who);
                return if status.success() {
                    Ok(())
                } else {
                    Err(self.why(who, &status.to_string()).into())
                };
            }
            if Instant::now() > until {
                return Err(format!("{who} did not end in {at_most:?}").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Who has ended unasked, and how: `None` if it was content.
    pub(crate) fn ended(&mut self) -> Result<Vec<(Who, Option<String>)>> {
        let mut ended = Vec::new();
        for (who, running) in &mut self.running {
            if let Some(status) = running.process.try_wait()? {
                ended.push((*who, (!status.success()).then(|| status.to_string())));
            }
        }
        for (who, status) in &mut ended {
            self.running.remove(who);
            *status = status.as_ref().map(|status| self.why(*who, status));
        }
        Ok(ended)
    }

    pub(crate) fn is_ready(&self, who: Who) -> bool {
        self.running.get(&who).is_some_and(|running| running.is_ready)
    }

    pub(crate) fn all(&self) -> Vec<Who> {
        self.running.keys().copied().collect()
    }

    /// What processes have told since.
    pub(crate) fn told(&mut self) -> Vec<(Who, String)> {
        let told: Vec<_> = self.hear.try_iter().collect();
        for (who, _) in told.iter().filter(|(_, line)| line == "ready") {
            let Some(running) = self.running.get_mut(who) else { continue };
            running.is_ready = true;
            if let Some(died) = running.follows.take() {
                self.recoveries.entry(who.0).or_default().push(died.elapsed());
            }
        }
        told
    }

    fn why(&self, who: Who, status: &str) -> String {
        let errors = std::fs::read_to_string(self.errors_of(who)).unwrap_or_default();
        let last = errors.lines().last().unwrap_or("it said nothing");
        format!("{who} ended by itself ({status}): {last}")
    }

    fn errors_of(&self, who: Who) -> std::path::PathBuf {
        self.place.dir().join(format!("{who}.errors"))
    }
}
