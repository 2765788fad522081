//! The driver's process: it comes back, takes what receivers report, and turns it into batches, one at a time.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use headwater::checkpoint::journal::{Allotment, BatchId, Committed, OutputId, Standing, Wanted};
use headwater::checkpoint::receive::serve;
use headwater::checkpoint::resume::{Driver, Options as Choices, Restored, Resumed, get_or_create};
use headwater::checkpoint::{Draft, Ticket};
use headwater::{Clock, SystemClock};

use crate::fetch::Fetch;
use crate::options::{Fault, Options};
use crate::place::Place;
use crate::sink::{Output, Published, Sink};
use crate::text::Counts;
use crate::{Result, refusing, tell};

const CHECKPOINT_EVERY: Duration = Duration::from_millis(200);

/// The application's state: all words so far. It is in every checkpoint.
#[derive(Clone, Debug, Default)]
struct Totals(Counts);

impl Totals {
    const SECTION: &str = "totals";

    fn restore(restored: &Restored<'_>) -> headwater::Result<Totals> {
        let text = restored.section(Totals::SECTION)?.read_all(1 << 20)?;
        let text = String::from_utf8(text).expect("it was written so");
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Ok(Totals(
            pairs.map(|(word, count)| (word.to_owned(), count.parse().expect("it was written so"))).collect(),
        ))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().map(|(word, count)| format!("{word} {count}\n")).collect::<String>().into_bytes()
    }

    fn add(&mut self, counts: &Counts) {
        counts.iter().for_each(|(word, count)| crate::text::add(&mut self.0, word, *count));
    }
}

struct Work {
    driver: Driver,
    fetch: Fetch,
    sink: Sink,
    totals: Totals,
    /// Tells this process's attempts from those of others.
    attempt: u64,
    /// Batches that did not go well.
    failed: Vec<Allotment>,
    fault: Fault,
    outputs: u64,
}

pub(crate) fn run(options: &Options, place: &Place) -> Result<()> {
    let stops = Arc::new(AtomicBool::new(false));
    let stopping = stops.clone();
    crate::when_told_to_stop(move || stopping.store(true, SeqCst));

    let mut root = place.root(options.wal);
    if options.fault == Fault::Checkpoints {
        root = refusing::root(root);
    }
    let resumed = get_or_create(&root, Choices::default(), || Ok(Totals::default()), Totals::restore)?;
    let Resumed { driver, app, restored, passed_over, again } = resumed;
    let waiting = driver.journal().view()?.tracker().waiting();
    let mut work = Work {
        fetch: Fetch::new(options, place, root),
        sink: Sink::open(options.sink, place)?,
        totals: app,
        attempt: SystemClock::default().wall().0 << 16 | u64::from(std::process::id() & 0xFFFF),
        failed: Vec::new(),
        fault: options.fault,
        outputs: 0,
        driver,
    };
    for (checkpoint, why) in &passed_over {
        tell(&format!("passed-over {checkpoint} {}", why.kind()));
    }
    let from = restored.map_or_else(|| "nothing".to_owned(), |checkpoint| checkpoint.to_string());
    tell(&format!("resumed {from} {} {waiting}", again.len()));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = serve(listener, Arc::new(work.driver.reports()))?;
    place.tell("driver", server.address())?;
    // Receivers are served already: on HDFS a block may wait for the heir of the one that was killed with it, and the heir
    // starts when the driver has answered it.
    for batch in again {
        work.run(&batch.allotment, batch.standing == Standing::Pending)?;
    }
    tell("ready");

    let batch_every = Duration::from_millis(options.batch_millis);
    let mut checkpointed: Option<Instant> = None;
    loop {
        let began = Instant::now();
        let last = stops.load(SeqCst);
        if last {
            work.fault = Fault::None;
        }
        let done = work.next_batch()?;
        if last && !done {
            break;
        }
        if checkpointed.is_none_or(|at| at.elapsed() > CHECKPOINT_EVERY) {
            checkpointed = Some(Instant::now());
            drop(work.checkpoint()?);
        }
        std::thread::sleep(batch_every.saturating_sub(began.elapsed()));
    }
    drop(server);
    for batch in std::mem::take(&mut work.failed) {
        work.run(&batch, true)?;
    }
    // The last one is waited for, but not for ever: the journal knows as much.
    let _ = work.checkpoint()?.wait_for(Duration::from_secs(2));
    tell(&format!("totals {}", String::from_utf8_lossy(&work.totals.bytes()).trim_end().replace('\n', ",")));
    if let Err(error) = work.driver.close() {
        // What it did not checkpoint it will find in its journal.
        tell(&format!("no-checkpoint {}", error.kind()));
    }
    Ok(())
}

impl Work {
    /// Takes everything that waits into a batch, and runs it; whether there was anything.
    fn next_batch(&mut self) -> Result<bool> {
        let state = self.driver.journal().view()?;
        let direct = match &self.fetch.direct {
            Some(direct) => direct.new_ranges(state.tracker())?,
            None => Vec::new(),
        };
        if state.tracker().waiting() == 0 && direct.is_empty() {
            return Ok(false);
        }
        let newest = state.ledger().newest().map_or(0, |newest| newest.0);
        let batch = BatchId((SystemClock::default().wall().0).max(newest + 1));
        let allotted = self.driver.journal().allot(Wanted { direct, ..Wanted::all(batch) })?;
        let allotment = allotted.has().ok_or("a batch that was newer than all has nothing")?;
        if self.fault == Fault::SomeBatches && batch.0.is_multiple_of(7) {
            // It stays as it is until it is run again: nothing of it is taken away, nor by any other batch.
            tell("failed");
            self.failed.push(allotment);
            return Ok(true);
        }
        self.run(&allotment, true)?;
        Ok(true)
    }

    /// Runs a batch: reads its blocks, publishes what it gives under its name, and only then says that it is done.
    fn run(&mut self, batch: &Allotment, is_pending: bool) -> Result<()> {
        let output = self.fetch.read(batch)?;
        if output.lost_blocks > 0 {
            tell(&format!("lost-blocks {}", output.lost_blocks));
        }
        if is_pending {
            self.publish(batch.batch(), &output)?;
        }
        self.totals.add(&output.counts);
        self.fetch.forget(batch);
        Ok(())
    }

    fn publish(&mut self, batch: BatchId, output: &Output) -> Result<()> {
        let name = OutputId { batch, partition: 0 };
        let attempt = match self.sink.publish(name, self.attempt, output)? {
            Published::Now { attempt } => attempt,
            Published::Before { attempt, same_input } => {
                tell(if same_input { "output-known" } else { "output-differs" });
                attempt
            }
        };
        self.outputs += 1;
        if self.fault == Fault::BeforeCommitting && self.outputs > 1 {
            // It is published, and that is not on record.
            std::process::abort();
        }
        let journal = self.driver.journal();
        if let Committed::Other { attempt } = journal.commit(name, attempt)? {
            return Err(format!(
                "batch {batch} was committed by attempt {attempt}, which did not publish it"
            )
            .into());
        }
        let _ = journal.finish(batch)?;
        tell(&format!("batch {}", output.records()));
        Ok(())
    }

    /// Has a checkpoint written beside the work, and removes what none of those that are kept needs.
    fn checkpoint(&mut self) -> Result<Ticket> {
        let bytes = self.totals.bytes();
        let write = move |draft: &mut Draft<'_>| draft.write(Totals::SECTION, &bytes);
        let ticket = self.driver.checkpoint(self.driver.snapshot()?, 4096, write)?;
        // While none can be written the stream goes on, nothing is removed, and people are told.
        if let Some(failure) = self.driver.status().failure {
            tell(&format!("no-checkpoint {}", failure.kind()));
        }
        if let Some(why) = self.driver.clean(SystemClock::default().wall())?.suspended {
            tell(&format!("not-cleaned {}", why.kind()));
        }
        Ok(ticket)
    }
}
