//! Following the chain to its end, and asking the judge what that end means.

use super::{Depth, Found, Looking, NAMED_MAX, Rest};
use crate::clock::Time;
use crate::error::Result;
use crate::format::footer::Footer;
use crate::format::group::GROUP_HEADER_BYTES;
use crate::format::header::{HEADER_BYTES, Header, HeaderFault};
use crate::format::judge::{self, Evidence, Fate, Verdict, Why};
use crate::format::outline::{Beyond, Outline};
use crate::format::scan::{Fault, Seen, Walk};
use crate::format::seed::Life;
use crate::format::{Durability, Identity, Position};
use crate::log::chain::{Chain, Segment, is_lost};
use crate::log::source::{File, segment_name};
use crate::log::survey::{Aside, Because, Damage, Survey, Torn};

/// The segment before, as far as it is known.
pub(super) struct Before {
    pub(super) base: Position,
    pub(super) end: Position,
    pub(super) seal: Option<u32>,
    pub(super) epoch: u64,
}

/// The chain cannot be followed beyond `at`.
struct Stop {
    at: Position,
    file: Position,
    what: Fault,
    inside_whole: bool,
    /// Bytes that do not verify lie here.
    bytes: bool,
    beyond: Beyond,
}

impl Looking<'_> {
    /// Follows the chain to its end and judges that.
    pub(super) fn walk(&mut self) -> Result<Survey> {
        self.segments.clear();
        self.damages.clear();
        self.damage_count = 0;
        let (mut at, mut before) = self.setting_out();
        let (stop, row, verdict, beyond) = loop {
            let Some(stop) = self.follow(&mut at, &mut before)? else { continue };
            let accepted = self.lost.iter().find(|range| range.contains(&stop.at));
            let (beyond, evidence) = self.evidence(&stop);
            let (row, verdict) = judge::judge(&evidence);
            let from = accepted.map_or(stop.at.plus(1), |range| range.end);
            let onwards = self.next_alive(from).or_else(|| self.next_alive(stop.at.plus(1)));
            match (accepted, verdict, onwards) {
                (Some(_), _, Some(next)) => at = next,
                (None, Verdict::Damaged(why), next) => {
                    let last = || self.last_beyond(&stop, &beyond);
                    self.damage(Damage {
                        range: stop.at..next.unwrap_or_else(last),
                        file: segment_name(stop.file).to_string(),
                        offset: stop.at.since(stop.file),
                        what: stop.what,
                        why,
                    });
                    match next {
                        Some(next) => at = next,
                        None => break (stop, row, verdict, beyond),
                    }
                }
                _ => break (stop, row, verdict, beyond),
            }
            before = None;
            let made_at = self.found.get(self.index_of(at)).and_then(|found| Some(found.header()?.time));
            if let Some(last) = self.segments.last_mut() {
                // Nothing will be added to it any more.
                last.next = at;
                last.closed_at = last.closed_at.or(made_at);
            }
        };
        Ok(self.survey(&stop, row, verdict, beyond))
    }

    /// Goes one segment on. `at` is where it begins by the one before.
    fn follow(&mut self, at: &mut Position, before: &mut Option<Before>) -> Result<Option<Stop>> {
        let stop = |what, inside_whole, bytes| {
            Ok(Some(Stop { at: *at, file: *at, what, inside_whole, bytes, beyond: Beyond::default() }))
        };
        let index = self.found.partition_point(|found| found.base < *at);
        let here =
            self.found.get(index).filter(|found| found.base == *at && self.fates[index] == Fate::Alive);
        let Some(found) = here else { return stop(Fault::Missing, false, false) };
        let header = match &found.header {
            Ok((header, _)) => header.clone(),
            Err(_) => {
                let inside_whole = self.has_bad_header(found);
                let beyond = self.groups_without_header(index, before.as_ref())?;
                return Ok(Some(Stop {
                    at: *at,
                    file: *at,
                    what: Fault::Header,
                    inside_whole,
                    bytes: true,
                    beyond,
                }));
            }
        };
        if !follows(&header, before.as_ref()) {
            return stop(Fault::Chain, true, true);
        }
        let (base, len, footer) = (found.base, found.len, found.footer);
        let closer = self.closers.get(&base).map(|&closer| &self.found[closer]);
        let closing =
            closer.and_then(|closer| Some((closer.base, closer.header()?.time, closer.header()?.previous?)));
        let mut segment = Segment {
            base,
            end: header.base.plus(header.body()),
            next: *at,
            file_len: len,
            epoch: header.epoch,
            body: header.body(),
            begins_epoch: header.begins_epoch,
            sealed: false,
            seal: None,
            made_at: header.time,
            closed_at: None,
            times: None,
            records: None,
        };
        let mut stop = None;
        if let Some((next, time, previous)) = closing.filter(|(.., previous)| {
            // Sealed by its writer, and the epoch follows: the footer says more.
            footer.is_none_or(|(footer_at, _)| footer_at != previous.end)
        }) {
            segment.end = previous.end;
            segment.next = next;
            segment.seal = Some(previous.seal);
            segment.closed_at = Some(time);
            if self.depth == Depth::Full {
                let outline = self.outline(index, Some(previous.end))?;
                if outline.bad_count == 0 {
                    let totals = &outline.totals;
                    segment.records = Some(totals.records);
                    segment.times = (totals.records > 0).then_some((totals.least, totals.greatest));
                }
                self.damages_in(&segment, &outline, None);
            }
        } else {
            let unproven = self.is_unproven(index);
            let outline = if unproven || self.depth == Depth::Full || footer.is_none() {
                Some(self.outline(index, None)?)
            } else {
                None
            };
            match (footer.or(outline.as_ref().and_then(|outline| outline.footer)), outline) {
                (Some((footer_at, footer)), outline)
                    if !unproven
                        || outline.as_ref().is_none_or(|outline| is_whole(outline, footer_at, &footer)) =>
                {
                    segment.end = footer_at;
                    segment.next = closing.map_or(footer.next, |(next, ..)| next);
                    segment.sealed = true;
                    segment.seal = Some(footer.seal);
                    segment.closed_at = Some(footer.sealed_at);
                    segment.times = (footer.records > 0).then_some((footer.least, footer.greatest));
                    segment.records = Some(footer.records);
                    if let Some(outline) = outline {
                        self.damages_in(&segment, &outline, Some(&footer));
                    }
                }
                (_, Some(outline)) => {
                    segment.end = outline.end;
                    segment.seal = Some(outline.totals.seal);
                    segment.times = (outline.totals.records > 0)
                        .then_some((outline.totals.least, outline.totals.greatest));
                    segment.records = Some(outline.totals.records);
                    segment.next = outline.end;
                    self.acked = self.acked.max(outline.acked.min(outline.end));
                    // Where nothing is torn and the next name stands, that file is what the chain comes to: a header
                    // in it that does not verify was durable before it had a name, and no crash explains it.
                    let next = self.found.partition_point(|found| found.base < outline.end);
                    let spoilt = |found: &Found| {
                        found.base == outline.end
                            && found.header.as_ref().is_err_and(|fault| *fault != HeaderFault::Zeros)
                    };
                    let is_next = self.found.get(next).is_some_and(spoilt) && self.fates[next] == Fate::Alive;
                    stop = (outline.bad_count > 0 || header.whole || !is_next).then_some(Stop {
                        at: outline.end,
                        file: base,
                        what: outline.bad.first().map_or(Fault::Group, |bad| bad.what),
                        inside_whole: header.whole,
                        bytes: outline.bad_count > 0 || header.whole,
                        beyond: outline.beyond,
                    });
                }
                (Some(_), None) | (None, None) => unreachable!("what has no footer is outlined"),
            }
        }
        *before = Some(Before { base, end: segment.end, seal: segment.seal, epoch: segment.epoch });
        *at = segment.next;
        self.segments.push(segment);
        Ok(stop)
    }

    /// What a full walk found in a segment that its footer or a later epoch vouches for.
    fn damages_in(&mut self, segment: &Segment, outline: &Outline, footer: Option<&Footer>) {
        let file = segment_name(segment.base).to_string();
        for bad in &outline.bad {
            self.damage(Damage {
                range: bad.range.clone(),
                file: file.clone(),
                offset: bad.range.start.since(segment.base),
                what: bad.what,
                why: Why::Acknowledged,
            });
        }
        self.damage_count += outline.bad_count - outline.bad.len() as u64;
        let adds_up = outline.end == segment.end
            && segment.seal.is_none_or(|seal| seal == outline.totals.seal)
            && footer.is_none_or(|footer| states(footer, outline));
        if outline.bad_count == 0 && !adds_up {
            let at = outline.end.min(segment.end);
            self.damage(Damage {
                range: at..segment.end.max(at),
                file,
                offset: at.since(segment.base),
                what: Fault::Footer,
                why: Why::Acknowledged,
            });
        }
    }

    fn damage(&mut self, damage: Damage) {
        if is_lost(&self.lost, &damage.range) {
            return;
        }
        self.damage_count += 1;
        if self.damages.len() < NAMED_MAX {
            self.damages.push(damage);
        }
    }

    /// Groups that verify, as of the epoch before, in a file whose header does not: its header was durable once.
    fn groups_without_header(&self, index: usize, before: Option<&Before>) -> Result<Beyond> {
        let (found, mut beyond) = (&self.found[index], Beyond::default());
        let Some(identity) = self.identity else { return Ok(beyond) };
        let life = Life { identity: identity.short(), epoch: before.map_or(1, |before| before.epoch) };
        let file = File::new(self.store, segment_name(found.base), found.len);
        let mut walk = Walk::from(file, life, found.base, HEADER_BYTES);
        while let Some(seen) = walk.next()? {
            match seen {
                Seen::Group { at, header, .. } => beyond.add(at.plus(GROUP_HEADER_BYTES), header.acked),
                Seen::Footer { at, footer } | Seen::FooterHead { at, footer } => {
                    beyond.add(at.plus(footer.footer_len()), footer.acked);
                }
                _ => {}
            }
        }
        Ok(beyond)
    }

    /// What is alive behind a position, added up.
    fn alive_beyond(&self, at: Position) -> Rest {
        self.rests[self.found.partition_point(|found| found.base <= at)]
    }

    fn next_alive(&self, from: Position) -> Option<Position> {
        let mut behind = self.index_of(from)..self.found.len();
        let next = behind.find(|&at| self.fates[at] == Fate::Alive && self.found[at].header.is_ok());
        next.map(|at| self.found[at].base)
    }

    fn file_end(&self, base: Position) -> Position {
        self.found
            .get(self.index_of(base))
            .filter(|found| found.base == base)
            .map_or(base, |found| base.plus(found.len))
    }

    /// Where damage ends behind which no segment of the chain follows: behind everything that lies there or was promised,
    /// and never where it begins, for what is lost has a place.
    fn last_beyond(&self, stop: &Stop, beyond: &Beyond) -> Position {
        let files = self.alive_beyond(stop.at).files_end;
        let known = beyond.end.max(files).max(Some(self.file_end(stop.file))).max(Some(self.at_least));
        known.unwrap_or_default().max(stop.at.plus(1))
    }

    fn evidence(&self, stop: &Stop) -> (Beyond, Evidence) {
        let rest = self.alive_beyond(stop.at);
        let beyond = Beyond {
            acked: stop.beyond.acked.max(rest.beyond.acked),
            end: stop.beyond.end.max(rest.beyond.end),
        };
        let evidence = Evidence {
            promised: self.at_least > stop.at,
            acked_beyond: beyond.acked > Some(stop.at),
            inside_whole: (stop.inside_whole && stop.bytes) || rest.bad_header,
            overflow: beyond.end.is_some_and(|end| end.since(stop.at) > self.in_flight()),
            anything: stop.bytes || rest.any || beyond.end.is_some(),
            open: self.is_open(stop.file),
        };
        (beyond, evidence)
    }

    /// Whether the file at a base is still being written.
    fn is_open(&self, base: Position) -> bool {
        self.found.get(self.index_of(base)).is_some_and(|found| found.base == base && found.open)
    }

    /// The most that any writer whose leavings are seen may have had in flight.
    fn in_flight(&self) -> u64 {
        let before = self.ground.as_ref().map_or(0, |ground| ground.in_flight);
        self.rests[0].in_flight.max(before)
    }

    fn survey(&mut self, stop: &Stop, row: &'static judge::Row, verdict: Verdict, beyond: Beyond) -> Survey {
        let end = stop.at;
        let in_chain =
            |base: Position| self.segments.binary_search_by_key(&base, |segment| segment.base).is_ok();
        let in_damage =
            |base: Position| base < end || self.damages.iter().any(|damage| damage.range.contains(&base));
        let aside = self.found.iter().zip(&self.fates).filter(|(found, _)| !in_chain(found.base));
        let aside: Vec<Aside> = aside
            .map(|(found, fate)| Aside {
                base: found.base,
                file_len: found.len,
                because: match fate {
                    Fate::Retired => Because::Retired,
                    Fate::Dead => Because::Dead,
                    Fate::Alive if found.open => Because::Open,
                    Fate::Alive if in_damage(found.base) => Because::Damaged,
                    Fate::Alive => Because::Torn,
                },
                begins_epoch: found.header().is_some_and(|header| header.begins_epoch),
            })
            .collect();
        let headers = || self.found.iter().filter_map(Found::header);
        let (ground, older) = (self.ground.as_ref(), self.older());
        let time_before = ground.map(|ground| ground.time);
        let engine_time = headers().map(|header| header.time).max().max(time_before).unwrap_or(Time(0));
        let sealed_at = self.found.iter().filter_map(|found| Some(found.footer?.1.sealed_at)).max();
        let last_header = self.segments.last().and_then(|last| {
            let index = self.found.partition_point(|found| found.base < last.base);
            self.found[index].header()
        });
        let torn = (verdict == Verdict::Torn).then(|| Torn {
            range: end..beyond.end.unwrap_or(end).max(self.outline_end(stop)),
            file: stop.bytes.then(|| segment_name(stop.file).to_string()),
        });
        let verdict = match self.damages.first() {
            Some(damage) => Verdict::Damaged(damage.why),
            None => verdict,
        };
        Survey {
            place: self.store.place(),
            identity: self.identity,
            durability: last_header.map_or(Durability::Power, |header| header.durability),
            end,
            acked: self.acked.min(end),
            epoch: self.segments.last().map_or(0, |last| last.epoch),
            written_max: headers()
                .map(|header| header.epoch)
                .max()
                .max(ground.map(|ground| ground.written_max))
                .unwrap_or(0),
            in_flight: self.in_flight(),
            verified_end: beyond.end.unwrap_or(end).max(end),
            files_end: self
                .found
                .iter()
                .map(|found| found.base.plus(found.len.max(1)))
                .max()
                .max(ground.map(|ground| ground.end))
                .unwrap_or_default(),
            summarised: ground.map_or(Position::START, |ground| ground.end),
            swept: ground.map_or(Position::START, |ground| ground.swept),
            misleading: Vec::new(),
            unfinished: self.unfinished,
            clock_in_doubt: last_header.is_some_and(|header| header.clock_in_doubt),
            engine_time: engine_time.max(sealed_at.unwrap_or_default()),
            verdict,
            row,
            damages: std::mem::take(&mut self.damages),
            damage_count: self.damage_count,
            torn,
            aside,
            foreign: self.foreign.clone(),
            foreign_count: self.foreign_count,
            lost: self.lost.clone(),
            chain: Chain {
                identity: self.identity.map_or(0, Identity::short),
                older,
                begins: self.begins,
                shown: end,
                lost: self.lost.as_slice().into(),
                segments: std::mem::take(&mut self.segments),
            },
        }
    }

    /// Where the last bytes end that do not verify, in the file where the chain stopped.
    fn outline_end(&self, stop: &Stop) -> Position {
        let bad = self.outlines.get(&stop.file).and_then(|outline| outline.bad.last());
        bad.map_or(if stop.bytes { self.file_end(stop.file) } else { stop.at }, |bad| bad.range.end)
    }
}

/// Whether a segment states the one before it as its predecessor, as far as that is known.
fn follows(header: &Header, before: Option<&Before>) -> bool {
    let Some(before) = before else { return true };
    let Some(previous) = header.previous else { return false };
    let epoch_fits =
        if header.begins_epoch { header.epoch > before.epoch } else { header.epoch == before.epoch };
    epoch_fits
        && previous.base == before.base
        && previous.end == before.end
        && before.seal.is_none_or(|seal| seal == previous.seal)
}

/// Whether everything up to the footer verifies and adds up to what the footer says.
fn is_whole(outline: &Outline, footer_at: Position, footer: &Footer) -> bool {
    outline.bad_count == 0 && outline.end == footer_at && states(footer, outline)
}

fn states(footer: &Footer, outline: &Outline) -> bool {
    let totals = &outline.totals;
    (footer.seal, footer.records, footer.groups, footer.payload_bytes)
        == (totals.seal, totals.records, totals.groups, totals.payload_bytes)
        && (footer.least, footer.greatest) == (totals.least, totals.greatest)
}
