//! The driver's process: what receivers report becomes batches, and each batch is counted and published once.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use headwater_checkpoint::journal::{Allotment, BatchId, OutputId, Standing, Wanted};
use headwater_checkpoint::receive;
use headwater_checkpoint::resume::{self, get_or_create};
use headwater_wal::Reader;
use headwater_wal::receiver::blocks;

use crate::Result;
use crate::counts::{Counts, SECTION};
use crate::release;
use crate::setup::{Setup, log_options, replace};
use crate::sink::{Output, Published, Sink};
use crate::stream::PARTITIONS;
use crate::tell::{Told, told_to_end};

/// So long after a batch the next one begins, if anything has arrived: soon, so that a kill often hits one that has
/// published and not recorded it.
const BATCH_EVERY: Duration = Duration::from_millis(10);

/// Outputs of so many batches are remembered, at least.
const REMEMBERED: u64 = 20;

struct Work<'a> {
    setup: &'a Setup,
    driver: resume::Driver,
    received: Vec<Reader>,
    sink: Sink,
    /// Every word of the batches that are finished, and of the one at work.
    counts: Counts,
}

/// Runs batches until told to end.
pub(crate) fn run(setup: &Setup) -> Result<()> {
    let end = told_to_end();
    let options = resume::Options {
        log: log_options(),
        checkpoints: headwater_checkpoint::Options::default().keep_last(3),
        ..resume::Options::default()
    };
    let resumed = get_or_create(&setup.root(), options, || Ok(Counts::default()), Counts::restore)?;
    let driver = resumed.driver;
    let received = (0..PARTITIONS).map(|receiver| Reader::open(setup.root().received(0, receiver)?));
    let received = received.collect::<Result<_, _>>()?;
    let mut work = Work { setup, driver, received, sink: Sink::at(&setup.postgres), counts: resumed.app };

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = receive::serve(listener, Arc::new(work.driver.reports()))?;
    replace(&setup.address(), &server.address().to_string())?;
    Told::Ready.tell();

    for again in resumed.again {
        work.run_again(&again)?;
    }
    let newest = work.driver.journal().view()?.ledger().newest();
    let mut next = newest.map_or(1, |newest| newest.0 + 1);
    while !end.load(Ordering::Relaxed) {
        std::thread::sleep(BATCH_EVERY);
        if work.driver.journal().view()?.tracker().waiting() == 0 {
            continue;
        }
        let batch = work.driver.journal().allot(Wanted::all(BatchId(next)))?;
        work.run_batch(&batch.has().ok_or("a new batch has no input")?)?;
        work.clean(next)?;
        next += 1;
    }
    drop(server);
    Ok(work.driver.close()?)
}

impl Work<'_> {
    /// A batch that the state does not have. If it is finished, all of it was published and recorded.
    fn run_again(&mut self, again: &resume::Again) -> Result<()> {
        if again.standing == Standing::Pending {
            return self.run_batch(&again.allotment);
        }
        for partition in 0..PARTITIONS {
            let output = self.count(&again.allotment, partition)?;
            self.counts.add(&output.counts);
        }
        Ok(())
    }

    /// Counts a batch and publishes what each receiver's part of it gives; finishes it; has the state kept.
    fn run_batch(&mut self, batch: &Allotment) -> Result<()> {
        for partition in 0..PARTITIONS {
            let output = self.count(batch, partition)?;
            self.counts.add(&output.counts);
            let id = OutputId { batch: batch.batch(), partition };
            let attempt = self.driver.journal().log().epoch();
            let published = self.sink.publish(id, attempt, &output, &self.counts)?;
            Told::Published { outputs: 1, known: (published == Published::Before).into() }.tell();
            // Whose attempt is recorded does not matter here: the sink took one, and says so itself.
            let _ = self.driver.journal().commit(id, attempt)?;
        }
        let _ = self.driver.journal().finish(batch.batch())?;
        let text = self.counts.to_text();
        let snapshot = self.driver.snapshot()?;
        let bytes = text.len() as u64;
        self.driver
            .checkpoint(snapshot, bytes, move |draft| draft.write(SECTION, text.as_bytes()))?
            .wait()?;
        Ok(())
    }

    /// Reads one receiver's blocks of a batch, by their handles, and counts.
    fn count(&self, batch: &Allotment, receiver: u32) -> Result<Output> {
        let mut output = Output::default();
        for block in batch.blocks().filter(|block| block.receiver == receiver) {
            let payload = self.received[receiver as usize].read(&block.handle)?.payload;
            for record in blocks::records(&payload)? {
                let record = record?;
                let place = record.place.ok_or("a record without its place in the stream")?;
                output.sequences.push(place.position as i64);
                output.counts.take(std::str::from_utf8(record.bytes)?);
            }
        }
        Ok(output)
    }

    /// Lets go of what no kept checkpoint needs.
    fn clean(&self, batch: u64) -> Result<()> {
        self.driver.forget(BatchId(batch.saturating_sub(REMEMBERED)))?;
        let cleaned = self.driver.clean(self.driver.journal().log().now())?;
        for (log, below) in cleaned.received {
            release::permit(self.setup, log, below)?;
        }
        let files = cleaned.journal.map_or(0, |journal| journal.removed);
        Told::Removed { files }.tell();
        Ok(())
    }
}
