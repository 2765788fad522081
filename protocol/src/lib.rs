//! The protocol of Headwater's log, before and apart from its code, checked over every interleaving.
//!
//! `PROTOCOL.md` numbers the rules, each with a history that it answers. A history on paper shows that a rule is needed; it
//! does not show that the rules are enough. Here a small world obeys them, everything that can happen in it happens, in every
//! order, and in every state the promises are judged. Then one rule is taken away, and the history comes back by itself.
//!
//! # The world
//!
//! Positions are small integers: a group, a header and a footer take one each. Z is a writer with up to F positions in flight,
//! put in order and landing in any. S1 and S2 are starters: each claims a number, surveys, puts its E at H, surveys again and
//! writes, and may begin again a few times. Writers retire: the mark first, then name after name, in any order. There are no
//! clocks, because nothing depends on one: every actor may sleep at any step for as long as all the others need, or for ever.
//! Three media:
//!
//! - **objects**: names put if absent. A request is never gone: once handed over it may land whenever its name is free, also
//!   when the name was retired since, also twice. An answer may be lost, or be as late as one likes.
//! - **leases**: files that grow, written by the holder of their lease, which a starter takes away. A file is given its name
//!   once, however late.
//! - **the lock**: files that grow; a holder's end frees the lock, and leaves any part of what was in flight.
//!
//! A [`Scope`](scope::Scope) bounds a world: how many put how much, whether they retire, whether a survey is one step or
//! several between which others act. Every scope is small; histories that go wrong are short (the longest told here has 32
//! steps), and what three actors and a dozen positions cannot break has no room left to hide but in numbers.
//!
//! # What is judged, in every state
//!
//! - P5: no position is acknowledged twice, and what is acknowledged is in the log.
//! - P2: the chain is the log. It grows at its end and loses what lies below its beginning; what a survey has shown once, each
//!   later one shows. So what was answered `Unknown` is settled by the next E, for ever.
//! - P4: a survey here and now says torn at worst, also to a caller who knows the greatest promise made. Then each
//!   acknowledged group that a later link vouches for rots in turn: damaged, each time.
//! - Rule 8: a ticket that was answered `Fenced` is not in the log.
//! - No wedge: while all others sleep a fresh starter comes through to its first acknowledgement, and no writer finds at its
//!   next name anything but itself or a newer epoch's E.
//!
//! # What is left out, and why that loses nothing here
//!
//! - **Bytes and checksums.** A thing verifies or it does not; that a torn or misplaced one never verifies is the format's
//!   promise. A torn group is one that has not landed.
//! - **Tokens.** A number is claimed by put-if-absent, so an epoch is its owner's token. Numbers burned by lost answers are
//!   numbers not used.
//! - **A put answered at once, after a retry, or by reading the name back** are one step: the writer learns that it has
//!   landed. A writer that gives up answers `Unknown` and does no more; one that could still have learned better is one that
//!   slept.
//! - **Acknowledgements out of order** do not exist, so a writer learns of its lowest waiting put only; nothing that it could
//!   know of later ones changes what it does, except that an E was read there.
//! - **The caller's `at_least`** is no actor's knowledge: the judge is asked with the greatest promise ever made, which is
//!   the worst that any starter can be handed. Only after a loss does it move the next base, and there it is handed over.
//! - **What a page cache shows and a power cut takes back.** Rewriting what is kept before the decision is proven in the
//!   simulation, on a device that lies.
//! - **The survey after the put of E takes one step** also where others take three: between two equal beginnings no name at
//!   or above them is removed, so a walk shows what it would have shown at once, at its last read.
//! - **Refusing before the claim.** No state is ever judged damaged without rot, so the look refuses nothing here.
//!
//! # What it asks for beyond the letter of the rules
//!
//! Taking these away fails as well, each by a history that its test prints:
//!
//! - The survey after the put of E looks the log's *beginning* up again, not only the chain from H: an E that was late lands
//!   in a hole that retiring has left, and from there everything looks fine
//!   ([`ConfirmFromTheBeginning`](rules::Rule::ConfirmFromTheBeginning)).
//! - For the same reason who reads E at its name looks the beginning up before it answers `Fenced`: below it, the ticket
//!   may have been in the log, and retired
//!   ([`FencedAboveTheBeginning`](rules::Rule::FencedAboveTheBeginning)).
//! - Every survey looks the beginning up before the walk and after it, and starts over if it has moved; and a *starter*, like
//!   a reader, reads H again before it says damaged, because on objects the old writer goes on meanwhile
//!   ([`SameBeginningAfterTheWalk`](rules::Rule::SameBeginningAfterTheWalk),
//!   [`ReadAgainBeforeDamaged`](rules::Rule::ReadAgainBeforeDamaged)).
//! - Under leases a survey walks the list of names that was complete when the last lease was taken, not a newer one: what a
//!   file made since shows may still grow ([`WalksClosedFiles`](rules::Rule::WalksClosedFiles)).
//! - A retire mark counts when the chain from the position that it states reaches it. That it was acknowledged is written
//!   nowhere before the next header, and the names may be gone by then; and one that is dead must not count
//!   ([`ReachedMarkCounts`](rules::Rule::ReachedMarkCounts), [`OnlyReachedMarkCounts`](rules::Rule::OnlyReachedMarkCounts)).
//! - Under leases also a file gets its name only when its header is synced. Else two starters see the same bare file, and the
//!   slower one moves the faster one's E aside ([`NamedWithHeader`](rules::Rule::NamedWithHeader)).
//! - Under leases a writer asks once for a file's name. If it asks again after the file was retired, it holds a fresh file
//!   in which its heir's E, which has another name, stops nobody ([`NamedOnce`](rules::Rule::NamedOnce)).
//!
//! # Reading a counterexample
//!
//! ```text
//!    1. Z hands over a group for 1, acked=1
//!    2. Z hands over a group for 2, acked=1
//!    3. S1 claims 2
//!    4. S1 surveys, sends E(2) to 1, next=2
//!    5. Z's put lands at 2                           | E(1)@0..1 group(1)@2
//!    6. S1's E(2) lands at 1                         | E(1)@0..1 E(2)@1..2 group(1)@2
//!       broken: NoWedge: a starter alone needs the name 2, which a Group of epoch 1 holds
//! ```
//!
//! A step a line, and behind the bar what the store holds after it, where that changed: `E(2)@1..2` is the first segment of
//! epoch 2, put at 1, which says that the next begins at 2. It is a shortest history: whatever is in it, is needed.

pub mod check;
pub mod model;
pub mod promises;
mod retire;
pub mod rules;
pub mod scope;
pub mod settled;
mod starter;
pub mod state;
pub mod survey;
mod tell;
mod writer;
