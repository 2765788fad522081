//! Batches that read their source by themselves: ranges of records, or numbered files. No receiver, and no copy: the
//! source has them for as long as it takes, and the journal says which batch has which.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use headwater::checkpoint::journal::{DirectRange, SourceRange, Tracker};

use crate::options::SourceKind;
use crate::place::Place;
use crate::run::PARTITIONS;
use crate::{Result, source};

/// The stream of what is read so.
const STREAM: u32 = 1;

pub(crate) struct Direct {
    place: Place,
    /// Its partitions are numbered by files, and otherwise by records.
    files: bool,
}

impl Direct {
    pub(crate) fn new(kind: SourceKind, place: &Place) -> Option<Direct> {
        let files = kind == SourceKind::Files;
        (files || kind == SourceKind::Direct).then(|| Direct { place: place.clone(), files })
    }

    /// What there is that no batch has.
    pub(crate) fn new_ranges(&self, tracker: &Tracker) -> Result<Vec<DirectRange>> {
        let next = |partition| tracker.end(STREAM, partition).end.unwrap_or(0);
        let ends: Vec<u64> = if self.files {
            let is_there = |partition, number| source::file(&self.place.files(), partition, number).exists();
            let end = |partition| {
                (next(partition)..).find(|number| !is_there(partition, *number)).unwrap_or(u64::MAX)
            };
            (0..PARTITIONS).map(end).collect()
        } else {
            let lines = self.ask("ends")?;
            lines.iter().map(|line| line.parse()).collect::<Result<_, _>>()?
        };
        let ranges =
            (0..).zip(ends).map(|(partition, to)| SourceRange { partition, from: next(partition), to });
        Ok(ranges
            .filter(|range| range.from < range.to)
            .map(|range| DirectRange { stream: STREAM, range })
            .collect())
    }

    /// The records of a range.
    pub(crate) fn read(&self, range: &SourceRange) -> Result<Vec<String>> {
        let SourceRange { partition, from, to } = *range;
        if !self.files {
            return self.ask(&format!("records {partition} {from} {to}"));
        }
        let mut records = Vec::new();
        for number in from..to {
            let text = std::fs::read_to_string(source::file(&self.place.files(), partition, number))?;
            records.extend(text.lines().map(str::to_owned));
        }
        Ok(records)
    }

    fn ask(&self, what: &str) -> Result<Vec<String>> {
        let mut stream = TcpStream::connect(self.place.find("source")?)?;
        stream.write_all(format!("{what}\n").as_bytes())?;
        Ok(BufReader::new(stream).lines().collect::<std::io::Result<_>>()?)
    }
}
