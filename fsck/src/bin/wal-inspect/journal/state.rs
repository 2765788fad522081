//! `journal --state`: what the events come to, as a page, and as lines of JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use headwater_checkpoint::journal::{Allotment, BatchId, Block, Need, ReceiverLog, Standing, State};
use headwater_fsck::journal::{Journal, Reading};
use headwater_wal::{Error, Kind, Position};

use super::row::{block_json, block_text, direct_json, direct_text, log_json, run_json};
use super::went;
use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::text::{bytes, plural, table};

/// So many blocks, ends or batches are shown to people, of each.
const SHOWN_MAX: usize = 10;

pub(super) fn run(journal: &Journal, json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let reading = journal.read_newest().map_err(|error| went(journal, error))?;
    let Some(state) = reading.state() else { return Err(unknown(journal, &reading).into()) };
    let page = Page { journal, reading: &reading, state, kept: Kept::of(journal) };
    match json {
        true => page.lines(out)?,
        false => page.show(out)?,
    }
    if reading.findings() == 0 {
        return Ok(Answer::Sound);
    }
    out.flush()?;
    let _ = writeln!(
        io::stderr(),
        "wal-inspect: something is wrong in the journal: places={}; run `wal-inspect journal {}`",
        reading.findings(),
        journal.place()
    );
    Ok(Answer::Damaged)
}

fn unknown(journal: &Journal, reading: &Reading<'_>) -> Error {
    let place = journal.place();
    if reading.findings() > 0 {
        let message = format!(
            "the state is not known, for something is wrong in the journal, and no checkpoint behind it can be read and fits: \
             places={}; what the events say:\n  wal-inspect journal {place}",
            reading.findings()
        );
        return Error::new(Kind::Damaged, message);
    }
    let begins = reading.survey().begins();
    let root = place.strip_suffix("/journal").unwrap_or("ROOT");
    let message = match journal.has_root() {
        true => format!(
            "the state is not known: the journal begins at {begins}, what was before is retired, and no checkpoint can be read \
             and fits:\n  wal-inspect checkpoints {root}"
        ),
        false => format!(
            "the state is not known from these files alone, only events are: the journal begins at {begins}, and of what was \
             before only a checkpoint tells. Name the root, if it has checkpoints:\n  wal-inspect journal {root} --state"
        ),
    };
    Error::new(Kind::NotThere, message)
}

/// What the kept checkpoints need, if that is known of each.
struct Kept(Option<(Position, Need)>);

impl Kept {
    fn of(journal: &Journal) -> Kept {
        let said: Option<Vec<_>> = journal.kept().iter().map(|kept| kept.said.as_ref().ok()).collect();
        let all = said.unwrap_or_default().into_iter().map(|said| (said.position, said.need.clone()));
        Kept(all.reduce(|(position, need), (other, more)| (position.min(other), need.and(&more))))
    }

    fn log(&self, log: ReceiverLog) -> Option<Position> {
        self.0.as_ref().map(|(_, need)| need.from(log))
    }

    fn journal(&self) -> Option<Position> {
        self.0.as_ref().map(|(position, _)| *position)
    }
}

struct Page<'a> {
    journal: &'a Journal,
    reading: &'a Reading<'a>,
    state: &'a State,
    kept: Kept,
}

impl Page<'_> {
    fn show(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let (survey, tracker) = (self.reading.survey(), self.state.tracker());
        writeln!(out, "{}", self.journal.place())?;
        let mut row = |label: &str, text: String| writeln!(out, "  {label:<9} {text}");
        let from = match self.reading.restored() {
            Some(id) => format!(
                "all but the last {} are in checkpoint {id}, and were not read",
                self.reading.events()
            ),
            None => "all were read".to_owned(),
        };
        row("events", format!("{}; {from}", self.state.events()))?;
        row("positions", format!("{} to {}", survey.begins(), survey.end()))?;
        let pending = bytes(tracker.pending_bytes());
        let unfinished = tracker.unfinished().count() as u64;
        let waiting = plural(tracker.waiting(), "block");
        row(
            "pending",
            format!("{}, and {waiting} that no batch has; {pending} of memory", plural_batches(unfinished)),
        )?;
        let newest = self.state.ledger().newest().map_or("none yet".to_owned(), |newest| newest.to_string());
        row("newest", format!("{newest}, of the batches that were allotted"))?;
        let retired = match (self.kept.journal(), tracker.journal_retires()) {
            (Some(position), _) => format!("the journal below {position}, which no kept checkpoint needs"),
            (None, _) if !self.journal.has_root() => "not known without the checkpoints of a root".to_owned(),
            (None, _) if self.journal.kept().is_empty() => "nothing: there is no checkpoint yet".to_owned(),
            (None, _) => "nothing: of a kept checkpoint is not known what it needs".to_owned(),
        };
        row("may go", retired)?;
        self.batches(out)?;
        self.logs(out)?;
        self.ends(out)?;
        self.outputs(out)
    }

    fn batches(&self, out: &mut dyn Write) -> Result<(), Failure> {
        for allotment in self.state.tracker().unfinished() {
            let batch = allotment.batch();
            let since = match allotment.since() {
                since if since < batch => format!(", which stands for {since} to {batch}"),
                _ => String::new(),
            };
            writeln!(out, "\nbatch {batch}{since}: not done, {}", plural(allotment.block_count(), "block"))?;
            let outputs = self.outputs_of(batch);
            if !outputs.is_empty() {
                writeln!(out, "  recorded: {outputs}")?;
            }
            for direct in allotment.direct().iter().take(SHOWN_MAX) {
                writeln!(out, "  {}", direct_text(direct))?;
            }
            more(allotment.direct().len(), "range", out)?;
            blocks(&mut allotment.blocks(), out)?;
            more(allotment.block_count() as usize, "block", out)?;
        }
        Ok(())
    }

    fn logs(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let tracker = self.state.tracker();
        let need = tracker.need();
        let head = [
            "RECEIVER",
            "LOG",
            "SETTLED",
            "WAITING",
            "FIRST",
            "LAST",
            "NEEDED FROM",
            "MAY GO BELOW",
            "INTENDED",
        ];
        let mut rows = vec![head.map(String::from)];
        for log in tracker.logs() {
            let run = tracker.waiting_run(log);
            let place = |position: Option<Position>| position.map_or("-".to_owned(), |at| at.to_string());
            rows.push([
                format!("{}/{}", log.stream, log.receiver),
                format!("{:016x}", log.identity),
                place(tracker.settled(log)),
                run.map_or(0, |run| run.blocks).to_string(),
                place(run.map(|run| run.first)),
                place(run.map(|run| run.last)),
                need.from(log).to_string(),
                self.kept.log(log).map_or("?".to_owned(), |from| from.to_string()),
                tracker.retires(log).to_string(),
            ]);
        }
        if rows.len() == 1 {
            writeln!(out, "\nno receiver has reported a block")?;
            return Ok(());
        }
        writeln!(out)?;
        table(&rows, &[false, false, true, true, true, true, true, true, true], out)?;
        for log in tracker.logs() {
            let Some(run) = tracker.waiting_run(log) else { continue };
            writeln!(
                out,
                "\nno batch has {} of receiver {}/{}",
                plural(run.blocks, "block"),
                log.stream,
                log.receiver
            )?;
            blocks(&mut tracker.waiting_blocks(log), out)?;
            more(run.blocks as usize, "block", out)?;
        }
        Ok(())
    }

    fn ends(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let mut rows = vec![["STREAM", "PARTITION", "END"].map(String::from)];
        let ends = self.state.tracker().ends();
        rows.extend(ends.take(4 * SHOWN_MAX).map(|end| {
            let at = end.end.map_or("-".to_owned(), |end| end.to_string());
            [end.stream.to_string(), end.partition.to_string(), at]
        }));
        if rows.len() == 1 {
            return Ok(());
        }
        writeln!(out)?;
        table(&rows, &[true, true, true], out)?;
        let all = self.state.tracker().ends().count();
        if all > 4 * SHOWN_MAX {
            writeln!(out, "  and {} more partitions, which --json lists", all - 4 * SHOWN_MAX)?;
        }
        Ok(())
    }

    /// The batches that have ended and are not forgotten.
    fn outputs(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let ended = || self.state.ledger().batches().filter(|(_, standing)| *standing != Standing::Pending);
        let count = ended().count();
        if count == 0 {
            return Ok(());
        }
        let mut rows = vec![["BATCH", "STANDING", "RECORDED"].map(String::from)];
        rows.extend(ended().skip(count.saturating_sub(SHOWN_MAX)).map(|(batch, standing)| {
            [batch.to_string(), word(standing).replace('_', " "), self.outputs_of(batch)]
        }));
        writeln!(out)?;
        table(&rows, &[true, false, false], out)?;
        if count > SHOWN_MAX {
            writeln!(out, "  and {} older batches, which --json lists", count - SHOWN_MAX)?;
        }
        Ok(())
    }

    fn outputs_of(&self, batch: BatchId) -> String {
        let outputs = self.state.ledger().outputs(batch);
        let mut texts: Vec<String> = outputs
            .take(SHOWN_MAX)
            .map(|(partition, attempt)| format!("partition {partition} attempt {attempt}"))
            .collect();
        let all = self.state.ledger().outputs(batch).count();
        if all > texts.len() {
            texts.push(format!("and {} more", all - texts.len()));
        }
        texts.join(", ")
    }

    fn lines(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let (tracker, ledger, survey) = (self.state.tracker(), self.state.ledger(), self.reading.survey());
        let mut pending: BTreeMap<BatchId, Allotment> =
            tracker.unfinished().map(|allotment| (allotment.batch(), allotment)).collect();
        for (batch, standing) in ledger.batches() {
            let line = Line::new("batch").number("batch", batch.0).text("standing", word(standing));
            match pending.remove(&batch) {
                Some(allotment) => {
                    line.number("since", allotment.since().0)
                        .number("blocks", allotment.block_count())
                        .list("runs", allotment.runs().map(run_json))
                        .list("direct", allotment.direct().iter().map(direct_json))
                        .write(out)?;
                    for block in allotment.blocks() {
                        block_json(Line::new("block").number("batch", batch.0), &block).write(out)?;
                    }
                }
                None => line.write(out)?,
            }
            for (partition, attempt) in ledger.outputs(batch) {
                Line::new("output")
                    .number("batch", batch.0)
                    .number("partition", u64::from(partition))
                    .number("attempt", attempt)
                    .write(out)?;
            }
        }
        let need = tracker.need();
        for log in tracker.logs() {
            for block in tracker.waiting_blocks(log) {
                block_json(Line::new("block").number_or_null("batch", None), &block).write(out)?;
            }
            log_json(Line::new("log"), log)
                .number_or_null("settled", tracker.settled(log).map(|settled| settled.0))
                .number("waiting", tracker.waiting_run(log).map_or(0, |run| run.blocks))
                .number("needed_from", need.from(log).0)
                .number_or_null("may_go_below", self.kept.log(log).map(|from| from.0))
                .number("retire_intended_below", tracker.retires(log).0)
                .write(out)?;
        }
        for end in tracker.ends() {
            Line::new("end")
                .number("stream", u64::from(end.stream))
                .number("partition", u64::from(end.partition))
                .number_or_null("end", end.end)
                .write(out)?;
        }
        Line::new("state")
            .text("place", self.journal.place())
            .number("events", self.state.events())
            .text_or_null("restored", self.reading.restored())
            .number("events_read", self.reading.events())
            .number("begins", survey.begins().0)
            .number("end", survey.end().0)
            .number_or_null("newest_batch", ledger.newest().map(|newest| newest.0))
            .number("unfinished", tracker.unfinished().count() as u64)
            .number("waiting", tracker.waiting())
            .number("pending_bytes", tracker.pending_bytes())
            .number("retire_intended_below", tracker.journal_retires().0)
            .number_or_null("may_go_below", self.kept.journal().map(|position| position.0))
            .number("findings", self.reading.findings())
            .write(out)?;
        Ok(())
    }
}

fn blocks(blocks: &mut dyn Iterator<Item = Block>, out: &mut dyn Write) -> Result<(), Failure> {
    for block in blocks.take(SHOWN_MAX) {
        writeln!(out, "  {:>14}  {}", block.position(), block_text(&block))?;
    }
    Ok(())
}

fn more(all: usize, what: &str, out: &mut dyn Write) -> Result<(), Failure> {
    if all > SHOWN_MAX {
        writeln!(out, "  and {} more, which --json lists", plural((all - SHOWN_MAX) as u64, what))?;
    }
    Ok(())
}

fn plural_batches(count: u64) -> String {
    match count {
        1 => "1 unfinished batch".into(),
        count => format!("{count} unfinished batches"),
    }
}

/// The word for how a batch stands, which stays.
fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::New => "new",
        Standing::Passed => "passed",
        Standing::Pending => "pending",
        Standing::Finished => "finished",
        Standing::GivenUp => "given_up",
        Standing::Forgotten => "forgotten",
    }
}
