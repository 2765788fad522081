//! An event as a row of the table, and as a line of JSON.

use headwater_checkpoint::journal::{BatchId, Block, DirectRange, Event, ReceiverLog, Run, SourceRange};
use headwater_fsck::Finding;
use headwater_fsck::journal::Entry;

use crate::json::Line;
pub(super) use crate::report::log_json;
use crate::text::{escaped, hex, plural};

pub(super) const HEAD: &str = "      POSITION    NUMBER  EVENT             WHAT";

/// So many ranges, runs or begins of one event are shown to people.
const SHOWN_MAX: usize = 4;

/// Whether an event is about a batch.
pub(super) fn is_of_batch(event: &Event, of: BatchId) -> bool {
    match event {
        Event::Allotted { batch, since, .. } => (*since..=*batch).contains(&of),
        Event::Committed { output, .. } => output.batch == of,
        Event::Finished { batch } | Event::GivenUp { batch, .. } => *batch == of,
        Event::Forgotten { before, .. } => of < *before,
        Event::Added(_)
        | Event::PassedOver { .. }
        | Event::EndMoved { .. }
        | Event::RetireIntended { .. } => false,
    }
}

/// Whether an event is about a stream.
pub(super) fn is_of_stream(event: &Event, of: u32) -> bool {
    match event {
        Event::Added(block) => block.stream == of,
        Event::PassedOver { log, .. } => log.stream == of,
        Event::EndMoved { stream, .. } => *stream == of,
        Event::Allotted { runs, direct, .. } => {
            runs.iter().any(|run| run.log.stream == of) || direct.iter().any(|direct| direct.stream == of)
        }
        Event::RetireIntended { log, .. } => log.is_some_and(|log| log.stream == of),
        Event::Committed { .. }
        | Event::Finished { .. }
        | Event::GivenUp { .. }
        | Event::Forgotten { .. } => false,
    }
}

/// An event as people read it.
pub(super) fn text(entry: &Entry) -> String {
    let (name, what) = words(&entry.event);
    format!("{:>14}  {:>8}  {name:<16}  {what}", entry.position(), entry.number)
}

/// Something wrong, in its place among the events.
pub(super) fn finding(finding: &Finding) -> String {
    let at = finding.range.as_ref().map_or(String::new(), |range| range.start.to_string());
    let file = match (&finding.file, finding.offset) {
        (Some(file), Some(offset)) => format!(": file={file} offset={offset}"),
        _ => String::new(),
    };
    let severity = finding.severity.name().to_uppercase();
    format!("{at:>14}            {severity:<16}  {}{file}", finding.what)
}

fn words(event: &Event) -> (&'static str, String) {
    match event {
        Event::Added(block) => ("block added", block_text(block)),
        Event::PassedOver { log, position, begins, .. } => {
            let begin = |(partition, from): &(u32, u64)| format!("partition {partition} begins at {from}");
            ("passed over", format!("block of {} at {position}{}", receiver(*log), some(begins, begin)))
        }
        Event::EndMoved { stream, lost } => {
            let SourceRange { partition, from, to } = lost;
            ("end moved", format!("stream {stream} partition {partition}: {from} to {to} is lost on purpose"))
        }
        Event::Allotted { batch, since, runs, direct } => {
            let stands =
                if since < batch { format!(", which stands for {since} to {batch}") } else { String::new() };
            let mut text = format!("batch {batch}{stands}: ");
            match (runs.is_empty(), direct.is_empty()) {
                (true, true) => text += "nothing",
                (false, _) => text += some(runs, run_text).trim_start_matches("; "),
                (true, false) => {}
            }
            let direct = some(direct, direct_text);
            text += if runs.is_empty() { direct.trim_start_matches("; ") } else { &direct };
            ("batch allotted", text)
        }
        Event::Committed { output, attempt } => {
            let text = format!("batch {} partition {}: attempt {attempt}", output.batch, output.partition);
            ("output committed", text)
        }
        Event::Finished { batch } => ("batch finished", format!("batch {batch}")),
        Event::GivenUp { batch, reason } => {
            ("batch given up", format!("batch {batch}: {}", escaped(reason, 0)))
        }
        Event::Forgotten { before, floor } => {
            ("forgotten", format!("batches below {before} that ended before event {floor}"))
        }
        Event::RetireIntended { log, below } => {
            let log = log.map_or("the journal".to_owned(), |log| format!("the log of {}", receiver(log)));
            ("retire intended", format!("{log} below {below}"))
        }
    }
}

/// A receiver, as `explain` is asked for it.
pub(super) fn receiver(log: ReceiverLog) -> String {
    format!("receiver {}/{}", log.stream, log.receiver)
}

pub(super) fn block_text(block: &Block) -> String {
    let range =
        |range: &SourceRange| format!("partition {}: {} to {}", range.partition, range.from, range.to);
    let mut text = format!("{}: {}", receiver(block.log()), plural(block.records, "record"));
    text += &some(&block.ranges, range);
    text += &format!("; id {}", block.id);
    if !block.own.is_empty() {
        text += &format!("; {} of the runtime's own", plural(block.own.len() as u64, "byte"));
    }
    text + &format!("; {}", block.handle)
}

pub(super) fn run_text(run: &Run) -> String {
    let Run { log, first, last, blocks } = run;
    let blocks = plural(*blocks, "block");
    match first == last {
        true => format!("{blocks} of {} at {first}", receiver(*log)),
        false => format!("{blocks} of {} at {first} to {last}", receiver(*log)),
    }
}

pub(super) fn direct_text(direct: &DirectRange) -> String {
    let SourceRange { partition, from, to } = direct.range;
    format!("stream {} partition {partition} directly: {from} to {to}", direct.stream)
}

/// The first few, each with `; ` before it.
fn some<T>(all: &[T], text: impl Fn(&T) -> String) -> String {
    let mut shown: String = all.iter().take(SHOWN_MAX).map(|one| format!("; {}", text(one))).collect();
    if all.len() > SHOWN_MAX {
        shown += &format!("; and {} more", all.len() - SHOWN_MAX);
    }
    shown
}

/// An event as a line of JSON.
pub(super) fn json(entry: &Entry) -> Line {
    let line = Line::new("event")
        .number("position", entry.position().0)
        .number("number", entry.number)
        .number("time_ms", entry.time.0);
    match &entry.event {
        Event::Added(block) => block_json(line.text("event", "added"), block),
        Event::PassedOver { log, position, previous, begins } => {
            let begin = |(partition, from): &(u32, u64)| {
                Line::part().number("partition", u64::from(*partition)).number("from", *from)
            };
            log_json(line.text("event", "passed_over"), *log)
                .number("at", position.0)
                .number_or_null("previous", previous.map(|previous| previous.0))
                .list("begins", begins.iter().map(begin))
        }
        Event::EndMoved { stream, lost } => line
            .text("event", "end_moved")
            .number("stream", u64::from(*stream))
            .number("partition", u64::from(lost.partition))
            .number("lost_from", lost.from)
            .number("lost_to", lost.to),
        Event::Allotted { batch, since, runs, direct } => line
            .text("event", "allotted")
            .number("batch", batch.0)
            .number("since", since.0)
            .list("runs", runs.iter().map(run_json))
            .list("direct", direct.iter().map(direct_json)),
        Event::Committed { output, attempt } => line
            .text("event", "committed")
            .number("batch", output.batch.0)
            .number("partition", u64::from(output.partition))
            .number("attempt", *attempt),
        Event::Finished { batch } => line.text("event", "finished").number("batch", batch.0),
        Event::GivenUp { batch, reason } => {
            line.text("event", "given_up").number("batch", batch.0).text("reason", escaped(reason, 0))
        }
        Event::Forgotten { before, floor } => {
            line.text("event", "forgotten").number("before", before.0).number("floor", *floor)
        }
        Event::RetireIntended { log, below } => {
            let line = line.text("event", "retire_intended");
            let line = match log {
                Some(log) => log_json(line.text("of", "received"), *log),
                None => line.text("of", "journal"),
            };
            line.number("below", below.0)
        }
    }
}

pub(super) fn block_json(line: Line, block: &Block) -> Line {
    let range = |range: &SourceRange| {
        Line::part()
            .number("partition", u64::from(range.partition))
            .number("from", range.from)
            .number("to", range.to)
    };
    log_json(line, block.log())
        .number("at", block.position().0)
        .number_or_null("previous", block.previous.map(|previous| previous.0))
        .text("handle", block.handle)
        .number("id", block.id)
        .number("records", block.records)
        .list("ranges", block.ranges.iter().map(range))
        .text("own_hex", hex(&block.own, 0))
}

pub(super) fn run_json(run: &Run) -> Line {
    log_json(Line::part(), run.log)
        .number("first", run.first.0)
        .number("last", run.last.0)
        .number("blocks", run.blocks)
}

pub(super) fn direct_json(direct: &DirectRange) -> Line {
    Line::part()
        .number("stream", u64::from(direct.stream))
        .number("partition", u64::from(direct.range.partition))
        .number("from", direct.range.from)
        .number("to", direct.range.to)
}
