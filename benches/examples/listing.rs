//! Lists a log of many segments beside the bare loop, in interleaved rounds: `listing SEGMENTS ROUNDS [WAL-INSPECT]`. Prints
//! medians, their spread, and the ratio to the bare loop taken in each round.

use std::path::PathBuf;
use std::time::Duration;

use headwater_benches::folder;
use headwater_benches::listing::Listed;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default: usize| args.next().map_or(default, |arg| arg.parse().expect("a number"));
    let (segments, rounds) = (number(100_000), number(7));
    let program = args.next().map(PathBuf::from);
    let listed = Listed::new(&folder(env!("CARGO_MANIFEST_DIR")), segments).expect("a log");
    let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut row = |name: &'static str, time: Duration| {
        let millis = time.as_secs_f64() * 1e3;
        match rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.1.push(millis),
            None => rows.push((name, vec![millis])),
        }
    };
    listed.bare();
    for _ in 0..rounds {
        row("bare", listed.bare());
        row("bare, names alone", listed.bare_names());
        row("list", listed.list());
        if let Some(program) = &program {
            row("wal-inspect ls", listed.program(program, &[]));
            row("wal-inspect ls --json", listed.program(program, &["--json"]));
            row("wal-inspect ls --long", listed.program(program, &["--long"]));
        }
        row("look", listed.look());
    }
    println!("{} segments, {rounds} rounds, warm", listed.segments());
    let bare = rows[0].1.clone();
    for (name, millis) in &rows {
        let ratios: Vec<f64> = millis.iter().zip(&bare).map(|(one, bare)| one / bare).collect();
        println!(
            "{name:22} {:8.1} ms ({:.1} to {:.1})  ratio {:5.2} ({:.2} to {:.2})",
            median(millis),
            least(millis),
            greatest(millis),
            median(&ratios),
            least(&ratios),
            greatest(&ratios)
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
