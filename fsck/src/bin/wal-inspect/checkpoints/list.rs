//! `checkpoints list`: one a line, and what the folder takes.

use std::io::Write;
use std::sync::Arc;

use headwater_checkpoint::Object;
use headwater_fsck::checkpoints::{Head, State, Survey, survey};
use headwater_wal::store::Store;

use super::{name, position_lines, positions};
use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::text::{bytes, plural, table};

pub(super) fn run(store: &Arc<dyn Store>, json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let survey = survey(store)?;
    match json {
        true => lines(&survey, out)?,
        false => page(&survey, out)?,
    }
    Ok(Answer::Sound)
}

const HEAD: [&str; 9] =
    ["CHECKPOINT", "TIME", "STATE", "CONTENT", "SECTIONS", "BYTES", "NEW", "SHARED", "REPLAY"];
const RIGHT: [bool; 9] = [false, false, false, false, true, true, true, true, false];

fn page(survey: &Survey, out: &mut dyn Write) -> Result<(), Failure> {
    if !survey.heads().is_empty() {
        let mut rows = vec![HEAD.map(String::from)];
        rows.extend(survey.heads().iter().map(row));
        table(&rows, &RIGHT, out)?;
        writeln!(out)?;
    }
    for head in survey.heads() {
        if let Some(why) = why(survey, head) {
            writeln!(out, "{}: {why}", head.id)?;
        }
    }
    for id in survey.gone() {
        writeln!(out, "{id}: was to be kept with the newest, and is not there")?;
    }
    match survey.newest() {
        Some(_) => {}
        None if survey.heads().is_empty() => writeln!(out, "no checkpoint was published yet")?,
        None => {
            let place = survey.place();
            writeln!(out, "none of them is of use; run `wal-inspect checkpoints {place} verify`")?;
        }
    }
    let all = survey.all();
    write!(out, "in all {}, {}", plural(all.count, "object"), bytes(all.bytes))?;
    let unread = survey.heads().iter().any(|head| head.state.counts() && head.stated.is_none());
    let unfinished = match unread {
        true => "that no head which can be read names",
        false => "of a checkpoint that is being written, or never was finished",
    };
    for (objects, what) in
        [(survey.litter(), "litter, which the next sweep removes"), (survey.unfinished(), unfinished)]
    {
        if objects.count > 0 {
            write!(out, "; {}, {}, {what}", plural(objects.count, "part"), bytes(objects.bytes))?;
        }
    }
    if let Some(last) = survey.claims().last() {
        write!(out, "; {}, the last for epoch {last}", plural(survey.claims().len() as u64, "claim"))?;
    }
    if survey.foreign_count() > 0 {
        write!(out, "; {} foreign, left alone", plural(survey.foreign_count(), "name"))?;
    }
    writeln!(out)?;
    Ok(())
}

fn row(head: &Head) -> [String; 9] {
    let (id, state) = (head.id.to_string(), word(head.state).to_owned());
    match &head.stated {
        Some(stated) => [
            id,
            stated.time.to_string(),
            state,
            format!("{} version {}", name(&stated.content.kind), stated.content.version),
            stated.sections.to_string(),
            stated.bytes.to_string(),
            stated.new_bytes.to_string(),
            stated.shared_bytes.to_string(),
            positions(&stated.positions),
        ],
        None => {
            let unknown = || "?".to_owned();
            [
                id,
                unknown(),
                state,
                unknown(),
                unknown(),
                unknown(),
                head.object_bytes.to_string(),
                unknown(),
                unknown(),
            ]
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Damaged => "DAMAGED",
        State::LeftOver => "left over",
        State::Unsupported => "newer release",
        other => other.name(),
    }
}

/// Why a checkpoint is not one to restore from, and what to do.
pub(super) fn why(survey: &Survey, head: &Head) -> Option<String> {
    let place = survey.place();
    Some(match (head.state, &head.wrong) {
        (State::Newest | State::Kept, _) => return None,
        (State::Dead, _) => {
            "no part of what is kept: its writer was replaced, or it was passed over; the next sweep removes it".into()
        }
        (State::LeftOver, _) => "kept no longer; the next sweep removes it".into(),
        (State::Unsupported, Some(error)) => format!("{error}; use the release that wrote it"),
        (_, Some(error)) => format!("{error}; run `wal-inspect checkpoints {place} verify {}`", head.id),
        (_, None) => return None,
    })
}

fn lines(survey: &Survey, out: &mut dyn Write) -> Result<(), Failure> {
    for head in survey.heads() {
        line(head).text_or_null("why", why(survey, head)).write(out)?;
        if let Some(stated) = &head.stated {
            position_lines(head.id, &stated.positions, out)?;
        }
    }
    for id in survey.gone() {
        Line::new("gone").text("id", id).write(out)?;
    }
    let counting = survey.heads().iter().filter(|head| head.state.counts()).count();
    Line::new("folder")
        .text("place", survey.place())
        .text_or_null("newest", survey.newest())
        .number("checkpoints", survey.heads().len() as u64)
        .number("counting", counting as u64)
        .number("objects", survey.all().count)
        .number("bytes", survey.all().bytes)
        .number("parts", survey.parts().count)
        .number("part_bytes", survey.parts().bytes)
        .number("litter_parts", survey.litter().count)
        .number("litter_bytes", survey.litter().bytes)
        .number("unfinished_parts", survey.unfinished().count)
        .number("unfinished_bytes", survey.unfinished().bytes)
        .number("claims", survey.claims().len() as u64)
        .number_or_null("claimed_epoch", survey.claims().last().copied())
        .number("foreign", survey.foreign_count())
        .write(out)?;
    Ok(())
}

/// A checkpoint as JSON, to which more may be added.
pub(super) fn line(head: &Head) -> Line {
    let stated = head.stated.as_ref();
    Line::new("checkpoint")
        .text("id", head.id)
        .number("epoch", head.id.epoch)
        .number("number", head.id.number)
        .text("file", Object::Head(head.id).name())
        .text("state", head.state.name())
        .number("head_bytes", head.object_bytes)
        .number_or_null("time_ms", stated.map(|stated| stated.time.0))
        .text_or_null("time", stated.map(|stated| stated.time))
        .text_or_null("content", stated.map(|stated| &stated.content.kind))
        .number_or_null("version", stated.map(|stated| stated.content.version))
        .number_or_null("sections", stated.map(|stated| stated.sections))
        .number_or_null("bytes", stated.map(|stated| stated.bytes))
        .number_or_null("new_bytes", stated.map(|stated| stated.new_bytes))
        .number_or_null("shared_bytes", stated.map(|stated| stated.shared_bytes))
}
