//! Checkpoints and a journal on a store: a driver that counts, killed in between, goes on where it was.

use std::thread;
use std::time::Duration;

use headwater_checkpoint::journal::{BatchId, DirectRange, SourceRange, Wanted};
use headwater_checkpoint::resume::{self, Resumed, Root, get_or_create};
use headwater_stores::open;
use headwater_stores::servers::Bucket;
use headwater_wal::Result;
use headwater_wal::store::Name;

use super::alone;
use super::place::{Place, on_hdfs, on_servers, options};

on_servers! { a_driver_that_is_killed_goes_on_where_it_was }
on_hdfs! { a_driver_that_is_killed_goes_on_where_it_was }

const BATCHES: u64 = 16;
const NUMBERS_EACH: u64 = 3;

/// How far a source was counted, and to what sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counted {
    end: u64,
    sum: u64,
}

impl Counted {
    fn add(&mut self, ranges: &[DirectRange]) {
        for DirectRange { range, .. } in ranges {
            assert_eq!(range.from, self.end, "the batches follow one another");
            self.sum += (range.from..range.to).sum::<u64>();
            self.end = range.to;
        }
    }
}

fn resumed(root: &Root) -> Result<Resumed<Counted>> {
    let options = resume::Options { log: options(""), ..resume::Options::default() };
    get_or_create(
        root,
        options,
        || Ok(Counted::default()),
        |restored| {
            let bytes = restored.section("counted")?.read_all(16)?;
            let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
            Ok(Counted { end: number(0), sum: number(8) })
        },
    )
}

/// Goes on counting from wherever the one before was, to the end.
fn count(root: &Root) -> Result<Counted> {
    let Resumed { driver, app: mut counted, again, .. } = resumed(root)?;
    for again in &again {
        counted.add(again.allotment.direct());
        let _ = driver.journal().finish(again.allotment.batch())?;
    }
    while counted.end < BATCHES * NUMBERS_EACH {
        let id = BatchId(1 + counted.end / NUMBERS_EACH);
        let range = SourceRange { partition: 0, from: counted.end, to: counted.end + NUMBERS_EACH };
        let range = DirectRange { stream: 0, range };
        let batch = driver.journal().allot(Wanted::direct(id, vec![range]))?.has().expect("it is new");
        counted.add(batch.direct());
        let _ = driver.journal().finish(id)?;
        let state = [counted.end.to_le_bytes(), counted.sum.to_le_bytes()].concat();
        driver.checkpoint(driver.snapshot()?, 16, move |draft| draft.write("counted", &state))?.wait()?;
    }
    driver.close()?;
    Ok(counted)
}

fn root(url: &str) -> Root {
    let bucket = Bucket::new(url);
    Root::new(move |folder: &Name| open(&bucket.inside(folder.as_str())))
}

#[test]
#[ignore = "a part that another test lets a process of its own play"]
fn counting() {
    let Some(url) = alone::part() else { return };
    count(&root(&url)).expect("it counts to the end");
}

fn a_driver_that_is_killed_goes_on_where_it_was(bucket: &Bucket) {
    let url = Place::new(bucket, "driver").url();
    let mut kills = 0;
    loop {
        let mut child = alone::begin("driver::counting", &url);
        // Longer each time, however slow the machine is.
        thread::sleep(Duration::from_millis(150).mul_f64(1.4_f64.powi(kills)));
        if let Some(status) = child.try_wait().expect("it is a child") {
            assert!(status.success(), "a driver failed");
            break;
        }
        child.kill().expect("it is killed");
        child.wait().expect("it has ended");
        kills += 1;
        assert!(kills < 100, "it never comes to an end");
    }
    assert!(kills > 0, "it was killed in between");
    println!("killed {kills} times");
    let numbers = BATCHES * NUMBERS_EACH;
    let all = Counted { end: numbers, sum: (0..numbers).sum() };
    assert_eq!(count(&root(&url)).expect("it is started once more"), all);
}
