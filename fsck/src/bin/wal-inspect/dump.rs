//! `dump`: the records, and with `--groups` everything that the scanner sees in the files.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Write;
use std::ops::ControlFlow;

use bytes::Bytes;
use headwater_fsck::{File, Wanted, before_last, find};
use headwater_wal::format::codec;
use headwater_wal::format::frame::{FRAME_HEADER_BYTES, PAYLOAD_BYTES_LIMIT};
use headwater_wal::format::header::{HEADER_BYTES, Header};
use headwater_wal::format::name;
use headwater_wal::format::scan::{Fault, Frame, Seen, Walk};
use headwater_wal::format::seed::Life;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Depth, Error, Kind, Position, Survey};

use crate::asked::Asked;
use crate::failure::{Answer, Failure};
use crate::item::{Item, Show};
use crate::ls::{because, state};
use crate::payload::Payload;
use crate::place;

const WIDTH: usize = 80;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a file: URL
    path: OsString,
    #[command(flatten)]
    asked: Asked,
    /// At most so many records
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// Only the last so many records; no more is read than they need
    #[arg(long, alias = "last", value_name = "N", conflicts_with_all = ["count", "groups"])]
    tail: Option<u64>,
    /// How payloads are shown
    #[arg(long, value_enum, default_value_t = Payload::Text)]
    payload: Payload,
    /// Let raw payloads go to a terminal
    #[arg(long)]
    force: bool,
    /// Characters of a payload that are shown; 0 for all, as with --json [default: 80]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
    /// Everything that the scanner sees in the files: headers, groups, footers, what does not verify, also in what is set
    /// aside
    #[arg(long, conflicts_with_all = ["since", "until", "kind"])]
    groups: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let mut wanted = args.asked.wanted()?;
    args.payload.allow(args.json, args.force)?;
    if args.payload == Payload::Raw && args.groups {
        let message = "--groups tells of more than payloads: use --payload hex with it";
        return Err(Failure::Usage(message.into()));
    }
    let store = place::open(&args.path)?;
    let survey = find(&*store, Position::START, Depth::Quick)?;
    if let Some(tail) = args.tail {
        wanted.from = wanted.from.max(before_last(&*store, &survey, &wanted, tail)?);
    }
    let width = args.width.unwrap_or(if args.json { 0 } else { WIDTH });
    let mut dump = Dump {
        args,
        wanted: &wanted,
        store: &*store,
        survey: &survey,
        show: Show { payload: args.payload, width },
        out,
        records: 0,
        bad: 0,
        unsupported: None,
        damages_told: 0,
        acked_told: args.groups,
        last: VecDeque::new(),
        line: Vec::new(),
    };
    dump.all()?;
    let Dump { bad, unsupported, last, line, .. } = dump;
    for line in last.iter().chain([&line]) {
        out.write_all(line)?;
    }
    if bad > 0 {
        out.flush()?;
        let _ = writeln!(
            std::io::stderr(),
            "wal-inspect: not everything could be shown: places={bad}; run `wal-inspect check {}`",
            survey.place()
        );
        return Ok(Answer::Damaged);
    }
    unsupported.map_or(Ok(Answer::Sound), |error| Err(error.into()))
}

/// A file, or the part of it that is shown.
struct Stretch {
    base: Position,
    file_len: u64,
    /// Where its groups end; behind that, nothing is part of the log.
    end: Position,
    sealed: bool,
    state: &'static str,
    /// For a file whose header does not verify: the epoch that it would have.
    epoch: u64,
}

struct Dump<'a> {
    args: &'a Args,
    wanted: &'a Wanted,
    store: &'a dyn Store,
    survey: &'a Survey,
    show: Show,
    out: &'a mut dyn Write,
    records: u64,
    /// Places in the log that could not be shown.
    bad: u64,
    /// A record that this build cannot show.
    unsupported: Option<Error>,
    damages_told: usize,
    acked_told: bool,
    /// With `--tail`: the lines of the last records, and what was said since.
    last: VecDeque<Vec<u8>>,
    line: Vec<u8>,
}

impl Dump<'_> {
    fn all(&mut self) -> Result<(), Failure> {
        for stretch in self.stretches() {
            self.damages(|damage| damage <= stretch.base)?;
            let done = match self.walk(&stretch) {
                Err(Failure::Log(error)) if error.kind() == Kind::NotThere => {
                    let file = name::segment(stretch.base);
                    self.item(&Item::Note(format!("{file} went while this was read: it was retired")))?;
                    ControlFlow::Continue(())
                }
                other => other?,
            };
            if done.is_break() {
                return Ok(());
            }
        }
        self.damages(|_| true)
    }

    fn stretches(&self) -> Vec<Stretch> {
        let segments = self.survey.chain().segments();
        let mut stretches: Vec<Stretch> = segments
            .iter()
            .map(|segment| Stretch {
                base: segment.base,
                file_len: segment.file_len,
                end: segment.end,
                sealed: segment.sealed,
                state: state(segment),
                epoch: segment.epoch,
            })
            .collect();
        if self.args.groups {
            stretches.extend(self.survey.aside().iter().map(|aside| {
                Stretch {
                    base: aside.base,
                    file_len: aside.file_len,
                    end: aside.base,
                    sealed: false,
                    state: because(aside),
                    epoch: segments
                        .iter()
                        .rfind(|segment| segment.base < aside.base)
                        .map_or(1, |segment| segment.epoch),
                }
            }));
            stretches.sort_by_key(|stretch| stretch.base);
        }
        let Wanted { from, to, .. } = *self.wanted;
        let passed_over = |base| {
            let segment = segments.binary_search_by_key(&base, |segment| segment.base);
            segment.is_ok_and(|at| !self.wanted.may_lie_in(&segments[at]))
        };
        stretches.retain(|stretch| {
            let end = if self.args.groups { stretch.base.plus(stretch.file_len) } else { stretch.end };
            end > from && stretch.base < to && (self.args.groups || !passed_over(stretch.base))
        });
        stretches
    }

    fn walk(&mut self, stretch: &Stretch) -> Result<ControlFlow<()>, Failure> {
        let file = name::segment(stretch.base);
        let segment = Name::new(&*file)?;
        let header = Header::decode(stretch.base, &self.store.read(&segment, 0..HEADER_BYTES)?).ok();
        let len = if self.args.groups { stretch.file_len } else { stretch.end.since(stretch.base) };
        if self.args.groups {
            let (state, file_len) = (stretch.state, stretch.file_len);
            self.item(&Item::File { file: &file, state, file_len, header: header.as_ref() })?;
        }
        let identity = self.survey.identity().map_or(0, |identity| identity.short());
        let life = header.as_ref().map_or(Life { identity, epoch: stretch.epoch }, Header::life);
        let body = header.as_ref().map_or(HEADER_BYTES, Header::body);
        let mut walk = Walk::from(File::new(self.store, segment, len), life, stretch.base, body);
        let (mut end, mut end_told) =
            (stretch.base.plus(body), stretch.sealed || stretch.end == stretch.base);
        while let Some(seen) = walk.next()? {
            let range = range_of(&seen);
            if range.start >= self.wanted.to {
                return Ok(ControlFlow::Continue(()));
            }
            end = end.max(range.end);
            if range.end <= self.wanted.from {
                continue;
            }
            if range.start >= stretch.end && !end_told {
                end_told = true;
                let note = match (self.is_damaged(range.start), stretch.state) {
                    (true, _) => {
                        "damaged from here on; no replay goes further, and `get` reads what verifies"
                    }
                    (false, "closed") => {
                        "a later epoch cut the segment here; what follows is no part of the log"
                    }
                    (false, _) => "the log ends here; what follows is no part of it",
                };
                self.item(&Item::Note(note.into()))?;
            }
            let in_log = stretch.sealed || range.start < stretch.end || self.is_damaged(range.start);
            self.seen(&mut walk, &seen, stretch, (&file, life, in_log))?;
            if self.args.count.is_some_and(|count| self.records >= count) {
                return Ok(ControlFlow::Break(()));
            }
        }
        let rest = stretch.base.plus(stretch.file_len).since(end);
        if self.args.groups && rest > 0 && end < self.wanted.to {
            self.item(&Item::Zeros { from: end, len: rest })?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn is_damaged(&self, at: Position) -> bool {
        self.survey.damages().iter().any(|damage| damage.range.contains(&at))
    }

    fn seen(
        &mut self,
        walk: &mut Walk<File<'_>>,
        seen: &Seen,
        stretch: &Stretch,
        (file, life, in_log): (&str, Life, bool),
    ) -> Result<(), Failure> {
        let groups = self.args.groups;
        match seen {
            Seen::Frame(frame) if !frame.header.own => {
                if !self.wanted.takes(frame) {
                    return Ok(());
                }
                self.acknowledged(frame.at)?;
                self.records += 1;
                let handle = frame.handle(life, stretch.base);
                let payload = match self.show.payload {
                    Payload::None => Ok(None),
                    _ => self.payload(walk, frame, stretch.base)?.map(Some),
                };
                self.item(&Item::Record { handle, header: &frame.header, payload })
            }
            Seen::Frame(frame) if groups => {
                let payload = stored(walk, frame, stretch.base)?;
                self.item(&Item::Own { at: frame.at, header: &frame.header, payload })
            }
            Seen::Group { at, header, .. } if groups => self.item(&Item::Group { at: *at, header }),
            Seen::Footer { at, footer } if groups => {
                self.item(&Item::Footer { at: *at, footer, whole: true })
            }
            Seen::FooterHead { at, footer } if groups => {
                self.item(&Item::Footer { at: *at, footer, whole: false })
            }
            Seen::Bad(bad) => {
                self.bad += u64::from(in_log);
                self.item(&Item::Bad { file, offset: bad.range.start.since(stretch.base), bad, in_log })
            }
            Seen::Frame(_)
            | Seen::Group { .. }
            | Seen::Whole { .. }
            | Seen::Footer { .. }
            | Seen::FooterHead { .. } => Ok(()),
        }
    }

    /// The payload, or why this one record has none that could be shown.
    fn payload(
        &mut self,
        walk: &mut Walk<File<'_>>,
        frame: &Frame,
        base: Position,
    ) -> Result<Result<Bytes, String>, Failure> {
        match codec::expand(&frame.header, stored(walk, frame, base)?, PAYLOAD_BYTES_LIMIT as usize) {
            Ok(payload) => Ok(Ok(payload)),
            Err(error) => {
                let text = error.to_string();
                match error.kind() {
                    Kind::Unsupported => self.unsupported = Some(error),
                    _ => self.bad += 1,
                }
                Ok(Err(text))
            }
        }
    }

    /// Tells once, where it is so, that the log does not say of what follows that it was acknowledged.
    fn acknowledged(&mut self, at: Position) -> Result<(), Failure> {
        let acked = self.survey.acked();
        if self.acked_told || at < acked {
            return Ok(());
        }
        self.acked_told = true;
        let note = format!(
            "what follows verifies; the log says of what lies below {acked} that it was acknowledged"
        );
        self.item(&Item::Note(note))
    }

    /// Tells the damages that the look found, and that no walk will come upon, as far as they begin where asked.
    fn damages(&mut self, here: impl Fn(Position) -> bool) -> Result<(), Failure> {
        let survey = self.survey;
        while let Some(damage) =
            survey.damages().get(self.damages_told).filter(|damage| here(damage.range.start))
        {
            self.damages_told += 1;
            let nowhere = matches!(damage.what, Fault::Missing | Fault::Header | Fault::Chain);
            let walked = |at: Position| {
                survey.chain().segments().iter().any(|segment| (segment.base..segment.end).contains(&at))
            };
            let asked = damage.range.end > self.wanted.from && damage.range.start < self.wanted.to;
            if asked && (nowhere || (!self.args.groups && !walked(damage.range.start))) {
                self.bad += 1;
                self.item(&Item::Damage(damage))?;
            }
        }
        Ok(())
    }

    fn item(&mut self, item: &Item<'_>) -> Result<(), Failure> {
        let line = match (self.show.payload, item) {
            (Payload::Raw, Item::Record { payload: Ok(Some(payload)), .. }) => payload.to_vec(),
            // What could not be shown is counted, and told of at the end.
            (Payload::Raw, _) => Vec::new(),
            _ if self.args.json => format!("{}\n", item.json(self.show)).into_bytes(),
            _ => format!("{}\n", item.text(self.show)).into_bytes(),
        };
        let Some(last) = self.args.tail else { return Ok(self.out.write_all(&line)?) };
        // What is said between two records goes with the second one.
        self.line.extend(line);
        if matches!(item, Item::Record { .. }) {
            self.last.push_back(std::mem::take(&mut self.line));
            if self.last.len() as u64 > last {
                self.last.pop_front();
            }
        }
        Ok(())
    }
}

/// The stored payload of a frame, verified once more: these very bytes are shown.
fn stored(walk: &mut Walk<File<'_>>, frame: &Frame, base: Position) -> Result<Bytes, Failure> {
    let offset = frame.at.since(base) + FRAME_HEADER_BYTES;
    let bytes = walk.source().exactly(offset, frame.header.stored_len as usize)?;
    if frame.header.verifies(&bytes) {
        return Ok(bytes);
    }
    Err(Error::new(Kind::Unavailable, "the file changed while it was read; try again")
        .at(name::segment(base), offset)
        .into())
}

fn range_of(seen: &Seen) -> std::ops::Range<Position> {
    match seen {
        Seen::Group { at, header, .. } => *at..at.plus(u64::from(header.group_bytes)),
        Seen::Frame(frame) => frame.at..frame.end(),
        Seen::Whole { at, end } => *at..*end,
        Seen::FooterHead { at, footer } | Seen::Footer { at, footer } => *at..at.plus(footer.footer_len()),
        Seen::Bad(bad) => bad.range.clone(),
    }
}
