//! A process of ours, as its supervisor has it: started, killed, and what it told.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::Result;
use crate::setup::{Role, Setup};
use crate::tell::Told;

/// What all processes have told together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) delivered: u64,
    pub(crate) known: u64,
    pub(crate) outputs: u64,
    pub(crate) outputs_known: u64,
    pub(crate) removed: u64,
    /// From each kill to the moment at which the next process was at work.
    pub(crate) recovered: Vec<(Role, Duration)>,
}

impl Heard {
    fn take(&mut self, told: Told, role: Role, killed: &mut Option<Instant>) {
        match told {
            Told::Ready => self.recovered.extend(killed.take().map(|killed| (role, killed.elapsed()))),
            Told::Delivered { messages, known } => {
                self.delivered += messages;
                self.known += known;
            }
            Told::Published { outputs, known } => {
                self.outputs += outputs;
                self.outputs_known += known;
            }
            Told::Removed { files } => self.removed += files,
        }
    }
}

/// A driver or a receiver. Dropped, it is killed.
pub(crate) struct Child {
    pub(crate) role: Role,
    process: std::process::Child,
}

impl Child {
    /// Starts one; in the place of one that was killed, if so.
    pub(crate) fn start(
        setup: &Setup,
        role: Role,
        mut killed: Option<Instant>,
        heard: &Arc<Mutex<Heard>>,
    ) -> Result<Child> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(setup.arguments(role))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(process.stdout.take().ok_or("no pipe")?).lines();
        let heard = heard.clone();
        std::thread::spawn(move || {
            for told in lines.map_while(Result::ok).filter_map(|line| Told::from_line(&line)) {
                heard.lock().expect("nobody panics with it").take(told, role, &mut killed);
            }
        });
        Ok(Child { role, process })
    }

    /// SIGKILL, and the wait until nothing of it is left.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// An error if it has ended without being asked to.
    pub(crate) fn lives(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{:?} ended by itself: {status}", self.role).into()),
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self, within: Duration) -> Result<()> {
        let mut word = self.process.stdin.take().ok_or("it was asked before")?;
        word.write_all(b"!")?;
        let since = Instant::now();
        loop {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("{:?} did not end well: {status}", self.role).into()),
                None if since.elapsed() > within => {
                    return Err(format!("{:?} did not end within {within:?}", self.role).into());
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended already is no harm.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
