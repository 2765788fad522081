//! What a device does, what can go wrong with it, and when it shall.

use std::fmt;

use super::{Process, Random, Shape};

/// One operation of a device: what is counted, what a fault hits, and between which two a crash may come.
///
/// A call of the store is one operation or several. On a growing device `put` and `create` are `Create`, `Sync`,
/// `Link`, `SyncNames`; `set_aside` is `Rename`, `SyncNames`; `trim` is `Trim`, `Sync`; a listing is a `List` for
/// every page. On a medium of leases `own` is an `Own` for each list and two `Recover` for each open file; `put` is `Put`,
/// and `create` is `Create`, `Sync`, `Link`; `is_open` is a `Read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Takes the place's lock.
    Own,
    /// Looks whether the lock still holds.
    Check,
    /// Writes the bytes of a new file that has no name yet.
    Create,
    /// Gives a new file its name, if that is free.
    Link,
    /// Gives a file another name, if that is free.
    Rename,
    /// Makes a folder's entries durable.
    SyncNames,
    /// Opens a file for writing.
    Open,
    /// Writes into a file.
    Write,
    /// Makes a file's bytes durable.
    Sync,
    /// Shortens a file.
    Trim,
    /// Keeps room back.
    Reserve,
    /// Gives the kept room free.
    Release,
    /// Puts a whole object.
    Put,
    /// Reads, by name or what was opened for it; opening is a part of the first read. One that is begun ahead counts
    /// when it is begun, and suffers its fault when it happens.
    Read,
    /// Lists a page.
    List,
    /// Removes a name.
    Remove,
    /// Ends a file's lease: once to stop its writer, once to close it.
    Recover,
    /// Puts a durable copy in the place of a closed file.
    Keep,
}

impl Op {
    /// All of them.
    pub const ALL: [Op; 18] = [
        Op::Own,
        Op::Check,
        Op::Create,
        Op::Link,
        Op::Rename,
        Op::SyncNames,
        Op::Open,
        Op::Write,
        Op::Sync,
        Op::Trim,
        Op::Reserve,
        Op::Release,
        Op::Put,
        Op::Read,
        Op::List,
        Op::Remove,
        Op::Recover,
        Op::Keep,
    ];

    fn name(self) -> &'static str {
        match self {
            Op::Own => "own",
            Op::Check => "check",
            Op::Create => "create",
            Op::Link => "link",
            Op::Rename => "rename",
            Op::SyncNames => "sync names",
            Op::Open => "open",
            Op::Write => "write",
            Op::Sync => "sync",
            Op::Trim => "trim",
            Op::Reserve => "reserve",
            Op::Release => "release",
            Op::Put => "put",
            Op::Read => "read",
            Op::List => "list",
            Op::Remove => "remove",
            Op::Recover => "recover",
            Op::Keep => "keep",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Any operation fails, and nothing of it happens (EIO, 503). After a failed `Sync` the cache calls the file's
    /// unsynced sectors clean, and the disk never gets them; after a failed `Write` it shows the bytes so, or not at
    /// all; after a failed `SyncNames` the entries still wait for one that succeeds.
    Error,
    /// As `Error`, but a part happens: a `Write` lands its first bytes, a `Sync` any of the sectors.
    Partly,
    /// Whatever needs room finds none, and nothing of it happens. To a `Write` or a `Sync` of an open file (where room
    /// is found late) that is as bad as any failure.
    Full,
    /// A `Sync` or `SyncNames` says that all is well and does nothing: a device that lies about its flush.
    Lie,
    /// A `Read` answers with one bit flipped; the medium is as it was.
    Rot,
    /// A `Put` or `Remove` of an object happens, and the answer is `Unknown`. Where there are leases this and the next three
    /// befall a `Link` and a `Keep` too.
    AnswerLost,
    /// A `Put` or `Remove` of an object does not happen, and the answer is `Unknown`.
    RequestLost,
    /// A `Put` or `Remove` of an object answers `Unknown`, and happens before some later operation of the device.
    Late,
    /// As `Late`, but it happens only when the test says so: [`Sim::land`](super::Sim::land).
    Held,
    /// A `Put` of an object happens, is repeated beneath, and finds its own object: `Exists`.
    ExistsOwn,
    /// A `Put` of an object meets another one in flight: `Exists`, and nothing is there.
    ExistsNothing,
    /// A bucket turns requests away: this operation and a run of those that follow, whoever asks, fail as by `Error`.
    Throttled,
    /// A `List` of a bucket shows each change that was made since the listing began or does not, as the seed says.
    Lagging,
    /// A `List` of a bucket shows each of the [last changes](super::RECENT_CHANGES) or does not, also those that were
    /// answered before the listing began: more than a [`Store`](crate::store::Store) may do.
    Stale,
    /// The thread panics; the operation does not happen.
    Panic,
    /// The process is dead from here on; the operation does not happen. Only an object's `Put` or `Remove` may, at
    /// once or late: the request had left.
    Crash,
}

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Fault::Error => "error",
            Fault::Partly => "partly",
            Fault::Full => "full",
            Fault::Lie => "lie",
            Fault::Rot => "rot",
            Fault::AnswerLost => "answer lost",
            Fault::RequestLost => "request lost",
            Fault::Late => "late",
            Fault::Held => "held",
            Fault::ExistsOwn => "exists, its own",
            Fault::ExistsNothing => "exists, nothing there",
            Fault::Throttled => "throttled",
            Fault::Lagging => "lagging",
            Fault::Stale => "stale",
            Fault::Panic => "panic",
            Fault::Crash => "crash",
        }
    }

    fn suits(self, op: Op, shape: Shape) -> bool {
        match self {
            Fault::Error | Fault::Panic | Fault::Crash => true,
            Fault::Partly => matches!(op, Op::Write | Op::Sync),
            Fault::Full => {
                let growing = matches!(op, Op::Create | Op::Link | Op::Rename | Op::Write | Op::Sync);
                growing || matches!(op, Op::Reserve | Op::Put | Op::Keep)
            }
            Fault::Lie => shape == Shape::Growing && matches!(op, Op::Sync | Op::SyncNames),
            Fault::Rot => op == Op::Read,
            Fault::AnswerLost | Fault::RequestLost | Fault::Late | Fault::Held => {
                let renames = shape == Shape::Leases && matches!(op, Op::Link | Op::Keep);
                renames || (shape != Shape::Growing && matches!(op, Op::Put | Op::Remove))
            }
            Fault::ExistsOwn => op == Op::Put,
            Fault::ExistsNothing => shape == Shape::Objects && op == Op::Put,
            Fault::Throttled => shape == Shape::Objects,
            Fault::Lagging | Fault::Stale => shape == Shape::Objects && op == Op::List,
        }
    }
}

/// Which operations are meant. It counts from the moment it is planned, and counts only those operations that are of
/// the asked kind and that the planned fault can befall at all.
#[derive(Clone, Debug)]
pub struct When {
    choice: Choice,
    /// A bit for each kind; none for all.
    ops: u32,
    process: Option<usize>,
    beneath: String,
}

#[derive(Clone, Debug)]
enum Choice {
    Nth(u64),
    From(u64),
    OneIn(u64),
}

impl When {
    /// The n-th from now, and only that; the next is the first.
    pub fn nth(n: u64) -> Self {
        assert!(n > 0, "the next operation is the first");
        When::chosen(Choice::Nth(n))
    }

    /// The n-th from now and all that follow; the next is the first.
    pub fn from(n: u64) -> Self {
        assert!(n > 0, "the next operation is the first");
        When::chosen(Choice::From(n))
    }

    /// Each with such odds, by the device's seed.
    pub fn one_in(chances: u64) -> Self {
        assert!(chances > 0, "odds of one in none");
        When::chosen(Choice::OneIn(chances))
    }

    fn chosen(choice: Choice) -> Self {
        When { choice, ops: 0, process: None, beneath: String::new() }
    }

    /// Only of this kind, or, asked again, also of that one.
    #[must_use]
    pub fn of(mut self, op: Op) -> Self {
        self.ops |= 1 << op as u32;
        self
    }

    /// Only of this process.
    #[must_use]
    pub fn by(mut self, process: &Process) -> Self {
        self.process = Some(process.id());
        self
    }

    /// Only on names that begin so.
    #[must_use]
    pub fn on(mut self, beginning: impl Into<String>) -> Self {
        self.beneath = beginning.into();
        self
    }
}

/// A fault that waits for its operation.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) when: When,
    pub(super) fault: Fault,
}

impl Plan {
    /// Whether it hits this operation. Every operation is shown to every plan once.
    pub(super) fn hits(
        &mut self,
        op: Op,
        name: &str,
        process: usize,
        shape: Shape,
        random: &mut Random,
    ) -> bool {
        self.fault.suits(op, shape) && self.when.comes(op, name, process, random)
    }
}

impl When {
    /// Whether it is now. Every operation that may count is shown once.
    pub(super) fn comes(&mut self, op: Op, name: &str, process: usize, random: &mut Random) -> bool {
        let When { choice, ops, process: only, beneath } = self;
        let asked = (*ops == 0 || *ops & (1 << op as u32) != 0)
            && only.is_none_or(|only| only == process)
            && name.starts_with(beneath.as_str());
        asked
            && match choice {
                Choice::Nth(0) => false,
                Choice::Nth(left) => {
                    *left -= 1;
                    *left == 0
                }
                Choice::From(left) => {
                    *left = left.saturating_sub(1);
                    *left == 0
                }
                Choice::OneIn(chances) => random.one_in(*chances),
            }
    }
}
