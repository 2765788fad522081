//! Who starts everything, kills it, and compares the end with the beginning.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::child::{Child, Heard};
use crate::numbers::Numbers;
use crate::plan::{Victim, plan};
use crate::setup::{Role, Setup};
use crate::sink::Sink;
use crate::stream::{self, PARTITIONS};
use crate::verify::{Outcome, problems};
use crate::{Result, publisher};

/// So long the last messages may take.
const DRAIN: Duration = Duration::from_secs(60);

/// So long a process may take to end in order.
const END: Duration = Duration::from_secs(40);

struct Supervisor<'a> {
    setup: &'a Setup,
    children: BTreeMap<Victim, Child>,
    heard: Arc<Mutex<Heard>>,
    killed: BTreeMap<Victim, u64>,
    numbers: Numbers,
}

/// A whole run. An error says what is wrong.
pub(crate) fn run(setup: &Setup) -> Result<()> {
    println!("Headwater between NATS JetStream and PostgreSQL: seed {}", setup.seed);
    let runtime = stream::runtime()?;
    let context = runtime.block_on(stream::connect(&setup.nats))?;
    runtime.block_on(stream::make(&context))?;
    let mut sink = Sink::at(&setup.postgres);
    sink.make_tables()?;

    let mut supervisor = Supervisor {
        setup,
        children: BTreeMap::new(),
        heard: Arc::default(),
        killed: BTreeMap::new(),
        numbers: Numbers::of(!setup.seed),
    };
    let began = Instant::now();
    supervisor.start(Victim::Driver, None)?;
    (0..PARTITIONS).try_for_each(|receiver| supervisor.start(Victim::Receiver(receiver), None))?;
    let over = Arc::new(AtomicBool::new(false));
    let publisher = std::thread::spawn({
        let (setup, over) = (setup.clone(), over.clone());
        move || publisher::publish(&setup, &over)
    });
    for (at, victim) in plan(setup.seed, setup.time) {
        std::thread::sleep(at.saturating_sub(began.elapsed()));
        supervisor.kill(victim)?;
    }
    std::thread::sleep(setup.time.saturating_sub(began.elapsed()));
    over.store(true, Ordering::Relaxed);
    let sent = publisher.join().map_err(|_| "the publisher panicked")??;

    let since = Instant::now();
    let acknowledged = |partition| runtime.block_on(stream::acknowledged(&context, partition));
    let is_drained = |sink: &mut Sink| -> Result<bool> {
        let open = (0..PARTITIONS)
            .map(acknowledged)
            .filter(|told| told.as_ref().map_or(true, |(to, newest)| to < newest));
        Ok(sink.counted()? >= sent && open.count() == 0)
    };
    while !is_drained(&mut sink)? && since.elapsed() < DRAIN {
        supervisor.all_live()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    supervisor.all_live()?;
    let drained = since.elapsed();
    let (heard, killed) = supervisor.end()?;

    let acknowledged = (0..PARTITIONS).map(|of| Ok(acknowledged(of)?.0)).collect::<Result<_>>()?;
    let (published, state) = sink.words()?;
    let outcome = Outcome { times: sink.times_counted()?, published, state, acknowledged };
    let messages = runtime.block_on(stream::contents(&context))?;
    show(&heard, &killed, sent, drained);
    let problems = problems(&messages, sent, &outcome);
    if problems.is_empty() {
        println!("  proven           each of the {sent} messages was counted exactly once");
        return Ok(());
    }
    Err(format!("NOT PROVEN, seed {}: {}", setup.seed, problems.join("; ")).into())
}

impl Supervisor<'_> {
    fn start(&mut self, who: Victim, killed: Option<Instant>) -> Result<()> {
        let role = match who {
            Victim::Driver => Role::Driver,
            Victim::Receiver(number) => Role::Receiver(number),
            _ => return Err("only our own processes are started here".into()),
        };
        let child = Child::start(self.setup, role, killed, &self.heard)?;
        self.children.insert(who, child);
        Ok(())
    }

    fn kill(&mut self, victim: Victim) -> Result<()> {
        self.all_live()?;
        match victim {
            Victim::Nats if !kill_server(self.setup.nats_pid.as_deref())? => return Ok(()),
            Victim::Postgres if !kill_server(self.setup.postgres_pid.as_deref())? => return Ok(()),
            Victim::Nats | Victim::Postgres => {}
            Victim::Everybody => {
                let all: Vec<Victim> = self.children.keys().copied().collect();
                self.kill_and_start(&all)?;
            }
            Victim::Driver => {
                self.wait_for_output();
                self.kill_and_start(&[victim])?;
            }
            Victim::Receiver(_) => self.kill_and_start(&[victim])?,
        }
        *self.killed.entry(victim).or_default() += 1;
        Ok(())
    }

    /// Waits until the driver has published something, which it has hardly recorded then: the worst moment for it. For a
    /// while only, since it may be waiting for the database.
    fn wait_for_output(&self) {
        let outputs = || self.heard.lock().expect("nobody panics with it").outputs;
        let (before, since) = (outputs(), Instant::now());
        while outputs() == before && since.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Kills processes of ours at once, and starts them again a moment later.
    fn kill_and_start(&mut self, all: &[Victim]) -> Result<()> {
        let killed = Instant::now();
        for one in all {
            self.children.get_mut(one).ok_or("nobody to kill")?.kill()?;
        }
        std::thread::sleep(Duration::from_millis(self.numbers.below(200)));
        all.iter().try_for_each(|one| self.start(*one, Some(killed)))
    }

    fn all_live(&mut self) -> Result<()> {
        self.children.values_mut().try_for_each(Child::lives)
    }

    /// Ends them in order: the receivers first, who need the driver for it.
    fn end(mut self) -> Result<(Heard, BTreeMap<Victim, u64>)> {
        let driver = self.children.remove(&Victim::Driver);
        for child in std::mem::take(&mut self.children).into_values().chain(driver) {
            child.end(END)?;
        }
        let heard = self.heard.lock().expect("nobody panics with it").clone();
        Ok((heard, self.killed))
    }
}

/// SIGKILL for the process that a file names at the moment; whether there was one. Whoever wrote the file starts the
/// server again.
fn kill_server(pid: Option<&Path>) -> Result<bool> {
    let Some(path) = pid else { return Ok(false) };
    let number = match std::fs::read_to_string(path) {
        Ok(number) => number.trim().parse()?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false), // it is being started
        Err(error) => return Err(error.into()),
    };
    match kill_process(Pid::from_raw(number).ok_or("a process has a number")?, Signal::KILL) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn show(heard: &Heard, killed: &BTreeMap<Victim, u64>, sent: u64, drained: Duration) {
    let times = |of: Victim| killed.get(&of).copied().unwrap_or(0);
    let everybody = times(Victim::Everybody);
    let receivers: u64 = (0..PARTITIONS).map(|number| times(Victim::Receiver(number)) + everybody).sum();
    let driver = times(Victim::Driver) + everybody;
    let (nats, postgres) = (times(Victim::Nats), times(Victim::Postgres));
    println!(
        "  messages         {sent}, all of them counted and acknowledged {drained:.1?} after the last one was sent"
    );
    println!(
        "  killed           driver {driver}, receivers {receivers}, NATS {nats}, PostgreSQL {postgres} times"
    );
    println!("  at work again    {}", recovery(heard, "driver", |role| role == Role::Driver));
    println!("                   {}", recovery(heard, "receiver", |role| role != Role::Driver));
    let again = heard.delivered.saturating_sub(sent);
    println!("  sent again       {again} messages at least, of which receivers knew {}", heard.known);
    let (outputs, known) = (heard.outputs, heard.outputs_known);
    println!("  published        {outputs} outputs, of which the database knew {known} by their names");
    println!("  removed          {} files of logs that nobody needs any more", heard.removed);
}

fn recovery(heard: &Heard, who: &str, is: impl Fn(Role) -> bool) -> String {
    let mut times: Vec<_> =
        heard.recovered.iter().filter(|(role, _)| is(*role)).map(|(_, time)| *time).collect();
    times.sort_unstable();
    match (times.get(times.len() / 2), times.last()) {
        (Some(median), Some(most)) => format!("{who}: {median:.0?} after the kill, {most:.0?} at most"),
        _ => format!("{who}: never killed"),
    }
}
