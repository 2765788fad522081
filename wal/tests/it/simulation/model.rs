//! What must be true of a log, by what its writers recorded: what they appended and in which order, and which answers
//! they got. It knows nothing of bytes, segments or judges.

use std::collections::BTreeMap;

use headwater_wal::store::sim::Random;
use headwater_wal::{Durability, Error, Handle, Kind, Position, Record, Time, Unsettled};

/// What an append was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing yet, or nobody was left to hear it.
    None,
    Acknowledged,
    /// Acknowledged by a log of durability `Process`, and then the power went.
    Shaken,
    Unknown,
    /// Certainly not in the log: `Fenced`, `Full`, `Closed`.
    Refused(Kind),
}

/// One append.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) life: usize,
    pub(crate) time: Time,
    pub(crate) kind: u8,
    pub(crate) len: usize,
    /// The engine's time when it was handed in, or less.
    handed_in: Time,
    pub(crate) answer: Answer,
    /// Where it lies, once that was told.
    pub(crate) handle: Option<Handle>,
    pub(crate) unsettled: Option<Unsettled>,
    /// It survives more than the process: synced, as far as anybody was told.
    durable: bool,
    /// Whether a later start had it; that answer stands for ever.
    pub(crate) settled: Option<bool>,
    /// A follower showed it, so no crash may take it back.
    shown: bool,
    /// A retirement was asked for that may have taken it.
    retirable: bool,
}

impl Append {
    /// Its payload: half of them can be compressed, and some are all the same.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let id = id_of(self.time);
        match id % 4 {
            0 => vec![0x5A; self.len],
            1 => format!("record {id} ").bytes().cycle().take(self.len).collect(),
            _ => {
                let mut random = Random::new(id as u64);
                (0..self.len.div_ceil(8)).flat_map(|_| random.draw().to_le_bytes()).take(self.len).collect()
            }
        }
    }

    /// Whether it is known to be in the log, unless it was retired.
    pub(crate) fn is_there(&self) -> bool {
        self.settled == Some(true) || (self.answer == Answer::Acknowledged && self.settled.is_none())
    }

    pub(crate) fn was_shown(&self) -> bool {
        self.shown
    }

    pub(crate) fn may_be_retired(&self) -> bool {
        self.retirable
    }

    fn must_be_there(&self) -> bool {
        self.settled == Some(true) || self.shown || self.answer == Answer::Acknowledged
    }
}

/// Times tell appends apart, and are not quite in order.
fn time_of(id: usize) -> Time {
    Time((id as u64 ^ 3) * 10)
}

fn id_of(time: Time) -> usize {
    ((time.0 / 10) ^ 3) as usize
}

/// One life of a writer.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) epoch: u64,
    /// Its appends, in the order in which they were handed in.
    pub(crate) appends: Vec<usize>,
    failed: bool,
    /// How many appends there were when it last asked to retire.
    marked_at: usize,
}

/// All lives of one log.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) durability: Durability,
    pub(crate) appends: Vec<Append>,
    pub(crate) lives: Vec<Life>,
    /// Where the log begins at least, by acknowledged retirements and by what starts found.
    pub(crate) begins: Position,
    /// Every place for which there was an acknowledgement: where it begins and ends, and whose it is.
    acknowledged: BTreeMap<Position, (Position, usize)>,
    /// A write or a sync failed.
    pub(crate) a_log_failed: bool,
    /// What a check found where nobody could panic.
    pub(crate) violation: Option<String>,
}

impl Model {
    pub(crate) fn new(durability: Durability) -> Self {
        Model {
            durability,
            appends: Vec::new(),
            lives: Vec::new(),
            begins: Position::START,
            acknowledged: BTreeMap::new(),
            a_log_failed: false,
            violation: None,
        }
    }

    pub(crate) fn begin_life(&mut self, epoch: u64, now: Time) -> usize {
        assert!(self.lives.iter().all(|life| life.epoch != epoch), "two writers have epoch {epoch}");
        for append in &mut self.appends {
            // The engine's time goes on from what the log itself says of it, which may be less.
            append.handed_in = append.handed_in.min(now);
        }
        self.lives.push(Life { epoch, appends: Vec::new(), failed: false, marked_at: 0 });
        self.lives.len() - 1
    }

    /// Books the next append of a life before it is handed in; answers its number.
    pub(crate) fn book(&mut self, life: usize, len: usize, now: Time) -> usize {
        let id = self.appends.len();
        self.appends.push(Append {
            life,
            time: time_of(id),
            kind: (id % 251) as u8,
            len,
            handed_in: now,
            answer: Answer::None,
            handle: None,
            unsettled: None,
            durable: false,
            settled: None,
            shown: false,
            retirable: false,
        });
        id
    }

    /// It was taken in.
    pub(crate) fn taken(&mut self, id: usize) {
        let life = self.appends[id].life;
        self.lives[life].appends.push(id);
    }

    /// It was refused at once.
    pub(crate) fn refused(&mut self, id: usize, kind: Kind) {
        self.appends[id].answer = Answer::Refused(kind);
    }

    /// A ticket answered.
    pub(crate) fn answered(&mut self, id: usize, answer: Result<Handle, Error>) {
        let durable = self.durability == Durability::Power;
        let append = &mut self.appends[id];
        assert!(append.answer == Answer::None, "append {id} was answered twice");
        let epoch = self.lives[append.life].epoch;
        match answer {
            Ok(handle) => {
                assert!(
                    !self.lives[append.life].failed,
                    "append {id} was acknowledged after its log had failed (P8)"
                );
                assert!(
                    append.settled != Some(false),
                    "append {id} was acknowledged, and a later start had settled that it is not there (P5)"
                );
                assert_eq!(handle.epoch(), epoch, "append {id} has another epoch's handle");
                assert!(append.handle.is_none_or(|known| known == handle), "append {id} has two handles");
                append.answer = Answer::Acknowledged;
                append.handle = Some(handle);
                append.durable = durable;
                self.nobody_else_was_told(id, handle);
            }
            Err(error) => {
                let kind = error.kind();
                self.lives[append.life].failed |= kind == Kind::Unknown || kind == Kind::Fenced;
                match kind {
                    Kind::Unknown => {
                        append.answer = Answer::Unknown;
                        append.unsettled = error.unsettled().copied();
                        assert!(
                            append.unsettled.is_some(),
                            "append {id} is unknown, and nothing to settle it with"
                        );
                    }
                    Kind::Fenced | Kind::Full | Kind::Closed => {
                        append.answer = Answer::Refused(kind);
                        assert!(
                            append.settled != Some(true),
                            "append {id} answers {kind}, and a later start has it"
                        );
                    }
                    _ => panic!("append {id} was answered {error:?}"),
                }
            }
        }
    }

    /// No two acknowledgements are for one place (P5).
    fn nobody_else_was_told(&mut self, id: usize, handle: Handle) {
        let before = self.acknowledged.range(..handle.end()).next_back();
        let other = before.filter(|(_, (end, _))| *end > handle.position());
        assert!(other.is_none(), "appends {id} and {other:?} were both acknowledged for {handle} (P5)");
        self.acknowledged.insert(handle.position(), (handle.end(), id));
    }

    /// What the acknowledged appends of a life say of each other: in order of position, and none passed over.
    pub(crate) fn in_order(&self, life: usize, waits: impl Fn(usize) -> bool) {
        let appends = &self.lives[life].appends;
        let acknowledged = |id: &&usize| self.appends[**id].answer == Answer::Acknowledged;
        let positions = || appends.iter().filter(acknowledged).filter_map(|&id| self.appends[id].handle);
        assert!(
            positions().is_sorted_by_key(|handle| handle.position()),
            "acknowledged out of the order of positions (P2)"
        );
        let last = appends.iter().rposition(|id| acknowledged(&id)).unwrap_or(0);
        for &id in &appends[..last] {
            assert!(!waits(id), "append {id} waits, and a later one was acknowledged (P2)");
            assert!(
                !matches!(self.appends[id].answer, Answer::Unknown | Answer::Refused(_)),
                "append {id} was not acknowledged, and a later one was (P2)"
            );
        }
    }

    /// Whether every append that this life took in has answered.
    pub(crate) fn all_answered(&self, life: usize) -> bool {
        self.lives[life].appends.iter().all(|&id| self.appends[id].answer != Answer::None)
    }

    /// Everything that this life acknowledged so far was synced.
    pub(crate) fn synced(&mut self, life: usize) {
        for &id in &self.lives[life].appends {
            self.appends[id].durable |= self.appends[id].answer == Answer::Acknowledged;
        }
    }

    /// The power went, or a kernel that had failed to write dropped its cache.
    pub(crate) fn shake(&mut self) {
        for append in &mut self.appends {
            if append.answer == Answer::Acknowledged && !append.durable && append.settled.is_none() {
                append.answer = Answer::Shaken;
            }
        }
    }

    /// A retirement is asked for. What a pin needs stays, and the newest append of the asking life: a log has a last
    /// segment. Behind an earlier retirement that may be one that only holds its mark.
    pub(crate) fn ask_to_retire(&mut self, life: usize, before: Time, pin: Option<Position>) {
        let marked = std::mem::replace(&mut self.lives[life].marked_at, self.appends.len());
        let newest = self.lives[life].appends.last().copied().filter(|&newest| newest >= marked);
        for (id, append) in self.appends.iter_mut().enumerate() {
            let pinned = append.handle.is_some_and(|handle| pin.is_some_and(|pin| handle.position() >= pin));
            append.retirable |= Some(id) != newest && append.handed_in < before && !pinned;
        }
    }

    /// The greatest position that a caller was promised.
    pub(crate) fn promised(&self) -> Position {
        let there = self.appends.iter().filter(|append| append.must_be_there());
        there.filter_map(|append| append.handle).map(|handle| handle.end()).max().unwrap_or_default()
    }

    /// Looks a record up, and holds it against what was appended (P3).
    pub(crate) fn recognise(&self, record: &Record) -> usize {
        let id = id_of(record.time);
        let append = self.appends.get(id).unwrap_or_else(|| panic!("{record:?} was never appended (P3)"));
        assert!(
            record.time == append.time && record.kind == append.kind,
            "{record:?} is not as it was appended (P3)"
        );
        assert!(record.payload == append.payload(), "{record:?} has other bytes than append {id} (P3)");
        assert_eq!(
            record.handle.epoch(),
            self.lives[append.life].epoch,
            "append {id} lies in another epoch (P3)"
        );
        assert!(
            append.handle.is_none_or(|handle| handle == record.handle),
            "append {id} lies elsewhere than told (P3)"
        );
        assert!(
            append.settled != Some(false),
            "append {id} is back after a start had settled that it is not there (P8)"
        );
        assert!(
            !matches!(append.answer, Answer::Refused(_)),
            "append {id} was answered {:?} (P5)",
            append.answer
        );
        id
    }

    /// A follower showed it.
    pub(crate) fn shown(&mut self, record: &Record) {
        let id = self.recognise(record);
        self.appends[id].shown = true;
        self.appends[id].handle = Some(record.handle);
    }

    /// What a started log of this epoch returned, oldest first, holds against everything (P1, P2, P3, P9); what is not
    /// settled yet is settled by it.
    pub(crate) fn recovered(&mut self, epoch: u64, begins: Position, records: &[Record]) {
        assert!(
            begins >= self.begins,
            "the log began at {} once, and begins at {begins} now (P9)",
            self.begins
        );
        self.begins = begins;
        assert!(
            records.is_sorted_by(|one, next| one.position() < next.position()),
            "not in the order of position (P2)"
        );
        let mut there = BTreeMap::new();
        for record in records {
            let id = self.recognise(record);
            assert!(there.insert(id, record.handle).is_none(), "append {id} was returned twice (P2)");
            assert!(record.position() >= begins, "append {id} lies before the log's beginning (P9)");
        }
        for (id, append) in self.appends.iter().enumerate() {
            // A log shows of its own life what it acknowledged; what its put came to otherwise, it does not know.
            let own = self.lives[append.life].epoch == epoch && append.answer == Answer::Acknowledged;
            let earlier = self.lives[append.life].epoch < epoch && append.must_be_there();
            if (own || earlier) && !there.contains_key(&id) {
                let handle = append.handle.expect("what must be there has a place");
                assert!(handle.position() < begins, "append {id} is lost (P1): {append:?}");
                assert!(
                    append.retirable,
                    "append {id} was retired, and nobody asked for that (P9): {append:?}"
                );
            }
        }
        for life in &self.lives {
            let handed: Vec<usize> = life.appends.clone();
            let found: Vec<usize> = (0..handed.len()).filter(|&at| there.contains_key(&handed[at])).collect();
            let (Some(&first), Some(&last)) = (found.first(), found.last()) else { continue };
            assert_eq!(found.len(), last - first + 1, "a gap in what epoch {} appended (P2)", life.epoch);
            let positions = handed[first..=last].iter().map(|id| there[id].position());
            assert!(
                positions.is_sorted(),
                "epoch {} is not in the order in which it was appended (P2)",
                life.epoch
            );
            for &id in &handed[..first] {
                assert!(
                    self.appends[id].retirable,
                    "append {id} is missing before later ones of its life (P2)"
                );
            }
        }
        for (id, append) in self.appends.iter_mut().enumerate() {
            if self.lives[append.life].epoch < epoch && append.settled.is_none() {
                let handle = there.get(&id).copied();
                let retired = append.retirable && handle.is_none() && begins > Position::START;
                append.settled =
                    (!retired || append.answer == Answer::Refused(Kind::Fenced)).then_some(handle.is_some());
                append.handle = append.handle.or(handle);
            }
        }
    }
}
