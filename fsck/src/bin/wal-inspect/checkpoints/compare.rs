//! `checkpoints compare`: what differs between two, as far as their heads tell; no byte of a section is read.

use std::collections::HashMap;
use std::io::Write;

use headwater_checkpoint::{Checkpoint, Section};
use headwater_wal::Position;

use super::{Folder, Which, name};
use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::text::{bytes, plural, table};

pub(super) fn run(
    folder: &Folder,
    [one, other]: [&Which; 2],
    json: bool,
    out: &mut dyn Write,
) -> Result<Answer, Failure> {
    let (one, other) = (folder.get(one)?, folder.get(other)?);
    let compared = Compared::of(&one, &other);
    match json {
        true => compared.lines(out)?,
        false => compared.page(out)?,
    }
    Ok(Answer::Sound)
}

/// What became of a section.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Only(Side),
    /// Lengths or checksums differ, or it lies otherwise, so that they say nothing.
    Changed,
    /// The very same parts.
    Shared,
    /// Checksums and lengths agree.
    Same,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    One,
    Other,
}

impl Change {
    /// Its name in JSON, which stays.
    fn name(self) -> &'static str {
        match self {
            Change::Only(Side::One) => "only-in-first",
            Change::Only(Side::Other) => "only-in-second",
            Change::Changed => "changed",
            Change::Shared => "shared",
            Change::Same => "same",
        }
    }
}

struct Row<'a> {
    name: &'a str,
    change: Change,
    one: Option<&'a Section>,
    other: Option<&'a Section>,
}

struct Compared<'a> {
    one: &'a Checkpoint,
    other: &'a Checkpoint,
    /// Those of the second, in its order; then those that it lacks.
    rows: Vec<Row<'a>>,
    /// Every log that either has a position in.
    positions: Vec<(&'a str, Option<Position>, Option<Position>)>,
}

impl<'a> Compared<'a> {
    fn of(one: &'a Checkpoint, other: &'a Checkpoint) -> Compared<'a> {
        let by_name = |checkpoint: &'a Checkpoint| -> HashMap<&'a str, &'a Section> {
            checkpoint.sections().iter().map(|section| (section.name(), section)).collect()
        };
        let (ones, others) = (by_name(one), by_name(other));
        let mut rows: Vec<Row<'a>> = other
            .sections()
            .iter()
            .map(|section| {
                let before = ones.get(section.name()).copied();
                let change = before.map_or(Change::Only(Side::Other), |before| changed(before, section));
                Row { name: section.name(), change, one: before, other: Some(section) }
            })
            .collect();
        let lacked = one.sections().iter().filter(|section| !others.contains_key(section.name()));
        rows.extend(lacked.map(|section| Row {
            name: section.name(),
            change: Change::Only(Side::One),
            one: Some(section),
            other: None,
        }));
        let logs = one.positions().iter().chain(other.positions());
        let mut logs: Vec<&str> = logs.map(|(log, _)| &**log).collect();
        logs.sort_unstable();
        logs.dedup();
        let positions = logs.iter().map(|log| (*log, one.position(log), other.position(log))).collect();
        Compared { one, other, rows, positions }
    }

    fn count(&self, changes: &[Change]) -> (u64, u64, u64) {
        let mut sums = (0, 0, 0);
        for row in self.rows.iter().filter(|row| changes.contains(&row.change)) {
            sums.0 += 1;
            sums.1 += row.one.map_or(0, Section::bytes);
            sums.2 += row.other.map_or(0, Section::bytes);
        }
        sums
    }

    fn page(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let (one, other) = (self.one.id(), self.other.id());
        let of = |checkpoint: &Checkpoint| {
            let content = checkpoint.content();
            let content = format!("{} version {}", name(&content.kind), content.version);
            format!("{}, {content}, {}", checkpoint.time(), bytes(checkpoint.bytes()))
        };
        writeln!(out, "from {one}: {}", of(self.one))?;
        writeln!(out, "  to {other}: {}", of(self.other))?;
        writeln!(out)?;
        let differing: Vec<&Row<'_>> = self.rows.iter().filter(|row| row.differs()).collect();
        if !differing.is_empty() {
            let mut rows = vec![["SECTION".into(), "WHAT".into(), one.to_string(), other.to_string()]];
            rows.extend(differing.iter().map(|row| {
                let bytes = |section: Option<&Section>| {
                    section.map_or("-".to_owned(), |section| section.bytes().to_string())
                };
                let what = match row.change {
                    Change::Only(Side::One) => format!("only in {one}"),
                    Change::Only(Side::Other) => format!("only in {other}"),
                    change => change.name().to_owned(),
                };
                [name(row.name), what, bytes(row.one), bytes(row.other)]
            }));
            table(&rows, &[false, false, true, true], out)?;
            writeln!(out)?;
        }
        let (shared, _, shared_bytes) = self.count(&[Change::Shared]);
        let (same, _, same_bytes) = self.count(&[Change::Same]);
        let (changed, before, after) = self.count(&[Change::Changed]);
        let (gone, gone_bytes, _) = self.count(&[Change::Only(Side::One)]);
        let (new, _, new_bytes) = self.count(&[Change::Only(Side::Other)]);
        for (count, text) in [
            (shared, format!("in the same parts, {}", bytes(shared_bytes))),
            (same, format!("the same by checksum, {}", bytes(same_bytes))),
            (changed, format!("changed, from {} to {}", bytes(before), bytes(after))),
            (gone, format!("only in {one}, {}", bytes(gone_bytes))),
            (new, format!("only in {other}, {}", bytes(new_bytes))),
        ] {
            if count > 0 {
                writeln!(out, "{} {text}", plural(count, "section"))?;
            }
        }
        for (log, before, after) in &self.positions {
            let moved = match (before, after) {
                (Some(a), Some(b)) if a == b => format!("replay from {a} in both"),
                (Some(a), Some(b)) if a < b => format!("replay from {a}, then {b}: {} later", b.since(*a)),
                (Some(a), Some(b)) => format!("replay from {a}, then {b}: {} EARLIER", a.since(*b)),
                (Some(a), None) => format!("replay from {a} in {one}, none in {other}"),
                (None, Some(b)) => format!("none in {one}, replay from {b} in {other}"),
                (None, None) => continue,
            };
            writeln!(out, "log {}: {moved}", name(log))?;
        }
        Ok(())
    }

    fn lines(&self, out: &mut dyn Write) -> Result<(), Failure> {
        for row in &self.rows {
            Line::new("section")
                .text("name", row.name)
                .text("change", row.change.name())
                .number_or_null("first_bytes", row.one.map(Section::bytes))
                .number_or_null("second_bytes", row.other.map(Section::bytes))
                .write(out)?;
        }
        for (log, before, after) in &self.positions {
            Line::new("position")
                .text("log", log)
                .number_or_null("first", before.map(|position| position.0))
                .number_or_null("second", after.map(|position| position.0))
                .write(out)?;
        }
        let (shared, _, shared_bytes) = self.count(&[Change::Shared]);
        let (same, _, same_bytes) = self.count(&[Change::Same]);
        let (differing, before, after) =
            self.count(&[Change::Changed, Change::Only(Side::One), Change::Only(Side::Other)]);
        Line::new("compared")
            .text("first", self.one.id())
            .text("second", self.other.id())
            .number("shared", shared)
            .number("shared_bytes", shared_bytes)
            .number("same", same)
            .number("same_bytes", same_bytes)
            .number("differing", differing)
            .number("differing_first_bytes", before)
            .number("differing_second_bytes", after)
            .write(out)?;
        Ok(())
    }
}

impl Row<'_> {
    fn differs(&self) -> bool {
        matches!(self.change, Change::Changed | Change::Only(_))
    }
}

fn changed(one: &Section, other: &Section) -> Change {
    let part = |section: &Section| section.objects().next().map(|(object, ..)| object);
    match (one.is_same(other), part(one)) {
        (false, _) => Change::Changed,
        (true, Some(first)) if Some(first) == part(other) => Change::Shared,
        (true, _) => Change::Same,
    }
}
