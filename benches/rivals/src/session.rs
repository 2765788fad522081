//! One system in one round, in a process of its own: started, measured with each of its shapes, ended.

use std::time::{Duration, Instant};

use headwater_benches::replication::SETTLES_AT_MOST;
use headwater_benches::replication::line::{Line, Load, Version};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::Result;
use crate::args::Args;
use crate::load::{Outcome, Shape};
use crate::replicated;
use crate::system::{System, named};
use crate::usage::{Usage, forget_most_memory};

/// A system that was started. Dropped, it is ended.
pub(crate) trait Running {
    /// What a shape needs before it is measured.
    fn prepare(&mut self, shape: Shape) -> Result<()>;
    /// Takes blocks for so long.
    fn run(&mut self, shape: Shape, lasts: Duration) -> Result<Outcome>;
    /// Whether it goes on as it would for ever.
    fn is_settled(&self) -> bool {
        true
    }
    /// Gives up what it has.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Before a shape is measured it runs so often unmeasured; and before the first one what Java has compiled by then.
pub(crate) const WARM_UPS: u32 = 2;
const WARM_UPS_OF_JAVA: u32 = 8;

/// Measures a system and prints a line for each of its shapes.
pub(crate) fn run(args: &Args, name: &str) -> Result<()> {
    // Servers likewise end with this process, so that nothing is left of a run that is killed.
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let system = named(name)?;
    let lasts = Duration::from_secs_f64(args.seconds);
    let dir = args.dir.join("session");
    if system.is_replicated() {
        for shape in system.shapes(args) {
            println!("{}", replicated::case(args, name, shape, &dir)?.to_json());
        }
        return Ok(());
    }
    let mut running = system.start(args, &dir)?;
    let mut warm_ups = if system.is_java() && !args.small { WARM_UPS_OF_JAVA } else { WARM_UPS };
    for shape in system.shapes(args) {
        running.prepare(shape)?;
        let began = Instant::now();
        for _ in 0..std::mem::replace(&mut warm_ups, WARM_UPS) {
            running.run(shape, lasts)?;
        }
        while !args.small && !running.is_settled() && began.elapsed() < SETTLES_AT_MOST {
            running.run(shape, lasts)?;
        }
        rustix::fs::syncfs(std::fs::File::open(&args.dir)?)?;
        forget_most_memory();
        let before = Usage::now();
        let outcome = running.run(shape, lasts)?;
        let used = Usage::now().since(before);
        println!("{}", line(system, args, shape, &outcome, used).to_json());
    }
    running.end()
}

/// What the names of systems begin with in lines.
pub(crate) fn prefix(args: &Args) -> &'static str {
    if args.hdfs.is_some() { "hdfs-" } else { "" }
}

fn line(system: &System, args: &Args, shape: Shape, outcome: &Outcome, used: Usage) -> Line {
    let on = prefix(args);
    let blocks_per_second = outcome.blocks as f64 / outcome.seconds;
    Line {
        version: Version,
        system: format!("{on}{}", system.name),
        is: format!("{}{}", system.is, if on.is_empty() { "" } else { ", on HDFS" }),
        survives: system.survives,
        receivers: shape.receivers,
        block_bytes: shape.block_bytes,
        load: Load::Closed { outstanding: shape.outstanding },
        round: args.round,
        seconds: outcome.seconds,
        blocks: outcome.blocks,
        blocks_per_second,
        bytes_per_second: blocks_per_second * shape.block_bytes as f64,
        latency_us: outcome.latency,
        cpu_seconds: used.cpu_seconds,
        network_bytes: Some(used.loopback_bytes),
        disk_bytes: Some(used.disk_bytes),
        memory_bytes_max: Some(used.memory_bytes_max),
        lost: system.lost(args.hdfs.is_some()),
    }
}
