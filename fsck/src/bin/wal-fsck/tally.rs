//! What it all came to.

use std::io::{self, Write};

use headwater_fsck::{Finding, Report, Severity, checkpoints, journal};

use crate::exit::Exit;
use crate::json::Line;
use crate::text::plural;

/// What was checked, found, mended, left and lost.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    logs: u64,
    journals: u64,
    checkpoints: u64,
    records: u64,
    /// Damages, and those of them that lie in logs.
    found: u64,
    in_logs: u64,
    fixed: u64,
    /// Of a newer release: whether it is good cannot be told.
    unsupported: u64,
    /// Parts that could not be checked, or not be mended.
    failed: u64,
    torn: u64,
    set_aside: u64,
    foreign: u64,
    lost_records: u64,
    lost_bytes: u64,
    /// Blocks that no batch is done with.
    lost_blocks: u64,
    /// As ones to restore from.
    lost_checkpoints: u64,
    /// Whether the parts of a root were not held against one another.
    is_each_by_itself: bool,
    steps_done: u64,
    steps_left: u64,
}

impl Tally {
    pub(crate) fn log(&mut self, report: &Report) {
        self.logs += 1;
        self.records += report.records();
        self.found += report.count(Severity::Damaged);
        self.in_logs += report.count(Severity::Damaged);
        self.torn += report.count(Severity::Torn);
        self.set_aside += report.count(Severity::SetAside);
        self.foreign += report.count(Severity::Foreign);
        self.lost_records = self.lost_records.saturating_add(report.lost_records());
        self.lost_bytes = self.lost_bytes.saturating_add(report.lost_bytes());
    }

    pub(crate) fn each_by_itself(&mut self) {
        self.is_each_by_itself = true;
    }

    /// What checkpoints need of a log and it does not have.
    pub(crate) fn between(&mut self, findings: &[Finding]) {
        let bad = findings.iter().filter(|finding| finding.severity == Severity::Damaged).count() as u64;
        self.found += bad;
        self.lost_checkpoints += bad;
    }

    pub(crate) fn checkpoints(&mut self, report: &checkpoints::Report) {
        self.checkpoints += report.checked().len() as u64;
        self.lost_checkpoints += report.checked().iter().filter(|checked| checked.spoiled > 0).count() as u64;
        self.found += report.count(Severity::Damaged);
        self.unsupported += report.count(Severity::Unsupported);
        self.set_aside += report.count(Severity::SetAside);
        self.foreign += report.count(Severity::Foreign);
    }

    pub(crate) fn journal(&mut self, report: &journal::Report) {
        self.journals += 1;
        self.lost_blocks += report.logs().iter().map(|log| log.bad).sum::<u64>();
        self.found += report.count(Severity::Damaged);
        self.unsupported += report.count(Severity::Unsupported);
    }

    pub(crate) fn failed(&mut self, exit: Exit) {
        match exit {
            Exit::LEFT => self.found += 1,
            _ => self.failed += 1,
        }
    }

    /// A log that was mended in so many steps, and had so many damages before and after.
    pub(crate) fn mended(&mut self, before: u64, after: u64, done: usize) {
        self.fixed += before.saturating_sub(after);
        self.found += after.saturating_sub(before);
        self.steps_done += done as u64;
    }

    pub(crate) fn left(&mut self, steps: usize) {
        self.steps_left += steps as u64;
    }

    pub(crate) fn exit(&self) -> Exit {
        let mut exit = Exit::CLEAN;
        for (is, bit) in [
            (self.steps_done > 0, Exit::MENDED),
            (self.still_wrong() > 0 || self.steps_left > 0, Exit::LEFT),
            (self.failed > 0 || self.unsupported > 0, Exit::FAILED),
        ] {
            if is {
                exit = exit | bit;
            }
        }
        exit
    }

    pub(crate) fn still_wrong(&self) -> u64 {
        self.found.saturating_sub(self.fixed)
    }

    pub(crate) fn found_in_logs(&self) -> u64 {
        self.in_logs
    }

    pub(crate) fn json(&self, next: Option<&str>) -> Line {
        Line::new("summary")
            .number("checked_logs", self.logs)
            .number("checked_journals", self.journals)
            .number("checked_checkpoints", self.checkpoints)
            .number("checked_records", self.records)
            .number("found", self.found)
            .number("fixed", self.fixed)
            .number("left", self.still_wrong())
            .number("lost_records", self.lost_records)
            .number("lost_bytes", self.lost_bytes)
            .number("lost_blocks", self.lost_blocks)
            .number("lost_checkpoints", self.lost_checkpoints)
            .number("torn", self.torn)
            .number("set_aside", self.set_aside)
            .number("foreign", self.foreign)
            .number("unsupported", self.unsupported)
            .number("failed", self.failed)
            .number("steps_done", self.steps_done)
            .number("steps_left", self.steps_left)
            .number("exit", u64::from(self.exit().code()))
            .text_or_null("next", next)
    }

    pub(crate) fn page(&self, next: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\nchecked  {}", self.checked())?;
        writeln!(out, "found    {}", self.found())?;
        writeln!(out, "fixed    {}{}", self.fixed, steps(self.steps_done, "done"))?;
        writeln!(out, "left     {}{}", self.still_wrong(), steps(self.steps_left, "not done"))?;
        writeln!(out, "lost     {}", self.lost())?;
        match next {
            Some(next) => writeln!(out, "next     {next}"),
            None => Ok(()),
        }
    }

    fn checked(&self) -> String {
        let mut parts = Vec::new();
        if self.logs > 0 {
            parts.push(format!("{} with {}", plural(self.logs, "log"), plural(self.records, "record")));
        }
        for (count, what) in [(self.checkpoints, "checkpoint"), (self.journals, "journal")] {
            if count > 0 {
                parts.push(plural(count, what));
            }
        }
        let alone = if self.is_each_by_itself { "; not against one another" } else { "" };
        if parts.is_empty() { "nothing".into() } else { parts.join(", ") + alone }
    }

    fn found(&self) -> String {
        let mut parts = vec![plural(self.found, "damage")];
        for (count, what) in [
            (self.torn, "torn"),
            (self.set_aside, "set aside"),
            (self.foreign, "foreign"),
            (self.unsupported, "of a newer release"),
            (self.failed, "that could not be checked or mended"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        parts.join(", ")
    }

    fn lost(&self) -> String {
        let mut parts = Vec::new();
        match (self.lost_records, self.lost_bytes) {
            (0, 0) => {}
            (0, bytes) => parts.push(format!("at most {bytes} bytes of records")),
            (records, 0) => parts.push(format!("at least {}", plural(records, "record"))),
            (records, bytes) => {
                parts.push(format!("at least {}, at most {bytes} bytes", plural(records, "record")));
            }
        }
        for (count, what) in [(self.lost_blocks, "pending block"), (self.lost_checkpoints, "checkpoint")] {
            if count > 0 {
                parts.push(plural(count, what));
            }
        }
        if parts.is_empty() { "nothing".into() } else { parts.join("; ") }
    }
}

fn steps(count: u64, what: &str) -> String {
    if count == 0 { String::new() } else { format!(", {} {what}", plural(count, "step")) }
}
