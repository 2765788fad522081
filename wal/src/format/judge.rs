//! The judge: what a log's end means, and what each name in its folder is. Pure functions and two tables; a test walks
//! every state of both.

use std::collections::BinaryHeap;
use std::fmt;

use super::handle::Position;

/// What opening found at H, the start of the first thing in the chain that does not verify (if everything verifies:
/// where the next thing would begin), and beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// A promise that the caller knows of lies beyond H.
    pub promised: bool,
    /// A header or footer beyond H verifies and says that a position beyond H was acknowledged.
    pub acked_beyond: bool,
    /// H lies inside a file that was put whole.
    pub inside_whole: bool,
    /// From H to the end of the last header that verifies is more than the writer may have had in flight.
    pub overflow: bool,
    /// There is anything at H or beyond it but zeros: bytes that do not verify, or headers that do.
    pub anything: bool,
    /// H lies in a file that is still being written, and may be as far as it can be read.
    pub open: bool,
}

/// What H means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// The log ends at H, and nothing was set aside.
    Clean,
    /// The log ends at H; what lies beyond was never acknowledged, and a crash explains it.
    Torn,
    /// The log goes on behind H in a file that its writer holds open: how far shows when the file is closed.
    Open,
    /// No crash explains it.
    Damaged(Why),
}

/// Why something is damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// The caller was promised what lies beyond.
    Promised,
    /// The log itself says that what lies here was acknowledged.
    Acknowledged,
    /// A file that was put whole does not verify.
    Whole,
    /// More lies beyond than can have been in flight.
    TooMuch,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Promised => "the caller was promised what should lie here",
            Why::Acknowledged => "the log says that what should lie here was acknowledged",
            Why::Whole => "a file that was put whole does not verify",
            Why::TooMuch => "more lies beyond than can have been in flight",
        })
    }
}

/// A row of the table: what each piece of evidence must be, or anything; and the verdict.
pub struct Row {
    /// The row's name, for counting how often it was hit.
    pub name: &'static str,
    pattern: [Option<bool>; 6], // promised, acked_beyond, inside_whole, overflow, anything, open
    verdict: Verdict,
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const ANY: Option<bool> = None;

/// The table. Exactly one row fits every state.
pub const TABLE: [Row; 7] = [
    Row { name: "still being written", pattern: [ANY, ANY, ANY, ANY, ANY, YES], verdict: Verdict::Open },
    Row {
        name: "promised beyond the end",
        pattern: [YES, ANY, ANY, ANY, ANY, NO],
        verdict: Verdict::Damaged(Why::Promised),
    },
    Row {
        name: "acknowledged beyond the end",
        pattern: [NO, YES, ANY, ANY, ANY, NO],
        verdict: Verdict::Damaged(Why::Acknowledged),
    },
    Row {
        name: "inside a file put whole",
        pattern: [NO, NO, YES, ANY, ANY, NO],
        verdict: Verdict::Damaged(Why::Whole),
    },
    Row {
        name: "more than was in flight",
        pattern: [NO, NO, NO, YES, ANY, NO],
        verdict: Verdict::Damaged(Why::TooMuch),
    },
    Row { name: "torn", pattern: [NO, NO, NO, NO, YES, NO], verdict: Verdict::Torn },
    Row { name: "clean", pattern: [NO, NO, NO, NO, NO, NO], verdict: Verdict::Clean },
];

impl Evidence {
    fn state(&self) -> [bool; 6] {
        [self.promised, self.acked_beyond, self.inside_whole, self.overflow, self.anything, self.open]
    }
}

/// The row of the table that fits.
pub fn judge(evidence: &Evidence) -> (&'static Row, Verdict) {
    let state = evidence.state();
    let fits =
        |row: &&Row| row.pattern.iter().zip(state).all(|(want, is)| want.is_none_or(|want| want == is));
    let row = TABLE.iter().find(fits).expect("a row fits every state");
    (row, row.verdict)
}

/// What is known of a segment's name before the chain is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it begins, by its name.
    pub base: Position,
    /// The epoch in its header, if the header verifies.
    pub epoch: Option<u64>,
    /// Of an epoch's first segment: where it says that the next one begins.
    pub epoch_next: Option<Position>,
}

/// What a segment's name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It may belong to the chain.
    Alive,
    /// It lies below the beginning of the log: retired, and not yet removed, or kept as a fence.
    Retired,
    /// It was written by a replaced writer in a range that a newer epoch has taken.
    Dead,
}

/// Sorts names into fates, given where the log begins. The candidates are in the order of their bases, each of which
/// stands once.
///
/// Names below the beginning are set aside first. Of the rest, newest epoch first: an epoch's first segment that is
/// not dead itself kills everything that lies from its base up to where it says that the next segment begins, unless
/// it is of a newer epoch; nothing of its own epoch can lie there either.
pub fn fates(begins: Position, candidates: &[Candidate]) -> Vec<Fate> {
    // Whoever kills lies before, so one pass in order will do: of those that reach this far, the newest epoch decides.
    let mut reaching: BinaryHeap<(Option<u64>, Position)> = BinaryHeap::new();
    let fate = |candidate: &Candidate| {
        if candidate.base < begins {
            return Fate::Retired;
        }
        while reaching.peek().is_some_and(|&(_, next)| next <= candidate.base) {
            reaching.pop();
        }
        if reaching.peek().is_some_and(|&(epoch, _)| candidate.epoch <= epoch) {
            return Fate::Dead;
        }
        reaching.extend(candidate.epoch_next.map(|next| (candidate.epoch, next)));
        Fate::Alive
    };
    candidates.iter().map(fate).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every_state() -> impl Iterator<Item = Evidence> {
        (0..64_u8).map(|bits| Evidence {
            promised: bits & 1 != 0,
            acked_beyond: bits & 2 != 0,
            inside_whole: bits & 4 != 0,
            overflow: bits & 8 != 0,
            anything: bits & 16 != 0,
            open: bits & 32 != 0,
        })
    }

    #[test]
    fn exactly_one_row_fits_every_state_and_every_row_fits_one() {
        let mut hits = [0; TABLE.len()];
        for evidence in every_state() {
            let state = evidence.state();
            let fitting: Vec<usize> = (0..TABLE.len())
                .filter(|&row| {
                    TABLE[row].pattern.iter().zip(state).all(|(want, is)| want.is_none_or(|want| want == is))
                })
                .collect();
            assert_eq!(fitting.len(), 1, "{evidence:?} fits {fitting:?}");
            hits[fitting[0]] += 1;
        }
        assert!(hits.iter().all(|&hits| hits > 0), "{hits:?}");
    }

    #[test]
    fn torn_needs_every_proof_of_innocence_and_more_evidence_never_makes_it_better() {
        // What is still being written proves nothing yet.
        for evidence in every_state().filter(|evidence| !evidence.open) {
            let proof =
                evidence.promised || evidence.acked_beyond || evidence.inside_whole || evidence.overflow;
            let verdict = judge(&evidence).1;
            assert_eq!(matches!(verdict, Verdict::Damaged(_)), proof, "{evidence:?}");
            for worse in [
                Evidence { promised: true, ..evidence },
                Evidence { acked_beyond: true, ..evidence },
                Evidence { inside_whole: true, ..evidence },
                Evidence { overflow: true, ..evidence },
                Evidence { anything: true, ..evidence },
            ] {
                let rank = |verdict| match verdict {
                    Verdict::Clean | Verdict::Open => 0,
                    Verdict::Torn => 1,
                    Verdict::Damaged(_) => 2,
                };
                assert!(rank(judge(&worse).1) >= rank(verdict), "{evidence:?} {worse:?}");
            }
        }
    }

    fn data(base: u64, epoch: u64) -> Candidate {
        Candidate { base: Position(base), epoch: Some(epoch), epoch_next: None }
    }

    fn first(base: u64, epoch: u64, next: u64) -> Candidate {
        Candidate { epoch_next: Some(Position(next)), ..data(base, epoch) }
    }

    #[test]
    fn fates_follow_the_newest_epoch() {
        use Fate::{Alive, Dead, Retired};
        let begins = Position(50);
        for (name, candidates, want) in [
            ("nothing", vec![], vec![]),
            ("below the beginning", vec![data(10, 1), data(50, 1)], vec![Retired, Alive]),
            (
                "in flight when replaced",
                vec![first(100, 2, 500), data(200, 1), data(500, 2)],
                vec![Alive, Dead, Alive],
            ),
            ("beyond what was in flight", vec![first(100, 2, 500), data(600, 1)], vec![Alive, Alive]),
            ("two starters in a row", vec![first(100, 2, 500), first(500, 3, 900)], vec![Alive, Alive]),
            (
                "an heir within the dead range",
                vec![first(100, 2, 500), first(200, 3, 900), data(500, 2)],
                vec![Alive, Alive, Dead],
            ),
            (
                "a header that does not verify in a dead range",
                vec![first(100, 2, 500), Candidate { base: Position(300), epoch: None, epoch_next: None }],
                vec![Alive, Dead],
            ),
            ("a retired first kills nobody", vec![first(10, 9, 500), data(100, 1)], vec![Retired, Alive]),
        ] {
            assert_eq!(fates(begins, &candidates), want, "{name}");
        }
    }

    /// The rule as it is told: every killer in turn, newest epoch first, over everything in its reach.
    fn fates_as_told(begins: Position, candidates: &[Candidate]) -> Vec<Fate> {
        let mut fates: Vec<Fate> = candidates
            .iter()
            .map(|candidate| if candidate.base < begins { Fate::Retired } else { Fate::Alive })
            .collect();
        let mut firsts: Vec<usize> = (0..candidates.len()).collect();
        firsts.sort_by_key(|&at| std::cmp::Reverse(candidates[at].epoch));
        for first in firsts {
            let Candidate { base, epoch, epoch_next: Some(next) } = candidates[first] else { continue };
            if fates[first] != Fate::Alive {
                continue;
            }
            for (fate, other) in fates.iter_mut().zip(candidates) {
                let in_reach = other.base > base && other.base < next;
                if in_reach && other.epoch <= epoch && *fate == Fate::Alive {
                    *fate = Fate::Dead;
                }
            }
        }
        fates
    }

    proptest! {
        #[test]
        fn one_pass_gives_the_fates_that_the_rule_tells(
            begins in 0..6_u64,
            segments in prop::collection::vec((1..4_u64, prop::option::of(0..5_u64), prop::option::of(1..20_u64)), 0..12),
        ) {
            let mut base = 0;
            let candidates: Vec<Candidate> = segments
                .into_iter()
                .map(|(gap, epoch, reach)| {
                    base += gap;
                    let epoch_next = epoch.and(reach).map(|reach| Position(base + reach));
                    Candidate { base: Position(base), epoch, epoch_next }
                })
                .collect();
            let begins = Position(begins);
            prop_assert_eq!(fates(begins, &candidates), fates_as_told(begins, &candidates));
        }
    }

    #[test]
    fn a_folder_full_of_epochs_that_reach_far_is_sorted_in_time() {
        let many = 200_000;
        let candidates: Vec<Candidate> = (0..many).map(|at| first(at, at, 2 * many)).collect();
        assert!(fates(Position(0), &candidates).iter().all(|&fate| fate == Fate::Alive));
    }
}
