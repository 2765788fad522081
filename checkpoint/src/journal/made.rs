//! Events on their way to the log.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::BytesMut;
use headwater_wal::{Log, Result, Time};

use super::event::{Event, RECORD_KIND};
use super::pending::Logged;

/// How much memory a thread takes at once for the bytes of events.
const PIECE_BYTES: usize = 64 * 1024;

/// An event whose bytes are made, but for its number: that is known only under the lock, and everything else is done
/// before it.
pub(super) struct Made {
    bytes: BytesMut,
    time: Time,
    logged: Arc<Logged>,
}

impl Made {
    pub(super) fn new(put: impl FnOnce(&mut Vec<u8>), log: &Log) -> Made {
        Made { bytes: Piece::of_this_thread(put), time: log.now(), logged: Arc::default() }
    }

    /// Appends it as the event of this number.
    pub(super) fn append(mut self, number: u64, log: &Log) -> Result<Arc<Logged>> {
        Event::set_number(&mut self.bytes, number);
        let ticket = log.append_kind(RECORD_KIND, self.time, self.bytes.freeze())?;
        self.logged.waits_for(ticket);
        Ok(self.logged)
    }
}

/// Where a thread makes the bytes of events. They lie one behind the other in a piece of memory that goes when the log
/// has written all of it: an allocation for each, which another thread gives back, would cost more than all else that
/// is done for it.
#[derive(Default)]
struct Piece {
    event: Vec<u8>,
    piece: BytesMut,
}

thread_local! {
    static PIECE: RefCell<Piece> = RefCell::default();
}

impl Piece {
    fn of_this_thread(put: impl FnOnce(&mut Vec<u8>)) -> BytesMut {
        PIECE.with_borrow_mut(|piece| piece.bytes(put))
    }

    fn bytes(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> BytesMut {
        self.event.clear();
        put(&mut self.event);
        if self.piece.capacity() < self.event.len() {
            self.piece = BytesMut::with_capacity(PIECE_BYTES.max(self.event.len()));
        }
        self.piece.extend_from_slice(&self.event);
        self.piece.split()
    }
}
