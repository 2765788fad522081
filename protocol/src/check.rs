//! The enumerator: every state that can be reached is visited once, nearest first, and judged.
//!
//! Breadth first, so that the first history found to break a promise is a shortest one. A state is remembered by a 64-bit
//! fingerprint, not by itself: two states that share one would count as one. Among a few million states that happens with a
//! probability below one in a million a run, and it could only hide a state, never invent a failure.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// Something with states and steps.
pub trait Model {
    /// All that there is at one moment.
    type State: Copy;
    /// One thing that may happen next.
    type Step: Copy;
    /// A promise that does not hold.
    type Broken: fmt::Display;

    /// Where every history begins.
    fn begin(&self) -> Self::State;
    /// Everything that may happen next.
    fn steps(&self, state: &Self::State, steps: &mut Vec<Self::Step>);
    /// What it leads to.
    fn take(&self, state: &Self::State, step: Self::Step) -> Self::State;
    /// Whether all promises hold in this state.
    fn judge(&self, state: &Self::State) -> Result<(), Self::Broken>;
    /// Equal for equal states, and else almost surely not.
    fn fingerprint(&self, state: &Self::State) -> u64;
    /// A step in words, and what the store shows after it.
    fn tell(&self, before: &Self::State, step: Self::Step, after: &Self::State) -> String;
}

/// What was found.
pub struct Report<B> {
    /// States visited.
    pub states: usize,
    /// Steps taken, those to known states included.
    pub steps: usize,
    /// The length of the longest shortest history.
    pub depth: usize,
    /// A shortest history that breaks a promise; without one, every state was visited and every promise holds.
    pub counterexample: Option<Counterexample<B>>,
}

/// A history that breaks a promise.
pub struct Counterexample<B> {
    /// Its steps in words.
    pub history: Vec<String>,
    /// The promise broken at its end.
    pub broken: B,
}

impl<B: fmt::Display> fmt::Display for Counterexample<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.history.iter().enumerate() {
            writeln!(f, "{:>4}. {step}", number + 1)?;
        }
        write!(f, "      {}", self.broken)
    }
}

/// How a visited state was first reached, for telling the history afterwards: from which visit, by which of the steps that
/// were possible there. The states themselves are not kept: the steps lead there again.
struct Visit {
    from: u32,
    nth: u16,
    depth: u16,
}

/// Visits every state, or stops at the first that breaks a promise.
pub fn check<M: Model>(model: &M) -> Report<M::Broken> {
    let mut seen: HashSet<u64, BuildHasherDefault<AsIs>> = HashSet::default();
    let mut visits: Vec<Visit> = Vec::new();
    let mut queue: VecDeque<M::State> = VecDeque::new();
    let mut next = Vec::new();
    let mut taken = 0;

    let first = model.begin();
    seen.insert(model.fingerprint(&first));
    visits.push(Visit { from: 0, nth: 0, depth: 0 });
    queue.push_back(first);

    // The queue runs in the order of `visits`, so the number of the state at its head is the count of those before it.
    let mut at = 0;
    while let Some(state) = queue.pop_front() {
        if let Err(broken) = model.judge(&state) {
            let history = history(model, &visits, at);
            let depth = history.len();
            let counterexample = Some(Counterexample { history, broken });
            return Report { states: at + 1, steps: taken, depth, counterexample };
        }
        next.clear();
        model.steps(&state, &mut next);
        for (nth, &step) in next.iter().enumerate() {
            let after = model.take(&state, step);
            taken += 1;
            if seen.insert(model.fingerprint(&after)) {
                let from = u32::try_from(at).expect("fewer than 2^32 states");
                visits.push(Visit { from, nth: nth as u16, depth: visits[at].depth + 1 });
                queue.push_back(after);
            }
        }
        at += 1;
    }
    let depth = visits.last().map_or(0, |visit| visit.depth as usize);
    Report { states: at, steps: taken, depth, counterexample: None }
}

fn history<M: Model>(model: &M, visits: &[Visit], mut at: usize) -> Vec<String> {
    let mut turns = Vec::new();
    while visits[at].depth > 0 {
        turns.push(visits[at].nth);
        at = visits[at].from as usize;
    }
    let mut state = model.begin();
    let mut next = Vec::new();
    let mut told = Vec::new();
    for nth in turns.into_iter().rev() {
        next.clear();
        model.steps(&state, &mut next);
        let step = next[usize::from(nth)];
        let after = model.take(&state, step);
        told.push(model.tell(&state, step, &after));
        state = after;
    }
    told
}

/// Folds words into a fingerprint.
#[derive(Default)]
pub struct Fold(u64);

impl Fold {
    /// Takes one more word in; the order counts.
    pub fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product as u64 ^ (product >> 64) as u64).rotate_left(23).wrapping_add(word);
    }

    /// The fingerprint of all words taken in.
    pub fn finish(&self) -> u64 {
        let mut bits = self.0;
        for _ in 0..2 {
            bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        bits ^ (bits >> 32)
    }
}

/// A fingerprint is a hash already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are looked up")
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A walk on a square from one corner, a step east or north at a time, that must not come to a given place.
    struct Square {
        side: u8,
        forbidden: (u8, u8),
    }

    impl Model for Square {
        type State = (u8, u8);
        type Step = char;
        type Broken = &'static str;

        fn begin(&self) -> (u8, u8) {
            (0, 0)
        }

        fn steps(&self, &(east, north): &(u8, u8), steps: &mut Vec<char>) {
            steps.extend((east + 1 < self.side).then_some('e'));
            steps.extend((north + 1 < self.side).then_some('n'));
        }

        fn take(&self, &(east, north): &(u8, u8), step: char) -> (u8, u8) {
            if step == 'e' { (east + 1, north) } else { (east, north + 1) }
        }

        fn judge(&self, state: &(u8, u8)) -> Result<(), &'static str> {
            if *state == self.forbidden { Err("came to the forbidden place") } else { Ok(()) }
        }

        fn fingerprint(&self, &(east, north): &(u8, u8)) -> u64 {
            let mut fold = Fold::default();
            fold.word(u64::from(east));
            fold.word(u64::from(north));
            fold.finish()
        }

        fn tell(&self, _: &(u8, u8), step: char, _: &(u8, u8)) -> String {
            step.to_string()
        }
    }

    #[test]
    fn every_state_is_visited_once() {
        let report = check(&Square { side: 50, forbidden: (50, 50) });
        assert!(report.counterexample.is_none());
        assert_eq!((report.states, report.steps, report.depth), (50 * 50, 2 * 50 * 49, 2 * 49));
    }

    #[test]
    fn the_history_told_leads_to_what_is_broken_and_is_a_shortest() {
        let report = check(&Square { side: 50, forbidden: (2, 1) });
        let counterexample = report.counterexample.expect("the forbidden place can be reached");
        assert_eq!(counterexample.history.len(), 3);
        assert_eq!(counterexample.history.iter().filter(|step| *step == "e").count(), 2);
        assert!(counterexample.to_string().ends_with("came to the forbidden place"));
    }
}
