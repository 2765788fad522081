//! Lines put together: those of one point and system in all rounds are a row, those of one point a table.

use super::line::{Line, Load};
use super::system::SYSTEMS;
use crate::measure::statistics::{Spread, spread};

/// What is comparable: blocks of one length, so many receivers, one load.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) block_bytes: u64,
    pub(super) receivers: u64,
    pub(super) load: Load,
    pub(super) rows: Vec<Row<'a>>,
}

/// One system, in all rounds.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) system: &'a str,
    pub(super) lines: Vec<&'a Line>,
}

impl Row<'_> {
    /// Of what a line says, over the rounds; what no line knows is none.
    pub(super) fn spread(&self, of: impl Fn(&Line) -> Option<f64>) -> Option<Spread> {
        spread(self.lines.iter().filter_map(|line| of(line)))
    }

    pub(super) fn median(&self, of: impl Fn(&Line) -> Option<f64>) -> Option<f64> {
        self.spread(of).map(|spread| spread.median)
    }
}

impl<'a> Table<'a> {
    pub(super) fn row(&self, system: &str) -> Option<&Row<'a>> {
        self.rows.iter().find(|row| row.system == system)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.load, Load::Closed { .. })
    }

    /// How many times as much one system made as another: taken in every round that both have.
    pub(super) fn ratio(&self, one: &str, other: &str) -> Option<Spread> {
        let (one, other) = (self.row(one)?, self.row(other)?);
        let of_round = |line: &&Line| {
            let same = other.lines.iter().find(|other| other.round == line.round)?;
            Some(line.bytes_per_second / same.bytes_per_second)
        };
        spread(one.lines.iter().filter_map(of_round))
    }
}

/// All tables: closed loops first, then by length, receivers and load. Systems are in their own order, others' behind.
pub(super) fn tables(lines: &[Line]) -> Vec<Table<'_>> {
    let mut tables: Vec<Table> = Vec::new();
    for line in lines {
        let is_its = |table: &Table| {
            (table.block_bytes, table.receivers) == (line.block_bytes, line.receivers)
                && table.load == line.load
        };
        let at = tables.iter().position(is_its).unwrap_or_else(|| {
            let &Line { block_bytes, receivers, load, .. } = line;
            tables.push(Table { block_bytes, receivers, load, rows: Vec::new() });
            tables.len() - 1
        });
        let rows = &mut tables[at].rows;
        match rows.iter_mut().find(|row| row.system == line.system) {
            Some(row) => row.lines.push(line),
            None => rows.push(Row { system: &line.system, lines: vec![line] }),
        }
    }
    for table in &mut tables {
        table.rows.sort_by_key(|row| order(row.system));
    }
    tables.sort_by(|one, other| {
        let key = |table: &Table| (!table.is_closed(), table.block_bytes, table.receivers);
        key(one).cmp(&key(other)).then_with(|| size(one.load).total_cmp(&size(other.load)))
    });
    tables
}

/// The first line of each system that there is, in order.
pub(super) fn systems(lines: &[Line]) -> Vec<&Line> {
    let mut systems: Vec<&Line> = Vec::new();
    for line in lines {
        if systems.iter().all(|known| known.system != line.system) {
            systems.push(line);
        }
    }
    systems.sort_by_key(|line| order(&line.system));
    systems
}

/// Where a system stands; others' are behind ours.
pub(super) fn order(system: &str) -> usize {
    SYSTEMS.iter().position(|known| known.name == system).unwrap_or(SYSTEMS.len())
}

/// The medians of the blocks of a second that closed loops made, one for each number of blocks on their way.
pub(super) fn closed_rates<'a>(lines: impl Iterator<Item = &'a Line>) -> Vec<f64> {
    let mut rates: Vec<(u64, Vec<f64>)> = Vec::new();
    for line in lines {
        let Load::Closed { outstanding } = line.load else { continue };
        match rates.iter_mut().find(|(known, _)| *known == outstanding) {
            Some((_, rates)) => rates.push(line.blocks_per_second),
            None => rates.push((outstanding, vec![line.blocks_per_second])),
        }
    }
    rates.into_iter().filter_map(|(_, rates)| spread(rates)).map(|spread| spread.median).collect()
}

fn size(load: Load) -> f64 {
    match load {
        Load::Closed { outstanding } => outstanding as f64,
        Load::Open { blocks_per_second } => blocks_per_second,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::line::{Latency, Version};
    use super::super::system::named;
    use super::*;

    /// A line of a system with figures that can be told apart.
    pub(in super::super) fn line(system: &str, receivers: u64, load: Load, round: u64, rate: f64) -> Line {
        let known = named(system).unwrap_or(&SYSTEMS[0]);
        Line {
            version: Version,
            system: system.into(),
            is: known.is.into(),
            survives: known.survives,
            receivers,
            block_bytes: 65536,
            load,
            round,
            seconds: 1.0,
            blocks: rate as u64,
            blocks_per_second: rate,
            bytes_per_second: rate * 65536.0,
            latency_us: Latency { p50: 100.0, p99: 1000.0, p99_9: 3000.0 },
            cpu_seconds: 0.5,
            network_bytes: Some(1 << 20),
            disk_bytes: None,
            memory_bytes_max: Some(64 << 20),
            lost: known.lost(&Default::default()),
        }
    }

    #[test]
    fn lines_of_a_point_are_one_table_and_ratios_are_taken_in_each_round() {
        let (closed, open) = (Load::Closed { outstanding: 8 }, Load::Open { blocks_per_second: 5.0 });
        let lines = [
            line("redis", 1, closed, 0, 7.0),
            line("log-power", 1, open, 0, 5.0),
            line("log-power", 1, closed, 0, 20.0),
            line("copies-2", 1, closed, 0, 10.0),
            line("copies-2", 1, closed, 1, 30.0),
            line("log-power", 1, closed, 1, 30.0),
            line("log-power", 1, closed, 2, 1.0),
        ];
        let tables = tables(&lines);
        assert_eq!(tables.len(), 2);
        assert!(tables[0].is_closed());
        let names: Vec<_> = tables[0].rows.iter().map(|row| row.system).collect();
        assert_eq!(names, ["copies-2", "log-power", "redis"]);
        let ratio = tables[0].ratio("log-power", "copies-2").unwrap();
        assert_eq!((ratio.median, ratio.least, ratio.greatest), (1.5, 1.0, 2.0));
        assert_eq!(tables[0].ratio("log-power", "nobody"), None);
        assert_eq!(closed_rates(lines.iter().filter(|line| line.system == "log-power")), [20.0]);
        assert_eq!(systems(&lines).len(), 3);
    }
}
