//! Checkpoints written beside the work.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headwater_checkpoint::{Background, Captured, Draft};
use headwater_wal::store::sim::{Fault, Op, Sim, When};
use headwater_wal::store::{Memory, Name, Pages, Store, Survives};
use headwater_wal::{Kind, Result};
use parking_lot::{Condvar, Mutex};

use crate::fixture::*;

/// A store whose puts wait at a gate.
#[derive(Debug)]
struct Gated {
    store: Memory,
    open: Mutex<bool>,
    moved: Condvar,
    waiting: AtomicU64,
}

impl Gated {
    fn new() -> Arc<Gated> {
        let (open, moved, waiting) = (Mutex::new(true), Condvar::new(), AtomicU64::new(0));
        Arc::new(Gated { store: Memory::objects(), open, moved, waiting })
    }

    fn shut(&self) {
        *self.open.lock() = false;
    }

    fn open(&self) {
        *self.open.lock() = true;
        self.moved.notify_all();
    }

    /// Waits until somebody stands at the gate.
    fn wait_for_somebody(&self) {
        while self.waiting.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
    }
}

impl Store for Gated {
    fn place(&self) -> String {
        self.store.place()
    }

    fn survives(&self) -> Survives {
        self.store.survives()
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        let mut open = self.open.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        while !*open {
            self.moved.wait(&mut open);
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        drop(open);
        self.store.put(name, bytes)
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.store.read(name, range)
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        self.store.list(folder)
    }

    fn remove(&self, name: &Name) -> Result<()> {
        self.store.remove(name)
    }
}

/// A state that says one number.
fn state(number: u64, bytes: u64) -> Captured {
    Captured::new(&at(number), bytes, move |draft: &mut Draft<'_>| {
        draft.write("number", &number.to_le_bytes())
    })
}

fn number(store: &Arc<dyn Store>) -> Option<u64> {
    let found = newest(store)?;
    Some(u64::from_le_bytes(read(store, &found, "number").unwrap().try_into().unwrap()))
}

#[test]
fn the_newest_state_wins_and_every_ticket_is_answered() {
    let gated = Gated::new();
    let store: Arc<dyn Store> = gated.clone();
    let background = Background::start(start(&store, 1), 100).unwrap();
    gated.shut();
    let first = background.submit(state(0, 10)).unwrap();
    gated.wait_for_somebody();
    let later: Vec<_> = (1..5).map(|number| background.submit(state(number, 10)).unwrap()).collect();
    let status = background.status();
    assert_eq!((status.bytes, status.coalesced, status.published), (20, 3, None));
    std::thread::sleep(Duration::from_millis(2));
    assert!(background.status().lag >= Duration::from_millis(2));
    assert!(first.answer().is_none());
    gated.open();
    assert_eq!(first.wait().unwrap().number, 0);
    for ticket in later {
        assert_eq!(ticket.wait().unwrap().number, 1, "the newest holds the others");
    }
    assert_eq!(number(&store), Some(4));
    assert_eq!(background.status().lag, Duration::ZERO);
    background.close().unwrap();
}

#[test]
fn states_in_memory_are_bounded() {
    let gated = Gated::new();
    let store: Arc<dyn Store> = gated.clone();
    let background = Background::start(start(&store, 1), 100).unwrap();
    gated.shut();
    let huge = background.submit(state(0, 1000)).unwrap();
    gated.wait_for_somebody();
    let refused = background.try_submit(state(1, 1)).unwrap().unwrap_err();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| background.submit(refused).unwrap().wait().unwrap());
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(background.status().bytes, 1000);
        gated.open();
        assert_eq!(waits.join().unwrap().number, 1);
    });
    assert_eq!(huge.wait().unwrap().number, 0);
}

#[test]
fn closing_writes_what_waits_and_gives_the_writer_back() {
    let gated = Gated::new();
    let store: Arc<dyn Store> = gated.clone();
    let background = Background::start(start(&store, 1), 100).unwrap();
    gated.shut();
    let first = background.submit(state(0, 1)).unwrap();
    gated.wait_for_somebody();
    let second = background.submit(state(1, 1)).unwrap();
    gated.open();
    let mut writer = background.close().unwrap();
    assert_eq!((first.wait().unwrap().number, second.wait().unwrap().number), (0, 1));
    assert_eq!(number(&store), Some(1));
    publish(&mut writer, 9, &[]).unwrap();
}

#[test]
fn a_store_that_fails_is_tried_again_and_says_so_meanwhile() {
    let sim = Sim::objects(1);
    let store = sim.store();
    let background = Background::start(start(&store, 1), 100).unwrap();
    sim.plan(When::nth(1).of(Op::Put), Fault::Error);
    sim.plan(When::nth(2).of(Op::Put), Fault::RequestLost);
    let ticket = background.submit(state(7, 1)).unwrap();
    let status = loop {
        let status = background.status();
        if status.failures > 0 {
            break status;
        }
        assert!(ticket.answer().is_none(), "two tries fail first");
        std::thread::yield_now();
    };
    assert!(status.failures >= 1 && status.failure.is_some() && status.lag > Duration::ZERO, "{status:?}");
    assert_eq!(ticket.wait().unwrap().number, 2);
    let status = background.status();
    assert!(status.failures == 0 && status.failure.is_none(), "{status:?}");
    assert_eq!(number(&store), Some(7));
}

#[test]
fn closing_while_the_store_is_away_ends_and_says_what_is_not_durable() {
    let sim = Sim::objects(1);
    let store = sim.store();
    let background = Background::start(start(&store, 1), 100).unwrap();
    sim.plan(When::from(1).of(Op::Put), Fault::Error);
    let ticket = background.submit(state(7, 1)).unwrap();
    assert_eq!(background.close().map(drop).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(ticket.wait().unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn a_replaced_writer_answers_every_ticket_and_takes_no_more() {
    let gated = Gated::new();
    let store: Arc<dyn Store> = gated.clone();
    let background = Background::start(start(&store, 1), 100).unwrap();
    let _heir = start(&store, 2);
    gated.shut();
    let first = background.submit(state(0, 1)).unwrap();
    gated.wait_for_somebody();
    let second = background.submit(state(1, 1)).unwrap();
    gated.open();
    for ticket in [first, second] {
        assert_eq!(ticket.wait().unwrap_err().kind(), Kind::Fenced);
    }
    assert_eq!(background.submit(state(2, 1)).unwrap_err().kind(), Kind::Fenced);
    assert_eq!(background.close().map(drop).unwrap_err().kind(), Kind::Fenced);
}

#[test]
fn a_state_that_cannot_be_written_is_given_up_and_the_next_one_is_not() {
    let store: Arc<dyn Store> = Arc::new(Memory::objects());
    let background = Background::start(start(&store, 1), 100).unwrap();
    let panics = Captured::new(&at(1), 1, |_: &mut Draft<'_>| panic!("of the application's own"));
    let error = background.submit(panics).unwrap().wait().unwrap_err();
    assert!(
        error.kind() == Kind::Invalid && error.to_string().contains("of the application's own"),
        "{error}"
    );
    let keeps = Captured::new(&at(1), 1, |draft: &mut Draft<'_>| draft.keep("number"));
    assert_eq!(background.submit(keeps).unwrap().wait().unwrap_err().kind(), Kind::Invalid);
    background.submit(state(3, 1)).unwrap().wait().unwrap();
    assert_eq!(number(&store), Some(3));
    background.close().unwrap();
}

#[test]
fn sections_are_shared_by_revision_although_states_are_passed_over() {
    let gated = Gated::new();
    let store: Arc<dyn Store> = gated.clone();
    let background = Background::start(start(&store, 1), 100).unwrap();
    let revised = |revision: u64| {
        Captured::new(&at(revision), 1, move |draft: &mut Draft<'_>| {
            draft.keep_or_write("x", revision, |into| into.write_all(&noise(revision, 100)))
        })
    };
    background.submit(revised(1)).unwrap().wait().unwrap();
    gated.shut();
    let same = background.submit(revised(1)).unwrap();
    gated.wait_for_somebody();
    let passed_over = background.submit(revised(2)).unwrap();
    let back_again = background.submit(revised(1)).unwrap();
    gated.open();
    let ids = [same, passed_over, back_again].map(|ticket| ticket.wait().unwrap().number);
    assert_eq!(ids, [1, 2, 2]);
    let found = newest(&store).unwrap();
    assert_eq!(found.section("x").unwrap().written_by().unwrap().number, 0);
    assert_eq!(read(&store, &found, "x").unwrap(), noise(1, 100));
}

#[test]
fn a_store_that_panics_in_a_sweep_leaves_nobody_waiting() {
    let sim = Sim::objects(1);
    let store = sim.store();
    let mut writer = start(&store, 1);
    for number in 0..3 {
        publish(&mut writer, number, &[]).unwrap();
    }
    let background = Background::start(writer, 100).unwrap();
    sim.plan(When::nth(1).of(Op::Remove), Fault::Panic);
    let ticket = background.submit(state(7, 1)).unwrap();
    assert_eq!(ticket.wait().unwrap().number, 3, "it was published before");
    let error = background.submit(state(8, 1)).and_then(|ticket| ticket.wait()).unwrap_err();
    assert_eq!(error.kind(), Kind::Closed);
    let closed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| background.close().map(drop)));
    assert!(closed.is_err(), "the panic is passed on");
}

#[test]
fn a_ticket_can_be_awaited() {
    let store: Arc<dyn Store> = Arc::new(Memory::objects());
    let background = Background::start(start(&store, 1), 100).unwrap();
    let ticket = background.submit(state(3, 1)).unwrap();
    assert_eq!(block_on(ticket).unwrap().number, 0);
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
