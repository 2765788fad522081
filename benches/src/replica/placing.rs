//! Decides which peers are asked for a block's copies, and when its ticket is answered.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use headwater_wal::{Error, Kind, Result};

use super::blocks::{Need, Options};
use super::link::{Hears, Link};
use super::memory::Block;
use super::ticket::{Copies, Slot};
use super::wire::Frame;

/// As many peers as a block can remember to have been asked.
pub(super) const PEERS_MAX: usize = 64;

/// The puts that are not answered yet, and the links that they go over.
#[derive(Debug)]
pub(super) struct Placing {
    owner: u64,
    options: Options,
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    links: Vec<Arc<Link>>,
    /// In the order of their puts, which the answers keep.
    pending: VecDeque<Pending>,
    /// The put that the first of them is.
    first: u64,
    /// Their bytes.
    bytes: usize,
    waiting: usize,
}

/// A block that is on its way.
#[derive(Debug)]
struct Pending {
    number: u64,
    block: Block,
    slot: Arc<Slot>,
    made: usize,
    /// How many peers have not answered.
    open: usize,
    /// A bit for each peer that was asked.
    asked: u64,
    why: Option<Error>,
}

impl Placing {
    pub(super) fn new(owner: u64, options: Options) -> Self {
        Placing { owner, options, state: Mutex::default(), room: Condvar::new() }
    }

    /// One more peer, which is asked behind all others.
    pub(super) fn add(&self, link: impl FnOnce(usize) -> Arc<Link>) -> Result<Arc<Link>> {
        let mut state = self.state();
        let peer = state.links.len();
        if peer == PEERS_MAX {
            return Err(Error::new(Kind::Invalid, format!("too many peers peers_max={PEERS_MAX}")));
        }
        let link = link(peer);
        state.links.push(link.clone());
        Ok(link)
    }

    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.state().links.clone()
    }

    /// Waits until so many bytes may be on their way besides those that are; a block that is larger goes alone.
    pub(super) fn put(&self, number: u64, block: Block) -> Arc<Slot> {
        let mut state = self.state();
        while state.bytes > 0 && state.bytes + block.bytes.len() > self.options.in_flight_bytes {
            state.waiting += 1;
            state = self.room.wait(state).expect("nobody panics with it");
            state.waiting -= 1;
        }
        state.bytes += block.bytes.len();
        let slot = Arc::new(Slot::default());
        let pending = Pending { number, block, slot: slot.clone(), made: 1, open: 0, asked: 0, why: None };
        state.pending.push_back(pending);
        let put = state.first + state.pending.len() as u64 - 1;
        state.place(put, self.owner, self.options.factor);
        self.answer(&mut state);
        slot
    }

    /// Waits until every put is answered.
    pub(super) fn drain(&self) {
        let mut state = self.state();
        while !state.pending.is_empty() {
            state.waiting += 1;
            state = self.room.wait(state).expect("nobody panics with it");
            state.waiting -= 1;
        }
    }

    /// Forgets on all peers, behind all blocks that were sent before.
    pub(super) fn forget(&self, below: u64) {
        // With the lock held, so that it stands in one order with puts.
        let state = self.state();
        state.links.iter().for_each(|link| link.forget(self.owner, below));
    }

    /// Answers the puts from the oldest on that nobody is asked for any more.
    fn answer(&self, state: &mut State) {
        let mut is_any = false;
        while state.pending.front().is_some_and(|pending| pending.open == 0) {
            let pending = state.pending.pop_front().expect("there is one");
            state.first += 1;
            state.bytes -= pending.block.bytes.len();
            pending.slot.set(self.options.judge(pending.number, pending.made, pending.why));
            is_any = true;
        }
        if is_any && state.waiting > 0 {
            self.room.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }
}

impl Options {
    /// What a put is answered that so many copies were made of, and no more can be.
    fn judge(&self, number: u64, made: usize, why: Option<Error>) -> Result<Copies> {
        let copies = Copies { made, wanted: self.factor };
        if !copies.is_short() || self.need == Need::BestEffort {
            return Ok(copies);
        }
        let kind = why.as_ref().map_or(Kind::Unavailable, Error::kind);
        let message =
            format!("a block has too few copies number={number} made={made} wanted={}", self.factor);
        Err(match why {
            Some(why) => Error::new(kind, message).because(why),
            None => Error::new(kind, message),
        })
    }
}

impl State {
    /// Asks as many peers as a block still needs, in the order of the list.
    fn place(&mut self, put: u64, owner: u64, factor: usize) {
        let Some(pending) = put.checked_sub(self.first).and_then(|at| self.pending.get_mut(at as usize))
        else {
            return;
        };
        let mut frame = None;
        for (peer, link) in self.links.iter().enumerate() {
            if pending.made + pending.open >= factor {
                return;
            }
            if pending.asked & 1 << peer != 0 {
                continue;
            }
            let frame = frame.get_or_insert_with(|| Frame::block(owner, pending.number, &pending.block));
            if link.put(put, pending.number, frame.clone()) {
                pending.asked |= 1 << peer;
                pending.open += 1;
            } else {
                pending.why = pending.why.take().or_else(|| link.why_ended());
            }
        }
    }

    fn pending(&mut self, put: u64) -> &mut Pending {
        let at = put.checked_sub(self.first).expect("a put that a peer is asked for is not answered");
        &mut self.pending[at as usize]
    }
}

impl Hears for Placing {
    fn answered(&self, peer: usize, puts: &[(u64, bool)]) {
        let mut state = self.state();
        for &(put, is_kept) in puts {
            let address = state.links[peer].address();
            let pending = state.pending(put);
            pending.open -= 1;
            if is_kept {
                pending.made += 1;
                continue;
            }
            pending.why = Some(Error::new(Kind::Full, format!("a peer has no room peer={address}")));
            state.place(put, self.owner, self.options.factor);
        }
        self.answer(&mut state);
    }

    fn ended(&self, _: usize, puts: &[u64], why: &Error) {
        let mut state = self.state();
        for &put in puts {
            let pending = state.pending(put);
            pending.open -= 1;
            pending.why = Some(why.clone());
            state.place(put, self.owner, self.options.factor);
        }
        self.answer(&mut state);
    }
}
