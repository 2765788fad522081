//! The rules that a model obeys, each of which can be taken away.
//!
//! A rule with parts is a switch a part, so that what is taken away is exactly what the history told beside the rule in
//! `PROTOCOL.md` is about.

/// One thing that the protocol asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Rule 1: a starter whose survey shows an epoch at or above its own claims a new number before it puts.
    NewNumberWhenOvertaken,
    /// Rule 2: retiring removes whole segments of records and never an epoch's first one. (Under the directory lock it may.)
    RetiringKeepsFirsts,
    /// Rule 2: the sweep after a start removes the dead and never an epoch's first segment.
    SweepKeepsFirsts,
    /// Rule 2: a starter goes on only if its E ends the chain: else it begins again, or it is fenced.
    OnlyTheEndGoesOn,
    /// The survey after the put of E looks the log's beginning up again. "From H" alone would take an E that landed in a
    /// hole below the beginning for the end of the chain.
    ConfirmFromTheBeginning,
    /// Rule 3: the next base lies F beyond what it clears.
    NextClearsFlight,
    /// Rule 3: the next base clears `at_least`.
    NextClearsPromise,
    /// Rule 3: the next base clears the end of all that verified. More than F beyond H verifies only where a loss was
    /// accepted.
    NextClearsVerified,
    /// Rule 4, sharpened: a named file has its header, because it gets its name only after its header is synced.
    /// Without it a file is created under its name first, and `start` moves one without a header out of the way.
    NamedWithHeader,
    /// Rule 7: a closed file is never opened for append again.
    ClosedStaysClosed,
    /// Rule 7, sharpened: a file is given its name once; a writer that does not know whether it was never asks again.
    NamedOnce,
    /// Rule 8: `Fenced` only for the ticket at whose name E was read, and for those behind it.
    FencedFromTheFirst,
    /// Rule 8: a claim makes a writer stop; it does not tell it how its tickets end.
    ClaimFencesNothing,
    /// Rule 8, sharpened: after E was read, the log's beginning is looked up; an E below it proves nothing.
    FencedAboveTheBeginning,
    /// The judge: a retire mark counts when the chain from the position that it states reaches it, acknowledged or not.
    /// Without it only headers state the beginning.
    ReachedMarkCounts,
    /// The judge: a mark counts only if the chain from the position that it states reaches it. Without it any does.
    OnlyReachedMarkCounts,
    /// The survey: after the walk the beginning is looked up again, and if it has moved the walk was for nothing.
    SameBeginningAfterTheWalk,
    /// The survey: under leases the walk reads files that were closed before it, and none that was made since.
    WalksClosedFiles,
    /// The judge: before "damaged" is said, the beginning and H are read again after the evidence.
    ReadAgainBeforeDamaged,
}

/// A set of rules in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules(u32);

impl Rules {
    /// The protocol.
    pub const ALL: Rules = Rules(u32::MAX);

    /// The same rules but one.
    pub const fn without(self, rule: Rule) -> Rules {
        Rules(self.0 & !(1 << rule as u32))
    }

    /// Whether a rule is in force.
    pub const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }
}
