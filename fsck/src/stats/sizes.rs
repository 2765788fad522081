//! How many of which size, in a fixed amount of memory.

/// Each power of two is told apart in so many steps, so that a percentile is at most a thirty-second too great.
const STEPS: usize = 32;
const STEP_BITS: u32 = STEPS.ilog2();

/// Sizes that were counted: the least and greatest exactly, what lies between to within a thirty-second.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    count: u64,
    total: u64,
    least: u64,
    greatest: u64,
    /// As long as the greatest one needs it.
    buckets: Vec<u64>,
}

impl Sizes {
    pub(super) fn add(&mut self, size: u64) {
        self.least = if self.count == 0 { size } else { self.least.min(size) };
        self.greatest = self.greatest.max(size);
        self.count += 1;
        self.total = self.total.saturating_add(size);
        let bucket = bucket(size);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The least one; none if there is none.
    pub fn least(&self) -> Option<u64> {
        (self.count > 0).then_some(self.least)
    }

    /// The greatest one.
    pub fn greatest(&self) -> Option<u64> {
        (self.count > 0).then_some(self.greatest)
    }

    /// The mean.
    pub fn mean(&self) -> Option<u64> {
        self.total.checked_div(self.count)
    }

    /// The size that so many of a hundred do not exceed.
    pub fn percentile(&self, of_hundred: u8) -> Option<u64> {
        let rank = (u128::from(self.count) * u128::from(of_hundred.min(100))).div_ceil(100).max(1);
        let mut seen = 0_u128;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += u128::from(count);
            if seen >= rank {
                return Some(last_of(bucket).clamp(self.least, self.greatest));
            }
        }
        None
    }
}

/// Sizes below [`STEPS`] have a bucket each; from there on each power of two has as many.
fn bucket(size: u64) -> usize {
    if size < STEPS as u64 {
        return size as usize;
    }
    let power = size.ilog2() - STEP_BITS;
    STEPS * (power as usize + 1) + ((size >> power) as usize - STEPS)
}

/// The greatest size of a bucket.
fn last_of(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (power, step) = (bucket / STEPS - 1, (bucket % STEPS + STEPS) as u128);
    u64::try_from(((step + 1) << power) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_a_bucket_and_is_close_to_its_end() {
        let mut sizes: Vec<u64> =
            (0..64).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]).collect();
        sizes.extend([u64::MAX, 1000, 4097, 123_456_789]);
        for size in sizes {
            let last = last_of(bucket(size));
            assert!(last >= size && last - size <= size / 32, "{size}: {last}");
            assert!(last == u64::MAX || bucket(last + 1) == bucket(size) + 1, "{size}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_sizes() {
        let mut sizes = Sizes::default();
        assert_eq!((sizes.percentile(50), sizes.mean(), sizes.least()), (None, None, None));
        (1..=1000).for_each(|size| sizes.add(size));
        for (of_hundred, exact) in [(0, 1), (1, 10), (50, 500), (90, 900), (99, 990), (100, 1000)] {
            let told = sizes.percentile(of_hundred).unwrap();
            assert!((exact..=exact + exact / 32).contains(&told), "{of_hundred}: {told}");
        }
        assert_eq!(
            (sizes.least(), sizes.greatest(), sizes.mean(), sizes.count()),
            (Some(1), Some(1000), Some(500), 1000)
        );
    }
}
