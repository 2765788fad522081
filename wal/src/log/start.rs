//! Starting: takes ownership, judges again, makes sure of what is kept, and decides by creating the segment that begins
//! the new epoch. A crash anywhere before that creation leaves the question as it was; anything after it is tidying.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::chain::{Chain, Segment};
use super::look::{Depth, look_near};
use super::options::Options;
use super::segment::{Writer, check_of, keep_reserve};
use super::source::segment_name;
use super::summaries::Facts;
use super::survey::{Aside, Because, Damage, Survey};
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::header::{EPOCH_LIMIT, HEADER_BYTES, Header, LOST_MAX};
use crate::format::name::{self, CLAIMS, QUARANTINE, UNFILLED};
use crate::format::scan::{Seen, Source, Walk};
use crate::format::totals::Totals;
use crate::format::{Identity, Position};
use crate::store::{Append, Leases, Name, SECTOR_BYTES, Store, What, leasing, locking};

/// So many names are removed at once.
const REMOVED_AT_ONCE: usize = 1000;

/// How often a start begins again, each time with a new claim.
const TRIES: usize = 100;

/// What `start` is given from outside: it knows no clock and draws no dice of its own.
pub(crate) struct Given<'a> {
    pub(crate) at_least: Position,
    /// What the caller knows is damaged and lets go.
    pub(crate) accepted: &'a [Range<Position>],
    /// What a full look found bad within segments, which the epoch states as lost.
    pub(crate) stated: &'a [Range<Position>],
    pub(crate) wall: Time,
    pub(crate) random: &'a dyn Fn() -> [u8; 16],
}

/// A log that has been started.
pub(crate) struct Started {
    pub(crate) writer: Writer,
    /// The segments that are kept, and the one that begins the epoch.
    pub(crate) chain: Chain,
    /// What was found.
    pub(crate) survey: Survey,
    /// Files that were retired and could not be removed, and whether they begin an epoch.
    pub(crate) left: Vec<(Position, bool)>,
    /// What else could not be tidied.
    pub(crate) untidied: Option<Error>,
    /// What its summaries say.
    pub(crate) facts: Facts,
    /// What was to be removed below has been removed.
    pub(crate) swept: Position,
}

/// Starts: returns the writer of a new epoch, and what was found and decided.
pub(crate) fn start(store: Arc<dyn Store>, options: &Options, given: &Given<'_>) -> Result<Started> {
    options.check()?;
    // What is damaged is refused before anything is claimed.
    let found = look_near(&*store, given.at_least, Depth::Quick)?;
    refuse(&found, options, given.accepted)?;
    if found.identity.is_none() {
        store.prove()?;
    }
    let mut owner = None;
    let token = (given.random)();
    let mut claimed = 0;
    for _ in 0..TRIES {
        // A lease keeps nobody from making new files: whoever begins again ends theirs too.
        if owner.is_none() || leasing(&*store).is_some() {
            owner = store.append().map(Append::own).transpose()?;
        }
        if locking(&*store).is_none() {
            claimed = claim(&*store, claimed, &token)?;
        }
        let survey = look_near(&*store, given.at_least, Depth::Quick)?;
        // Somebody was faster, and has made a file since the leases ended.
        if survey.is_open() {
            continue;
        }
        refuse(&survey, options, given.accepted)?;
        let epoch = match locking(&*store) {
            Some(_) => survey.written_max + 1, // the lock is held: no claims
            // Another starter was faster: what this one would put is dead, and would hold its name for ever.
            None if survey.written_max >= claimed => {
                claimed = survey.written_max;
                continue;
            }
            None => claimed,
        };
        match (locking(&*store), leasing(&*store)) {
            (Some(append), _) => make_sure(&*store, append, &survey)?,
            // Another one has started, and retired it since.
            (_, Some((_, leases))) if !make_sure_of_closed(&*store, leases, &survey)? => continue,
            _ => {}
        }
        let first = First::plan(&survey, options, given, epoch, token)?;
        let placed = match locking(&*store) {
            Some(append) => first.put_locked(&*store, append)?,
            None => first.put_raced(&*store)?,
        };
        match placed.then(|| first.is_in_chain(&store, given.at_least)).transpose()? {
            Some(Placed::EndsTheChain) => {
                let mut writer =
                    Writer::new(store.clone(), options.clone(), &first.header, first.seal, first.next, owner);
                let chain = first.chain(&survey);
                let (left, untidied) = tidy(&*store, &survey, epoch);
                // A look that rests on a summary has not seen what lies below.
                let all = left.is_empty() && survey.summarised == Position::START;
                let swept = if all { survey.begins() } else { survey.swept };
                let untidied = untidied.or(writer.restore_reserve().err());
                let facts = first.facts(&survey);
                return Ok(Started { writer, chain, survey, left, untidied, facts, swept });
            }
            Some(Placed::Followed(newer)) => {
                return Err(Error::new(
                    Kind::Fenced,
                    format!(
                        "a newer writer took the log over while this one started: epoch={epoch} newer={newer}"
                    ),
                ));
            }
            Some(Placed::NotInChain) | None => {}
        }
    }
    Err(Error::new(
        Kind::Unavailable,
        format!(
            "other starters were faster {TRIES} times; find out who keeps starting place={}",
            store.place()
        ),
    ))
}

fn refuse(survey: &Survey, options: &Options, accepted: &[Range<Position>]) -> Result<()> {
    if let Some(mark) = survey.unfinished {
        let message = match mark {
            UNFILLED => "a salvage into this log was cut short, and it holds a part of what there was; nothing was changed; \
                         remove it, and salvage again"
                .into(),
            _ => format!(
                "a repair was cut short here, and a segment may be missing that it keeps in {QUARANTINE}; nothing was \
                 changed; run `wal-fsck --repair {}`, which finishes it",
                survey.place
            ),
        };
        return Err(Error::new(Kind::Damaged, message).at(mark, 0));
    }
    let is_accepted = |damage: &Damage| {
        accepted.iter().any(|range| range.start <= damage.range.start && damage.range.end <= range.end)
    };
    if let Some(damage) = survey.damages.iter().find(|damage| !is_accepted(damage)) {
        return Err(survey.refusal_for(damage));
    }
    if survey.damage_count > LOST_MAX as u64 {
        return Err(Error::new(
            Kind::Invalid,
            format!(
                "more than {LOST_MAX} ranges are damaged; salvage what is readable into a new log instead"
            ),
        ));
    }
    if survey.identity.is_some()
        && !survey.chain.segments.is_empty()
        && survey.durability != options.durability
    {
        return Err(Error::new(
            Kind::Invalid,
            format!(
                "a log keeps the durability it was created with: created={:?} asked={:?}",
                survey.durability, options.durability
            ),
        ));
    }
    Ok(())
}

/// Claims an epoch number above every claim there is, and above `above`. Safety does not depend on it; it makes numbers
/// unique.
fn claim(store: &dyn Store, above: u64, token: &[u8; 16]) -> Result<u64> {
    let folder = Name::new(CLAIMS)?;
    let mut greatest = above;
    for page in store.list(&folder)? {
        for entry in page? {
            greatest = greatest.max(name::parse_claim(&entry.name).unwrap_or(0));
        }
    }
    for _ in 0..TRIES {
        greatest =
            greatest.checked_add(1).ok_or_else(|| Error::new(Kind::Damaged, "no epoch number is left"))?;
        let name = folder.join(&name::claim(greatest))?;
        match store.put(&name, Bytes::copy_from_slice(token)) {
            Ok(()) => return Ok(greatest),
            // Taken, perhaps by our own put; a number more costs nothing.
            Err(error) if matches!(error.kind(), Kind::Exists | Kind::Unknown) => {}
            Err(error) => return Err(error),
        }
    }
    let message = format!(
        "no epoch could be claimed in {TRIES} tries; the store does not answer place={}",
        store.place()
    );
    Err(Error::new(Kind::Unavailable, message))
}

/// The greatest claim above an epoch, if there is one.
pub(crate) fn claimed_above(store: &dyn Store, epoch: u64) -> Result<Option<u64>> {
    let mut greatest = None;
    for page in store.list_after(&Name::new(CLAIMS)?, &name::claim(epoch))? {
        greatest = page?.iter().filter_map(|entry| name::parse_claim(&entry.name)).max().max(greatest);
    }
    Ok(greatest.filter(|&claimed| claimed > epoch))
}

/// Makes what is kept durable, on media whose page cache can show what a failed sync lost: writes it again, byte for
/// byte, from the last acknowledged position on, and syncs file and names, also when nothing is to be written.
///
/// Writing the same bytes over acknowledged sectors is safe only because a sector is written whole or not at all.
fn make_sure(store: &dyn Store, append: &dyn Append, survey: &Survey) -> Result<()> {
    append.sync_names()?;
    let in_chain = |base: Position| survey.chain.segments.iter().any(|segment| segment.base == base);
    if let Some(last) = survey.chain.segments.last().filter(|last| !last.begins_epoch) {
        let tail = append.reopen(&segment_name(last.base))?;
        let to = if last.sealed { last.next } else { last.end };
        let from = survey.acked.max(last.start()).min(to);
        if from < to {
            let bytes = store.read(&segment_name(last.base), from.since(last.base)..to.since(last.base))?;
            verify_kept(&bytes, survey, last, from, to)?;
            // Past the page cache, where the medium can: what is written again through it after a failed sync may end in
            // room that the file system still takes for unwritten.
            let whole = bytes.len() - bytes.len() % SECTOR_BYTES as usize;
            tail.write_through(from.since(last.base), &[&bytes[..whole]])?;
            tail.write(from.since(last.base) + whole as u64, &[&bytes[whole..]])?;
        }
        tail.sync()?;
    }
    // A file that holds the next segment's name, without a header: a crash came between its name and its header.
    let taken = survey.aside.iter().find(|aside| aside.base == survey.end && !in_chain(aside.base));
    if let Some(taken) = taken.filter(|_| survey.damages.is_empty()) {
        let name = segment_name(taken.base);
        let to = free_name(store, &format!("{name}.no-header"))?;
        append.set_aside(&name, &to)?;
    }
    Ok(())
}

/// Makes what is kept durable, where files are closed for good: of what was written behind the last sync, the end of the
/// lease has kept some, and no disk may have it. So a file that ends so is copied whole, before the decision to keep it.
///
/// All but the last file were synced to their ends before the next was made, and an epoch's first one when it was put.
///
/// `false`: it is gone.
fn make_sure_of_closed(store: &dyn Store, leases: &dyn Leases, survey: &Survey) -> Result<bool> {
    let Some(last) = survey.chain.segments.last().filter(|last| !last.begins_epoch) else { return Ok(true) };
    let to = if last.sealed { last.next } else { last.end };
    let from = survey.acked.max(last.start()).min(to);
    if from == to {
        return Ok(true);
    }
    let name = segment_name(last.base);
    let kept = leases.keep(&name).and_then(|()| {
        let bytes = store.read(&name, from.since(last.base)..to.since(last.base))?;
        verify_kept(&bytes, survey, last, from, to)
    });
    match kept {
        Err(gone) if gone.kind() == Kind::NotThere => Ok(false),
        other => other.map(|()| true),
    }
}

/// The last bytes of a file, in memory.
struct Part<'a> {
    bytes: &'a [u8],
    offset: u64,
}

impl Source for Part<'_> {
    type Error = Infallible;

    fn file_len(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Infallible> {
        let Some(from) = offset.checked_sub(self.offset) else { return Ok(&[]) };
        self.bytes.bytes(from, len)
    }
}

/// The bytes about to be written are those that were judged: a cache may have dropped its pages in between.
fn verify_kept(bytes: &[u8], survey: &Survey, last: &Segment, from: Position, to: Position) -> Result<()> {
    let (life, offset) = (survey.chain.life(last), from.since(last.base));
    let mut walk = Walk::from(Part { bytes, offset }, life, last.base, offset);
    let mut whole_to = from;
    loop {
        match walk.next() {
            Ok(Some(Seen::Whole { end, .. })) => whole_to = end,
            Ok(Some(Seen::Footer { at, footer })) => whole_to = at.plus(footer.footer_len()),
            Ok(Some(Seen::Bad(_)) | None) => break,
            Ok(Some(_)) => {}
        }
    }
    if whole_to == to && bytes.len() as u64 == to.since(from) {
        return Ok(());
    }
    Err(Error::new(Kind::Unavailable, "the end of the log changed while it was made sure of; start again")
        .at(segment_name(last.base).as_str(), whole_to.since(last.base)))
}

/// A name in quarantine that is free: nothing that was taken away earlier is written over.
fn free_name(store: &dyn Store, stem: &str) -> Result<Name> {
    let folder = Name::new(QUARANTINE)?;
    let mut taken = Vec::new();
    for page in store.list(&folder)? {
        taken.extend(page?.into_iter().map(|entry| entry.name));
    }
    let mut names = (1_u64..).map(|number| format!("{stem}.{number}"));
    let free = names.find(|name| !taken.contains(name)).expect("numbers do not run out");
    folder.join(&free)
}

enum Placed {
    EndsTheChain,
    Followed(u64),
    NotInChain,
}

/// The segment that begins the new epoch.
struct First {
    header: Header,
    next: Position,
    seal: u32,
    bytes: Bytes,
}

impl First {
    fn plan(
        survey: &Survey,
        options: &Options,
        given: &Given<'_>,
        epoch: u64,
        token: [u8; 16],
    ) -> Result<Self> {
        let found = survey.damages.iter().map(|damage| damage.range.clone());
        let unstated = given.stated.iter().filter(|range| !survey.chain.is_lost(range)).cloned();
        let lost = merged(found.chain(unstated).collect());
        if lost.len() > LOST_MAX {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "an epoch can state {LOST_MAX} lost ranges, not {}: state the rest in the next one",
                    lost.len()
                ),
            ));
        }
        // Behind an accepted loss no name may be met again, so the epoch begins behind all of them, and behind what was
        // promised. That fences a replaced writer only if it has lost nothing that this start cannot see: whoever accepts
        // a loss has made sure that the writer before has ended.
        let base = if survey.damages.is_empty() {
            survey.end
        } else {
            survey.files_end.max(given.at_least).max(survey.end)
        };
        let base = aligned(base)?;
        if epoch >= EPOCH_LIMIT {
            return Err(Error::new(Kind::Damaged, format!("no epoch number is left: epoch={epoch}")));
        }
        let previous = survey.chain.segments.last().map(Segment::as_previous);
        let header = Header {
            identity: survey.identity.unwrap_or_else(|| Identity((given.random)())),
            durability: options.durability,
            begins_epoch: true,
            whole: true,
            clock_in_doubt: survey.doubts(given.wall, options),
            token,
            epoch,
            base,
            time: given.wall.max(survey.engine_time),
            acked: base,
            previous,
            block_bytes: options.block_bytes,
            begins: survey.begins(),
            in_flight_bytes_max: options.in_flight_bytes(),
            lost,
        };
        let footer_at = base.plus(header.body());
        let own_end = footer_at.plus(Totals::footer_bytes_max(0));
        // Behind everything that the replaced writer can have had in flight, that the caller was promised, or that
        // verified: whatever of an older epoch lies or lands before, is dead.
        let next = base.max(given.at_least).max(survey.verified_end).plus(survey.in_flight).max(own_end);
        let next = aligned(next)?;
        let head = header.encode();
        let totals = Totals::new(check_of(&head));
        let footer = totals.footer(footer_at, Some(next), base, header.begins, header.time);
        let mut bytes = vec![0; header.body() as usize];
        bytes[..head.len()].copy_from_slice(&head);
        bytes.extend_from_slice(&footer.encode(header.life(), footer_at, &[]));
        Ok(First { header, next, seal: totals.seal, bytes: bytes.into() })
    }

    /// Under the lock nobody races: the name is free, or the medium does not do as it says.
    fn put_locked(&self, store: &dyn Store, append: &dyn Append) -> Result<bool> {
        let name = segment_name(self.header.base);
        match store.put(&name, self.bytes.clone()) {
            Err(full) if full.kind() == Kind::Full => {
                append.release()?;
                store.put(&name, self.bytes.clone())?;
            }
            other => other?,
        }
        // What is left of the reserve is kept back at once; tidying may give more.
        keep_reserve(append).map(|_| true)
    }

    /// Whether our put is what holds the name. The name may be taken by our own put whose answer was lost, and a put
    /// whose outcome is not known may land at any time: only reading tells.
    fn put_raced(&self, store: &dyn Store) -> Result<bool> {
        let name = segment_name(self.header.base);
        let error = match store.put(&name, self.bytes.clone()) {
            Ok(()) => return Ok(true),
            Err(error) if matches!(error.kind(), Kind::Exists | Kind::Unknown) => error,
            Err(error) => return Err(error),
        };
        match store.read(&name, 0..HEADER_BYTES) {
            Ok(head) => {
                let header = Header::decode(self.header.base, &head);
                Ok(header.is_ok_and(|header| header == self.header))
            }
            Err(gone) if gone.kind() == Kind::NotThere => Err(Error::new(
                Kind::Unknown,
                "it is not known whether the segment that begins the epoch was put; start again",
            )
            .because(error)),
            Err(other) => Err(other),
        }
    }

    fn is_in_chain(&self, store: &Arc<dyn Store>, at_least: Position) -> Result<Placed> {
        if locking(&**store).is_some() {
            return Ok(Placed::EndsTheChain); // the lock is held
        }
        let survey = look_near(&**store, at_least.min(self.header.base), Depth::Quick)?;
        let (base, chain) = (self.header.base, &survey.chain);
        if chain.older.is_some_and(|older| base < older) {
            let first = Arc::new(chain.clone()).find_base(store, base)?;
            let ours = first.is_some_and(|first| first.epoch == self.header.epoch);
            return Ok(if ours { Placed::Followed(survey.epoch) } else { Placed::NotInChain });
        }
        let segments = chain.segments();
        let Some(at) = segments.iter().position(|segment| segment.base == self.header.base) else {
            return Ok(Placed::NotInChain);
        };
        match segments[at + 1..].last() {
            _ if segments[at].epoch != self.header.epoch => Ok(Placed::NotInChain),
            Some(newer) => Ok(Placed::Followed(newer.epoch)),
            None => Ok(Placed::EndsTheChain),
        }
    }

    /// The chain as it stands now that the decision is made.
    fn chain(&self, survey: &Survey) -> Chain {
        let mut chain = survey.chain.clone();
        chain.identity = self.header.identity.short();
        if let Some(last) = chain.segments.last_mut() {
            last.next = self.header.base;
            last.closed_at = last.closed_at.or(Some(self.header.time));
            last.file_len = if last.sealed { last.file_len } else { last.end.since(last.base) };
        }
        chain.segments.push(self.segment());
        chain.shown = self.next;
        chain.lost = survey.lost.iter().chain(&self.header.lost).cloned().collect();
        chain
    }

    /// What this writer's summaries will say.
    fn facts(&self, survey: &Survey) -> Facts {
        Facts {
            identity: self.header.identity,
            epoch: self.header.epoch,
            written_max: survey.written_max.max(self.header.epoch),
            in_flight: survey.in_flight.max(self.header.in_flight_bytes_max),
            time: self.header.time,
            lost: survey.lost.iter().chain(&self.header.lost).cloned().collect(),
        }
    }

    fn segment(&self) -> Segment {
        let footer_at = self.header.base.plus(self.header.body());
        Segment {
            base: self.header.base,
            end: footer_at,
            next: self.next,
            file_len: self.bytes.len() as u64,
            epoch: self.header.epoch,
            body: self.header.body(),
            begins_epoch: true,
            sealed: true,
            seal: Some(self.seal),
            made_at: self.header.time,
            closed_at: Some(self.header.time),
            times: None,
            records: Some(0),
        }
    }
}

/// What may be done once the decision stands, and done again after a crash: cut tails are trimmed, with what was in
/// them kept in quarantine; what was retired and not yet removed goes; old claims go. Whatever of it fails does no harm:
/// what was retired is left to the next retirement, the rest to the next start.
fn tidy(store: &dyn Store, survey: &Survey, epoch: u64) -> (Vec<(Position, bool)>, Option<Error>) {
    let mut untidied = None;
    let mut left = Vec::new();
    let locked = locking(store).is_some();
    let retired = survey.aside.iter().filter(|aside| aside.because == Because::Retired);
    let retired: Vec<&Aside> = retired.filter(|aside| locked || !aside.begins_epoch).collect();
    for some in retired.chunks(REMOVED_AT_ONCE) {
        let names: Vec<Name> = some.iter().map(|aside| segment_name(aside.base)).collect();
        for (aside, outcome) in some.iter().zip(store.remove_all(&names)) {
            if let Err(error) = outcome {
                left.push((aside.base, aside.begins_epoch));
                untidied = Some(error);
            }
        }
    }
    let rest = match locking(store) {
        None => remove_claims_below(store, epoch),
        Some(append) => {
            let mut segments = survey.chain.segments.iter().filter(|segment| !segment.begins_epoch);
            segments.try_for_each(|segment| trim(store, append, segment))
        }
    };
    (left, rest.err().or(untidied))
}

/// Ranges in their order, those that overlap or touch made one.
fn merged(mut ranges: Vec<Range<Position>>) -> Vec<Range<Position>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<Position>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// A position where something can begin, rounded up.
fn aligned(position: Position) -> Result<Position> {
    let up = position.0.checked_next_multiple_of(8).map(Position).filter(|&up| up < Position::LIMIT);
    up.ok_or_else(|| {
        let message = format!("no position is left behind {position}: a name or a promise is beyond all use");
        Error::new(Kind::Invalid, message)
    })
}

fn trim(store: &dyn Store, append: &dyn Append, segment: &Segment) -> Result<()> {
    const PART: u64 = 1 << 20;
    let name = segment_name(segment.base);
    // A sealed one may still have the zeros behind its footer.
    let cut = if segment.sealed { segment.next } else { segment.end };
    let (cut, len) = (cut.since(segment.base), segment.file_len);
    if cut >= len {
        return Ok(());
    }
    let mut evidence_end = cut;
    let mut at = cut;
    while at < len {
        let part = store.read(&name, at..len.min(at + PART))?;
        if part.is_empty() {
            break;
        }
        if let Some(last) = part.iter().rposition(|&byte| byte != 0) {
            evidence_end = at + last as u64 + 1;
        }
        at += part.len() as u64;
    }
    let mut at = cut;
    while at < evidence_end {
        let part = store.read(&name, at..evidence_end.min(at + 8 * PART))?;
        if part.is_empty() {
            break;
        }
        let (to, len) = (free_name(store, &format!("{name}.tail-{at}"))?, part.len() as u64);
        store.put(&to, part)?;
        at += len;
    }
    append.reopen(&name)?.trim(cut)
}

/// Removes retired segments, oldest first. An epoch's first one goes only under a lock: elsewhere it keeps the next
/// name of a replaced writer taken for ever.
pub(crate) fn sweep(
    store: &dyn Store,
    bases: impl Iterator<Item = Position>,
    begins_epoch: impl Fn(Position) -> bool,
) -> Result<u64> {
    let mut removed = 0;
    for base in bases {
        let (name, append) = (segment_name(base), locking(store));
        if append.is_some() || !begins_epoch(base) {
            let recycled = append.is_some_and(|append| matches!(append.recycle(&name), Ok(true)));
            if !recycled {
                store.remove(&name)?;
            }
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove_claims_below(store: &dyn Store, epoch: u64) -> Result<()> {
    let folder = Name::new(CLAIMS)?;
    let mut old = Vec::new();
    for page in store.list(&folder)? {
        for entry in page? {
            let plain = matches!(entry.what, What::File(_));
            old.extend(
                name::parse_claim(&entry.name).filter(|&number| plain && number < epoch).map(|_| entry.name),
            );
        }
    }
    old.iter().try_for_each(|claim| store.remove(&folder.join(claim)?))
}
