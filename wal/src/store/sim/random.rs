//! Where a simulated life gets its chances from.

/// SplitMix64 (Steele, Lea and Flood, 2014): a counter, well mixed. Small, quick, the same everywhere, and every seed
/// is a good one. It is not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same seed draws the same numbers.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number is below zero");
        // The high half of the product; its bias is far too small for a test to meet.
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// Whether the one of `chances` came.
    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// Heads.
    pub fn coin(&mut self) -> bool {
        self.draw() & 1 == 1
    }
}
