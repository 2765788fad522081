//! Positions on a stretch of the picture. Where no record can lie, between two epochs, the axis is broken: such a gap is
//! as long as its writer's limits, and would push everything else together.

use headwater_wal::{Position, Segment, Survey};

use super::scale::{Scale, bytes_of_step, step_for};

/// A gap is taken out if it is longer than this part of what is held.
const BREAK_PART: u64 = 40;

/// How much of the picture a gap takes, and how much all gaps take at most.
const BREAK_LENGTH: f64 = 12.0;
const BREAKS_PART: f64 = 0.2;

/// Positions that are told apart by less are named as every other tool names them.
const EXACT_BELOW: u64 = 1 << 20;

#[derive(Clone, Debug)]
pub(super) struct Axis {
    stretches: Vec<Scale>,
}

/// A position that is labelled.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

impl Axis {
    /// Of all that lies in the log's folder, from `low` to `high` in the picture.
    pub(super) fn of(survey: &Survey, low: f64, high: f64) -> Axis {
        let segments = survey.chain().segments().iter().map(|segment| (segment.base, held_to(segment)));
        let asides = survey.aside().iter().map(|aside| (aside.base, aside.base.plus(aside.file_len)));
        let damages = survey.damages().iter().map(|damage| (damage.range.start, damage.range.end));
        let others = survey.torn().map(|torn| &torn.range).into_iter().chain(survey.lost());
        let others = others.map(|range| (range.start, range.end));
        let mut held: Vec<(Position, Position)> =
            segments.chain(asides).chain(damages).chain(others).collect();
        held.sort_unstable();
        Axis::over(held.into_iter().map(|(from, to)| (from.0, to.min(Position::LIMIT).0)), low, high)
    }

    /// Over ranges that are in the order of their beginnings.
    fn over(held: impl Iterator<Item = (u64, u64)>, low: f64, high: f64) -> Axis {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (from, to) in held {
            match ranges.last_mut().filter(|last| from <= last.1) {
                Some(last) => last.1 = last.1.max(to),
                None => ranges.push((from, to.max(from))),
            }
        }
        let total: u64 = ranges.iter().fold(0, |sum, (from, to)| sum.saturating_add(to - from));
        let longest = total / BREAK_PART;
        let mut stretches: Vec<(u64, u64)> = Vec::new();
        for (from, to) in ranges {
            match stretches.last_mut().filter(|last| from - last.1 <= longest) {
                Some(last) => last.1 = to,
                None => stretches.push((from, to)),
            }
        }
        if stretches.is_empty() {
            stretches.push((0, 0));
        }
        Axis { stretches: placed(&stretches, low, high) }
    }

    pub(super) fn at(&self, position: u64) -> f64 {
        let index = self.stretches.partition_point(|stretch| stretch.to < position);
        match self.stretches.get(index).or(self.stretches.last()) {
            Some(stretch) => stretch.at(position),
            None => 0.0,
        }
    }

    /// Where the axis is broken: the two ends of each gap.
    pub(super) fn breaks(&self) -> impl Iterator<Item = (f64, f64)> {
        self.stretches.windows(2).map(|two| (two[0].high, two[1].low))
    }

    /// Round positions, and where a stretch begins, at least `apart` from one another.
    pub(super) fn ticks(&self, most: u64, apart: f64) -> Vec<Tick> {
        let held = self.stretches.iter().fold(0_u64, |sum, one| sum.saturating_add(one.to - one.from));
        let step = step_for(held, most);
        // Round numbers of a unit cannot be compared with where a stretch begins.
        let exact = self.stretches.len() > 1 || step < EXACT_BELOW;
        let named = |at: u64| if exact { at.to_string() } else { bytes_of_step(at, step) };
        let mut ticks: Vec<Tick> = Vec::new();
        for stretch in &self.stretches {
            let first =
                (!stretch.from.is_multiple_of(step)).then(|| (stretch.from, stretch.from.to_string()));
            let round = stretch.multiples(step).map(|at| (at, named(at)));
            for (value, label) in first.into_iter().chain(round) {
                let at = stretch.at(value);
                if ticks.last().is_none_or(|last| (at - last.at).abs() >= apart) {
                    ticks.push(Tick { at, label });
                }
            }
        }
        ticks
    }
}

/// The footer belongs to its segment; the room behind the end of an active one does not.
fn held_to(segment: &Segment) -> Position {
    if segment.sealed { segment.base.plus(segment.file_len).max(segment.end) } else { segment.end }
}

fn placed(stretches: &[(u64, u64)], low: f64, high: f64) -> Vec<Scale> {
    let gaps = stretches.len() - 1;
    let length = (high - low).abs();
    let gap = if gaps == 0 { 0.0 } else { BREAK_LENGTH.min(length * BREAKS_PART / gaps as f64) };
    let total = stretches.iter().fold(0.0, |sum, (from, to)| sum + (to - from).max(1) as f64);
    let each = (length - gap * gaps as f64) / total;
    let sign = if high < low { -1.0 } else { 1.0 };
    let mut at = low;
    stretches
        .iter()
        .map(|&(from, to)| {
            let end = at + sign * each * (to - from).max(1) as f64;
            let scale = Scale::new(from, to, 1, at, end);
            at = end + sign * gap;
            scale
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_where_nothing_lies_is_taken_out_and_all_else_keeps_its_share() {
        let far = 16 << 20;
        let axis = Axis::over([(0, 1000), (1000, 3000), (far, far + 1000)].into_iter(), 0.0, 412.0);
        assert_eq!((axis.at(0), axis.at(1500), axis.at(3000)), (0.0, 150.0, 300.0));
        assert_eq!((axis.at(far), axis.at(far + 1000)), (312.0, 412.0));
        assert_eq!(axis.at(5000), 312.0, "what lies in a gap is where it ends");
        assert_eq!(axis.breaks().collect::<Vec<_>>(), [(300.0, 312.0)]);
        let labels: Vec<String> = axis.ticks(8, 20.0).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["0", "512", "1024", "1536", "2048", "2560", "16777216", "16777728"]);
    }

    #[test]
    fn no_ranges_and_hostile_ones_are_an_axis_too() {
        for held in [vec![], vec![(0, 0)], vec![(u64::MAX - 1, u64::MAX)], vec![(0, u64::MAX), (5, 6)]] {
            let axis = Axis::over(held.into_iter(), 500.0, 100.0);
            for at in [0, 1, u64::MAX / 2, u64::MAX] {
                assert!((100.0..=500.0).contains(&axis.at(at)), "{axis:?}");
            }
            assert!(axis.ticks(9, 16.0).len() < 40);
        }
        let many = (0..100_000_u64).map(|at| (at << 30, (at << 30) + 512));
        let axis = Axis::over(many, 0.0, 800.0);
        assert!((axis.at(u64::MAX) - 800.0).abs() < 0.5 && axis.ticks(9, 16.0).len() < 51);
    }
}
