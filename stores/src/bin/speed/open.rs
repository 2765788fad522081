//! Opening a log of 100,000 objects, which nobody has closed.

use std::time::Instant;

use headwater_stores::open;
use headwater_wal::{Log, Options, Position, Time};

use super::Result;
use super::far::Far;
use super::figures::{goal, median};

pub(super) fn row(small: bool) -> Result<()> {
    let far = Far::plain()?;
    let (objects, rounds) = if small { (300, 1) } else { (100_000_u64, 3) };
    let (near, url) = far.folder("open");
    let options =
        || Options::from_text("group_bytes_max=1&linger=0ms&record_bytes_max=64KiB&puts_in_flight=16");
    let log = Log::open(open(&near)?, options()?)?.start(Position::START)?;
    let began = Instant::now();
    for chunk in 0..objects / 100 {
        let tickets: Vec<_> =
            (0..100).map(|number| log.append(Time(chunk), format!("{number}"))).collect::<Result<_, _>>()?;
        for ticket in tickets {
            let _ = ticket.wait()?;
        }
    }
    println!("  {objects} objects were put in {:.0} s", began.elapsed().as_secs_f64());
    // The process was killed, as it were.
    std::mem::forget(log);
    let (mut opens, mut starts, mut asked) = (Vec::new(), Vec::new(), (0, 0));
    for _ in 0..rounds {
        let began = Instant::now();
        let (opened, to_open) = far.requests(|| Log::open(open(&url)?, options()?));
        let opened = opened?;
        opens.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        let (log, to_start) = far.requests(|| opened.start(Position::START));
        starts.push(began.elapsed().as_secs_f64());
        std::mem::forget(log?);
        asked = (to_open, to_start);
    }
    let (opened, started) = (median(opens), median(starts));
    println!(
        "  opened in {opened:.2} s by {} requests, started in {started:.2} s more by {}",
        asked.0, asked.1
    );
    goal(small, "seconds to open", opened, "<=", 5.0);
    Ok(())
}
