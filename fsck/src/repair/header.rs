//! A segment's header, made again so that no record is lost with it.
//!
//! If a single byte of it is wrong, one that makes it verify is what it was. Otherwise nearly all it says is known: from the
//! segments beside it, and from its own groups, which verify only as of the right log, epoch and place. Not known are the
//! exact time, and the writer's random token; but the digest of the segment begins with the header's checksum, and others
//! state that digest. So the checksum is computed back from the digest, through the checks of all the groups and frames,
//! and four bytes of the token are chosen so that the header made has this checksum. Then nothing behind it changes. Where
//! groups are bad too the digest cannot be computed back, and nobody else can compare it either.

use bytes::Bytes;
use headwater_wal::format::header::{HEADER_BYTES, Header, HeaderFault, Previous, body};
use headwater_wal::format::name;
use headwater_wal::format::seed::Life;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Position, Result, Segment, Survey};

use super::Action;
use super::affine::Affine;
use super::body::{Body, header_at, header_behind, said_behind};
use super::overlay::len;

/// A writer that took over did so so many times in a row, at most, without leaving anything that verifies.
const EPOCHS_TRIED_MAX: u64 = 32;

/// How groups may be aligned, the likely ones first.
const BLOCKS: [u32; 8] = [512, 4096, 8, 1024, 2048, 8192, 16384, 65536];

/// The header of the segment at `base` made again, and how. None if too little is known of it.
pub(crate) fn rebuild(
    store: &dyn Store,
    survey: &Survey,
    base: Position,
) -> Result<Option<(Action, &'static str)>> {
    let file = Name::new(name::segment(base))?;
    let Some(file_len) = len(store, &file)?.filter(|&len| len >= HEADER_BYTES) else { return Ok(None) };
    let there = store.read(&file, 0..HEADER_BYTES)?;
    let rewrite = |header: Vec<u8>| Action::Rewrite {
        file: file.clone(),
        writes: vec![(0, Bytes::from(header))],
        len: None,
    };
    let valid = Header::decode(base, &there).ok();
    let exact = if valid.is_none() { with_one_byte_changed(&there, base, survey) } else { None };
    if let Some(exact) = exact {
        return Ok(Some((rewrite(exact), "one byte of the header is put right, which makes it verify")));
    }
    let beside = Beside::find(store, survey, base)?;
    let Some((header, body)) = beside.header(store, survey, file_len)? else { return Ok(None) };
    let wanted = beside.check_wanted(&header, &body);
    // One that verifies is another's work only if the digest says that the segment began with another checksum.
    if let Some(valid) = valid
        && wanted.is_none_or(|wanted| wanted == valid.check())
    {
        return Ok(None);
    }
    let header = match wanted {
        Some(wanted) => with_check(header, wanted),
        None => Some(header),
    };
    let how = "the header is made again from the segments beside it and its own groups";
    Ok(header.map(|header| (rewrite(header.encode().to_vec()), how)))
}

fn with_one_byte_changed(there: &[u8], base: Position, survey: &Survey) -> Option<Vec<u8>> {
    let mut bytes = there.to_vec();
    let fits = |bytes: &[u8]| match Header::decode(base, bytes) {
        Ok(header) => survey.identity().is_none_or(|identity| identity == header.identity),
        Err(_) => false,
    };
    if Header::decode(base, there) == Err(HeaderFault::Zeros) {
        return None;
    }
    for at in 0..bytes.len() {
        let was = bytes[at];
        for change in 1..=u8::MAX {
            bytes[at] = was ^ change;
            if fits(&bytes) {
                return Some(bytes);
            }
        }
        bytes[at] = was;
    }
    None
}

/// What is known of a segment from those beside it.
struct Beside {
    base: Position,
    before: Option<Header>,
    /// The segment before, which says that one begins here.
    leads_here: Option<Segment>,
    behind: Option<Header>,
}

impl Beside {
    fn find(store: &dyn Store, survey: &Survey, base: Position) -> Result<Self> {
        let before = survey.chain().segments().iter().rfind(|segment| segment.base < base).cloned();
        let header = match &before {
            Some(before) => header_at(store, survey, before.base)?,
            None => None,
        };
        // Whoever goes along the chain is stopped by this header only if the segment before leads here.
        let stops = survey.damages().iter().any(|damage| damage.range.start == base);
        let leads_here = before.filter(|before| stops && before.seal.is_some());
        Ok(Beside { base, before: header, leads_here, behind: header_behind(store, survey, base)? })
    }

    /// A header that says what is known, its time and token apart, and what verifies under it. None if nothing does.
    fn header(&self, store: &dyn Store, survey: &Survey, file_len: u64) -> Result<Option<(Header, Body)>> {
        let Some(identity) = survey.identity() else { return Ok(None) };
        for epoch in self.epochs() {
            let same = |header: &&Header| header.epoch == epoch;
            let writer = self.before.as_ref().filter(same).or(self.behind.as_ref().filter(same));
            let blocks = writer.map(|writer| writer.block_bytes).into_iter().chain(BLOCKS);
            for block in blocks {
                let life = Life { identity: identity.short(), epoch };
                let (start, len) = (body(block), self.reads_to(file_len));
                if start > file_len {
                    continue;
                }
                let body = Body::read(store, life, self.base, start, len, 0)?;
                if body.verified == 0 {
                    break; // of another epoch: no other block will do
                }
                if writer.is_none() && !body.begins_there() {
                    continue;
                }
                return Ok(self.said(store, survey, epoch, block, &body).map(|header| (header, body)));
            }
        }
        Ok(None)
    }

    /// Those that a segment here can have.
    fn epochs(&self) -> Vec<u64> {
        let before = self.before.as_ref().map(|header| header.epoch);
        let behind = self.behind.as_ref().map(|header| header.epoch);
        let least = before.or(behind).unwrap_or(1);
        let most = behind.unwrap_or(least + EPOCHS_TRIED_MAX).min(least + EPOCHS_TRIED_MAX);
        let mut epochs: Vec<u64> = before.into_iter().chain(behind).chain(least..=most).collect();
        let mut seen = std::collections::BTreeSet::new();
        epochs.retain(|&epoch| seen.insert(epoch));
        epochs
    }

    /// Behind where a later epoch cuts it, nothing counts.
    fn reads_to(&self, file_len: u64) -> u64 {
        let cut = self.behind.as_ref().filter(|behind| behind.begins_epoch);
        let said = said_behind(cut, self.base).map(|(_, previous)| previous.end.since(self.base));
        said.map_or(file_len, |end| {
            // The footer may follow right there, and says more.
            end.saturating_add(headwater_wal::format::totals::Totals::footer_bytes_max(end)).min(file_len)
        })
    }

    fn said(
        &self,
        store: &dyn Store,
        survey: &Survey,
        epoch: u64,
        block_bytes: u32,
        there: &Body,
    ) -> Option<Header> {
        let either = self.before.as_ref().or(self.behind.as_ref())?;
        let same = |header: &&Header| header.epoch == epoch;
        let writer = self.before.as_ref().filter(same).or(self.behind.as_ref().filter(same));
        let is_new = self.before.as_ref().is_none_or(|before| before.epoch < epoch);
        let begins_epoch = is_new && there.is_empty_at(self.base.plus(body(block_bytes)));
        let before_time = self.before.as_ref().map(|before| before.time);
        let closed = self.leads_here.as_ref().and_then(|before| before.closed_at);
        let latest = self.behind.as_ref().map(|behind| behind.time);
        let time = before_time.max(closed).or(latest).unwrap_or_default();
        let acked = self.before.as_ref().map_or(Position::START, |before| before.acked);
        Some(Header {
            identity: survey.identity()?,
            durability: either.durability,
            begins_epoch,
            whole: begins_epoch || store.append().is_none(),
            clock_in_doubt: writer.is_some_and(|writer| writer.clock_in_doubt),
            token: writer.map_or([0; 16], |writer| writer.token),
            epoch,
            base: self.base,
            time: latest.map_or(time, |latest| time.min(latest)),
            acked: if begins_epoch { self.base } else { acked.min(self.base) },
            previous: self.leads_here.as_ref().map(|before| Previous {
                base: before.base,
                end: before.end,
                seal: before.seal.unwrap_or(0),
            }),
            block_bytes,
            begins: survey.begins().min(self.base),
            in_flight_bytes_max: writer.unwrap_or(either).in_flight_bytes_max,
            lost: Vec::new(),
        })
    }

    /// The checksum that the header must have, if anybody can tell: others state the digest that it begins, and all that
    /// goes into it verifies.
    fn check_wanted(&self, header: &Header, body: &Body) -> Option<u32> {
        let said =
            said_behind(self.behind.as_ref(), header.base).map(|(_, previous)| (previous.end, previous.seal));
        let (end, seal) = said.or(body.sealed())?;
        if !body.is_whole_to(end) {
            return None;
        }
        body.header_check(seal)
    }
}

/// The header with four bytes of its token such that it has this checksum.
fn with_check(mut header: Header, wanted: u32) -> Option<Header> {
    let mut check = |word: u32| {
        header.token[12..].copy_from_slice(&word.to_le_bytes());
        header.check()
    };
    let word = Affine::new(&Affine::trials().map(&mut check)).solve(wanted)?;
    let made = check(word);
    (made == wanted).then_some(header)
}
