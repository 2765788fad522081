//! From positions and times to places in the picture, and the ticks that say which.

use headwater_wal::Time;

/// A stretch of values on a stretch of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Scale {
    /// At least `least` values wide.
    pub(super) fn new(from: u64, to: u64, least: u64, low: f64, high: f64) -> Scale {
        Scale { from, to: to.max(from.saturating_add(least)), low, high }
    }

    pub(super) fn at(&self, value: u64) -> f64 {
        let part = value.clamp(self.from, self.to) - self.from;
        self.low + (self.high - self.low) * (part as f64 / (self.to - self.from).max(1) as f64)
    }

    /// The multiples of a step.
    pub(super) fn multiples(&self, step: u64) -> impl Iterator<Item = u64> + use<> {
        let (from, to) = (self.from, self.to);
        let first = from.div_ceil(step).checked_mul(step);
        std::iter::successors(first, move |at| at.checked_add(step)).take_while(move |at| *at <= to)
    }

    /// Round times, and what each is called.
    pub(super) fn times(&self, most: u64) -> Vec<(u64, String)> {
        let span = self.to - self.from;
        let step = STEPS_MS.into_iter().find(|step| span / step < most);
        let step = step.unwrap_or_else(|| (span / most).max(1).next_multiple_of(365 * DAY_MS));
        self.multiples(step).map(|at| (at, clock(at, step))).collect()
    }
}

const DAY_MS: u64 = 86_400_000;

const STEPS_MS: [u64; 30] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    28_800_000,
    43_200_000,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    30 * DAY_MS,
    90 * DAY_MS,
    365 * DAY_MS,
];

/// As much of a time as tells it from the next tick.
fn clock(ms: u64, step: u64) -> String {
    let text = Time(ms).to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    match step {
        DAY_MS.. => day.to_owned(),
        60_000.. => time.get(..5).unwrap_or(time).to_owned(),
        1_000.. => time.get(..8).unwrap_or(time).to_owned(),
        _ => time.trim_end_matches('Z').to_owned(),
    }
}

/// A round number of bytes of which fewer than `most` fit.
pub(super) fn step_for(bytes: u64, most: u64) -> u64 {
    (0..64).map(|power| 1_u64 << power).find(|step| bytes / step < most).unwrap_or(1 << 63)
}

/// A position in the unit that its step has.
pub(super) fn bytes_of_step(at: u64, step: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (step.ilog2() / 10) as usize;
    format!("{} {}", at >> (10 * unit), UNITS[unit])
}

/// So many bytes, for people.
pub(super) fn bytes(mut value: f64) -> String {
    let mut units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "bytes" { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// Places for labels that stand in a column, each as near as can be to where it belongs, `apart` from the next: the
/// wanted places go up.
pub(super) fn spread(wanted: &[f64], apart: f64, low: f64, high: f64) -> Vec<f64> {
    let mut placed: Vec<f64> = Vec::with_capacity(wanted.len());
    for &want in wanted {
        placed.push(placed.last().map_or(want.max(low), |last: &f64| want.max(last + apart)));
    }
    let mut limit = high;
    for place in placed.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - apart;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_few_and_inside() {
        for (from, to) in
            [(0, 1), (0, 512), (3, 1 << 20), (1 << 40, (1 << 40) + 5), (0, u64::MAX), (1 << 62, 1 << 63)]
        {
            let scale = Scale::new(from, to, 1, 0.0, 100.0);
            let step = step_for(to - from, 10);
            assert!(scale.multiples(step).count() <= 11);
            let ticks = scale.times(10);
            assert!(ticks.len() <= 11 && ticks.iter().all(|(at, _)| (from..=to).contains(at)), "{ticks:?}");
        }
        let hour = Scale::new(1_795_193_007_042, 1_795_193_007_042 + 3_600_000, 1, 0.0, 1.0);
        assert_eq!(hour.times(8)[0].1, "16:50");
        assert_eq!((step_for(3 << 20, 8), bytes_of_step(1 << 20, 1 << 19).as_str()), (1 << 19, "1024 KiB"));
    }

    #[test]
    fn labels_keep_apart_and_stay_inside() {
        let placed = spread(&[10.0, 11.0, 12.0, 99.0], 10.0, 0.0, 100.0);
        assert_eq!(placed, [10.0, 20.0, 30.0, 99.0]);
        assert_eq!(spread(&[95.0, 96.0, 97.0], 10.0, 0.0, 100.0), [80.0, 90.0, 100.0]);
    }
}
