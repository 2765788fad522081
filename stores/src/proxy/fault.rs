//! What the proxy may do to a request instead of passing it on, and who chooses.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server has done it, and the connection is cut before the answer is passed on.
    CutAfter,
    /// The connection is cut, and the server has heard nothing.
    CutBefore,
    /// The server has heard nothing, and this is the answer.
    Answer(u16, &'static str),
    /// The server has done it, and this is the answer all the same.
    AnswerAfter(u16, &'static str),
    /// The server has heard nothing, and no answer comes until the proxy is mended.
    Hang,
    /// The server has done it, and no answer comes until the proxy is mended.
    HangAfter,
}

impl Fault {
    /// Whether the server does what was asked for.
    pub(super) fn is_after(&self) -> bool {
        matches!(self, Fault::CutAfter | Fault::AnswerAfter(..) | Fault::HangAfter)
    }

    /// As S3 throttles.
    pub const SLOW_DOWN: Fault = Fault::Answer(
        503,
        "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
    );
    /// As others throttle.
    pub const TOO_MANY: Fault = Fault::Answer(429, "<Error><Code>TooManyRequests</Code></Error>");
    /// As S3 answers puts of one name that meet: nothing was stored, whoever asks again may win.
    pub const CONFLICT: Fault = Fault::Answer(
        409,
        "<?xml version=\"1.0\"?><Error><Code>ConditionalRequestConflict</Code><Message>The conditional request cannot \
         succeed due to a conflicting operation against this resource.</Message></Error>",
    );
    /// The server has failed, or says so.
    pub const INTERNAL: Fault = Fault::AnswerAfter(500, "<Error><Code>InternalError</Code></Error>");
}

/// A request, as far as faults are chosen by it.
#[derive(Clone, Debug)]
pub struct Request {
    /// How many requests the proxy has had before.
    pub number: u64,
    /// GET, PUT, ...
    pub method: String,
    /// The path, with its query.
    pub target: String,
}

impl Request {
    /// Whether it puts an object, or a part of one.
    pub fn is_put(&self) -> bool {
        self.method == "PUT"
    }
}

type Rule = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

/// Chooses what becomes of each request.
#[derive(Clone)]
pub struct Faults(Arc<Rule>);

impl Faults {
    /// Every request is passed on.
    pub fn none() -> Self {
        Faults::by(|_| None)
    }

    /// By any rule.
    pub fn by(rule: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Faults(Arc::new(rule))
    }

    /// Every request.
    pub fn all(fault: Fault) -> Self {
        Faults::by(move |_| Some(fault.clone()))
    }

    /// Every n-th put.
    pub fn every_put(n: u64, fault: Fault) -> Self {
        let puts = AtomicU64::new(0);
        Faults::by(move |request| {
            let hit = request.is_put() && puts.fetch_add(1, Ordering::Relaxed) % n == n - 1;
            hit.then(|| fault.clone())
        })
    }

    /// About one of so many puts, and which of the faults, by a seed.
    pub fn seeded(seed: u64, one_of: u64, faults: Vec<Fault>) -> Self {
        let puts = AtomicU64::new(0);
        Faults::by(move |request| {
            if !request.is_put() {
                return None;
            }
            let dice = mixed(seed ^ mixed(puts.fetch_add(1, Ordering::Relaxed)));
            dice.is_multiple_of(one_of).then(|| faults[(dice / one_of) as usize % faults.len()].clone())
        })
    }

    pub(super) fn choose(&self, request: &Request) -> Option<Fault> {
        (self.0)(request)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}

/// The finalizer of SplitMix64: numbers that follow one another come out as if drawn.
pub fn mixed(mut number: u64) -> u64 {
    number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
