//! How receivers report to a journal.
//!
//! A receiver of [`headwater_wal::receiver`] knows no journal, only a [`Driver`] that it reports to. [`Reports`] is the one
//! that has a journal, in the driver's own process. [`serve()`] lets receivers in other processes report to it, over TCP,
//! each by a [`Remote`]:
//!
//! ```
//! use std::net::TcpListener;
//! use std::sync::Arc;
//!
//! use headwater_checkpoint::journal::{Journal, State};
//! use headwater_checkpoint::receive::{self, Remote, Reports};
//! use headwater_wal::receiver::{Driver, ReceiverLog};
//! use headwater_wal::store::Memory;
//! use headwater_wal::{Log, Position};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In the driver's process. Where it listens has to become known: by a file, a name server, an argument.
//! let log = Log::open(Arc::new(Memory::growing()), Default::default())?.start(Position::START)?;
//! let journal = Arc::new(Journal::start(log, State::default(), Position::START)?);
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let server = receive::serve(listener, Arc::new(Reports::to(&journal)))?;
//! let address = server.address();
//!
//! // In a receiver's process: what its `Receiver` is started with.
//! let driver = Remote::new(move || Ok(address), Default::default())?;
//! assert_eq!(driver.settled(ReceiverLog { stream: 0, receiver: 0, identity: 7 })?, None);
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised between processes
//!
//! - An answer is the driver's, to this call: calls are numbered, each frame is checked, and a connection on which
//!   anything was in doubt is not used again. What a network does to bytes that a 32-bit check does not notice is not.
//! - No call hangs: there is a time for connecting and one for the answer. Without an answer a call is `Unavailable`; it
//!   may have happened, and it may happen yet, while it lies in some buffer. Neither does harm: a block is settled once, in
//!   the order of its log, and one that is settled is answered for as it was.
//! - Errors of the driver's cross as they are, in kind and text. After each of them the address is looked up anew.
//! - Whatever comes in is bounded before room is made for it, and is an error if it is no call: [`wire`] states the bytes.
//!
//! **There is no authentication and no encryption**: whoever can connect can report blocks. Listen on loopback or in a
//! network where everybody is trusted. Against mistakes there is [`Options::driver`].

mod channel;
mod options;
mod remote;
mod serve;
pub mod wire;

use std::sync::{Arc, Weak};

pub use options::Options;
pub use remote::Remote;
pub use serve::{Server, serve, serve_with};

use headwater_wal::receiver::{self, Answer, Driver, Report};
use headwater_wal::{Error, Kind, Position, Result};

use crate::journal::{Added, Block, End, Journal, PassedOver, ReceiverLog, Refusal, SourceRange};

/// A journal, as receivers see it.
#[derive(Clone, Debug)]
pub struct Reports {
    journal: Weak<Journal>,
}

impl Reports {
    /// Reports go to this journal, for as long as it is there. When it has failed and was started again, make new ones:
    /// until then receivers find their driver away, and hold what they have.
    pub fn to(journal: &Arc<Journal>) -> Self {
        Reports { journal: Arc::downgrade(journal) }
    }

    fn journal(&self) -> Result<Arc<Journal>> {
        let gone = || Error::new(Kind::Unavailable, "the driver that blocks are reported to has ended");
        self.journal.upgrade().ok_or_else(gone)
    }

    fn answer(journal: &Journal, block: &Report, added: Added) -> Result<Answer> {
        Ok(match added {
            Added::Now => Answer::Taken,
            // All of its records have arrived, in this block or in others.
            Added::Already => Answer::Taken,
            // One that was passed over is settled too: a source may forget the records of one that was taken, and of no
            // other.
            Added::Refused(Refusal::Ends(_)) if is_settled(journal, block)? => Answer::PassedOver,
            Added::Refused(Refusal::Ends(ends)) => Answer::Refused(ends.iter().filter_map(end).collect()),
            Added::Refused(Refusal::Early { settled }) => Answer::Early(settled),
            Added::Refused(Refusal::Room { .. }) => Answer::Full,
        })
    }
}

impl Driver for Reports {
    fn settled(&self, log: receiver::ReceiverLog) -> Result<Option<Position>> {
        let receiver::ReceiverLog { stream, receiver, identity } = log;
        Ok(self.journal()?.view()?.tracker().settled(ReceiverLog { stream, receiver, identity }))
    }

    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        // All of them are decided before one is waited for: they share the journal's syncs.
        let journal = self.journal()?;
        let mut pending = Vec::with_capacity(blocks.len());
        for block in blocks {
            pending.push(journal.add_later(block_of(block))?);
        }
        let mut answers = Vec::with_capacity(blocks.len());
        for (block, pending) in blocks.iter().zip(pending) {
            let answer = Reports::answer(&journal, block, pending.wait()?)?;
            let goes_on = answer == Answer::Taken;
            answers.push(answer);
            if !goes_on {
                break;
            }
        }
        Ok(answers)
    }

    fn pass_over(&self, block: &Report) -> Result<Answer> {
        Ok(match self.journal()?.pass_over(&block_of(block))? {
            PassedOver::Now | PassedOver::Already => Answer::PassedOver,
            PassedOver::Early { settled } => Answer::Early(settled),
        })
    }

    fn released(&self, log: receiver::ReceiverLog) -> Result<Position> {
        let receiver::ReceiverLog { stream, receiver, identity } = log;
        Ok(self.journal()?.view()?.tracker().retires(ReceiverLog { stream, receiver, identity }))
    }
}

/// The block as the journal keeps it.
pub fn block_of(report: &Report) -> Block {
    let range = |range: &receiver::blocks::SourceRange| SourceRange {
        partition: range.partition,
        from: range.from,
        to: range.to,
    };
    Block {
        stream: report.stream,
        receiver: report.receiver,
        handle: report.handle,
        previous: report.previous,
        id: report.number,
        records: u64::from(report.records),
        ranges: report.ranges.iter().map(range).collect(),
        own: Default::default(),
    }
}

/// Whether a block is one of those of its log that were added or passed over.
fn is_settled(journal: &Journal, block: &Report) -> Result<bool> {
    let settled = journal.view()?.tracker().settled(block_of(block).log());
    Ok(settled.is_some_and(|settled| block.handle.position() <= settled))
}

fn end(end: &End) -> Option<receiver::End> {
    Some(receiver::End { partition: end.partition, end: end.end? })
}
