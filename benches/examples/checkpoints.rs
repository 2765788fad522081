//! Checkpoints beside the same bytes written and read by hand, in interleaved rounds, and appends beside checkpoints:
//!
//! `checkpoints [--sections N] [--section-mib N] [--rounds N] [--dir FOLDER] [--small] [PART...]`
//!
//! Prints medians, with the least and the greatest of the rounds; ratios are taken in every round. The parts are memory,
//! records, noise, small and beside; without any all of them run.

use std::time::Duration;

use headwater_benches::checkpointing::Plan;
use headwater_benches::folder;

fn main() {
    let mut plan = Plan {
        dir: folder(env!("CARGO_MANIFEST_DIR")),
        rounds: 3,
        sections: 100,
        section_bytes: 2 << 20,
        small: 200,
        beside: Duration::from_secs(1),
        only: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        let number = |value: String| value.parse::<usize>().expect("a number");
        match arg.as_str() {
            "--small" => plan = Plan { only: plan.only, ..Plan::small(plan.dir) },
            "--dir" => plan.dir = value().into(),
            "--rounds" => plan.rounds = number(value()),
            "--sections" => plan.sections = number(value()),
            "--section-mib" => plan.section_bytes = number(value()) << 20,
            part => plan.only.push(part.to_owned()),
        }
    }
    plan.run(|text| println!("{text}"));
}
