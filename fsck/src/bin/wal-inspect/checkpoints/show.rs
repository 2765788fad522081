//! `checkpoints show`: one of them, all of it but the bytes of its sections.

use std::io::Write;

use headwater_checkpoint::{Checkpoint, Object, Section};

use super::{Folder, Which, list, name, position_lines};
use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::text::{bytes, table};

pub(super) fn run(
    folder: &Folder,
    which: &Which,
    json: bool,
    out: &mut dyn Write,
) -> Result<Answer, Failure> {
    let checkpoint = folder.get(which)?;
    match json {
        true => lines(folder, &checkpoint, out)?,
        false => page(folder, &checkpoint, out)?,
    }
    Ok(Answer::Sound)
}

fn page(folder: &Folder, checkpoint: &Checkpoint, out: &mut dyn Write) -> Result<(), Failure> {
    let (survey, id) = (&folder.survey, checkpoint.id());
    let head = survey.head(id);
    writeln!(out, "checkpoint {id} in {}", survey.place())?;
    let mut row = |label: &str, text: String| writeln!(out, "  {label:<9} {text}");
    if let Some(head) = head {
        let why = list::why(survey, head).map_or(String::new(), |why| format!("; {why}"));
        row("state", format!("{}{why}", head.state.name()))?;
    }
    row("time", checkpoint.time().to_string())?;
    let content = checkpoint.content();
    row("content", format!("{} version {}", name(&content.kind), content.version))?;
    row("log", format!("{:016x}, the short identity of the log that it belongs to", checkpoint.identity()))?;
    for (log, position) in checkpoint.positions() {
        row("replay", format!("{} from {position}", name(log)))?;
    }
    if checkpoint.positions().is_empty() {
        row("replay", "nothing: it names no log".into())?;
    }
    row("bytes", bytes(checkpoint.bytes()))?;
    row("new", format!("{} of the store are its own", bytes(checkpoint.new_bytes())))?;
    row("shared", format!("{} are shared with checkpoints before it", bytes(checkpoint.shared_bytes())))?;
    match checkpoint.follows() {
        Some(before) => row("follows", before.to_string())?,
        None => row("follows", "none: it was the first".into())?,
    }
    let there = |id: &_| match survey.head(*id) {
        Some(_) => id.to_string(),
        None => format!("{id} (not there any more)"),
    };
    let kept: Vec<String> = checkpoint.kept().iter().map(there).collect();
    if !kept.is_empty() {
        row("keeps", kept.join(", "))?;
    }
    row("object", Object::Head(id).name().to_string())?;
    writeln!(out)?;
    let mut rows = vec![["SECTION", "BYTES", "STORED", "REVISION", "LIES"].map(String::from)];
    rows.extend(checkpoint.sections().iter().map(|section| self::row(checkpoint, section)));
    table(&rows, &[false, true, true, true, false], out)?;
    Ok(())
}

fn row(checkpoint: &Checkpoint, section: &Section) -> [String; 5] {
    [
        name(section.name()),
        section.bytes().to_string(),
        section.stored_bytes().to_string(),
        section.revision().map_or("-".into(), |revision| revision.to_string()),
        match section.objects().next() {
            None => "inside the head".into(),
            Some((first, ..)) => {
                let shared = match section.written_by() {
                    Some(id) if id != checkpoint.id() => format!(", written by {id}"),
                    _ => String::new(),
                };
                match section.objects().count() {
                    1 => format!("{}{shared}", first.name()),
                    count => format!("{count} parts from {}{shared}", first.name()),
                }
            }
        },
    ]
}

fn lines(folder: &Folder, checkpoint: &Checkpoint, out: &mut dyn Write) -> Result<(), Failure> {
    let (survey, id) = (&folder.survey, checkpoint.id());
    if let Some(head) = survey.head(id) {
        list::line(head)
            .text_or_null("why", list::why(survey, head))
            .text("identity", format_args!("{:016x}", checkpoint.identity()))
            .text_or_null("follows", checkpoint.follows())
            .write(out)?;
    }
    position_lines(id, checkpoint.positions(), out)?;
    for kept in checkpoint.kept() {
        let there = survey.head(*kept).is_some();
        Line::new("keeps").text("id", id).text("kept", kept).flag("there", there).write(out)?;
    }
    for section in checkpoint.sections() {
        let inside = section.written_by().is_none();
        Line::new("section")
            .text("id", id)
            .text("name", section.name())
            .number("bytes", section.bytes())
            .number("stored_bytes", section.stored_bytes())
            .number_or_null("revision", section.revision())
            .text("lies", if inside { "inside" } else { "parts" })
            .text_or_null("written_by", section.written_by())
            .number("parts", section.objects().count() as u64)
            .text_or_null("first_part", section.objects().next().map(|(object, ..)| object.name()))
            .write(out)?;
    }
    Ok(())
}
