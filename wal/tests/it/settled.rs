//! What a log that failed hands out for the next one to settle.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_wal::store::sim::{Fault, Op, Sim, When};
use headwater_wal::{Clock, Kind, Log, Options, Position, SystemClock, Ticket, Time};
use parking_lot::Mutex;

/// What is to be done the next time somebody asks for the time.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// A clock by which something happens while the writer is at work.
#[derive(Default)]
struct Meddling {
    clock: SystemClock,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl fmt::Debug for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddling")
    }
}

impl Clock for Meddling {
    fn wall(&self) -> Time {
        self.clock.wall()
    }

    fn elapsed(&self) -> Duration {
        if let Some(meanwhile) = self.meanwhile.lock().take() {
            meanwhile();
        }
        self.clock.elapsed()
    }

    fn random(&self) -> [u8; 16] {
        self.clock.random()
    }
}

#[test]
fn an_append_behind_a_retirement_that_fails_was_never_in_the_log() {
    let sim = Sim::growing(1);
    let clock = Arc::new(Meddling::default());
    let opened = Log::open_with(sim.store(), Options::default(), clock.clone()).unwrap();
    let log = Arc::new(opened.start_stepped(Position::START).unwrap());
    log.append(Time(1), "old").unwrap().wait().unwrap();
    log.seal().unwrap();
    log.append(Time(2), "new").unwrap().wait().unwrap();
    let behind: Arc<Mutex<Option<Ticket>>> = Arc::default();
    let meanwhile = {
        let (log, behind) = (log.clone(), behind.clone());
        move || *behind.lock() = Some(log.append(Time(3), "behind").unwrap())
    };
    *clock.meanwhile.lock() = Some(Box::new(meanwhile));
    sim.plan(When::nth(1).of(Op::Sync), Fault::Error);
    assert_eq!(log.retire_before(Time::MAX).unwrap_err().kind(), Kind::Unknown);
    let answer = behind.lock().take().expect("it was appended meanwhile").wait().unwrap_err();
    assert_eq!(answer.kind(), Kind::Unknown);
    drop(log);
    let log = Log::open(sim.store(), Options::default()).unwrap().start_stepped(Position::START).unwrap();
    assert_eq!(log.settle(answer.unsettled().expect("a place")).unwrap_err().kind(), Kind::NotThere);
}
