//! How long things took, in a fixed amount of memory.

use std::time::Duration;

/// Buckets to a doubling: values are known to 1/32, about 3 %.
const PER_DOUBLING: u64 = 32;
const BUCKETS: usize = 64 * PER_DOUBLING as usize;

/// Nanoseconds, counted in buckets whose width grows with the value.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram::new()
    }
}

impl Histogram {
    /// One that holds nothing.
    pub fn new() -> Self {
        Histogram { buckets: vec![0; BUCKETS], count: 0 }
    }

    /// Counts one more.
    pub fn record(&mut self, took: Duration) {
        self.buckets[bucket(took.as_nanos().min(u128::from(u64::MAX)) as u64)] += 1;
        self.count += 1;
    }

    /// Counts what another one has.
    pub fn add(&mut self, other: &Histogram) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(bucket, more)| *bucket += more);
        self.count += other.count;
    }

    /// The value that a share of all lies at or below, in microseconds; none if there are none.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(floor(found) as f64 / 1000.0)
    }
}

/// Below 32 ns a bucket a value; above, 32 to a doubling.
fn bucket(value: u64) -> usize {
    if value < PER_DOUBLING {
        return value as usize;
    }
    let shift = value.ilog2() - PER_DOUBLING.ilog2();
    (u64::from(shift) * PER_DOUBLING + (value >> shift)) as usize
}

/// The least value of a bucket.
fn floor(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * PER_DOUBLING {
        return bucket;
    }
    let shift = bucket / PER_DOUBLING - 1;
    (PER_DOUBLING + bucket % PER_DOUBLING) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_to_a_thirty_second_part() {
        for value in (0..64).flat_map(|power| [1_u64 << power, (1 << power) + 1, (1_u64 << power) / 3 * 5]) {
            let found = floor(bucket(value));
            assert!(found <= value && value - found <= value / PER_DOUBLING, "{value} came back as {found}");
        }
    }

    #[test]
    fn a_quantile_is_the_value_that_so_many_lie_at_or_below() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile_us(0.5), None);
        (1..=100).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let median = histogram.quantile_us(0.5).unwrap();
        assert!((48.0..=50.0).contains(&median), "{median}");
        assert!(histogram.quantile_us(0.99).unwrap() > 95.0);
    }
}
