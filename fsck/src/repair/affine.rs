//! Working checksums backwards. A CRC is affine in any bits that go into it: what it is for all of them being zero, changed
//! by what each of them alone changes. So 33 trials tell the bits that give a wanted checksum.

/// A map from 32 bits to 32 bits, by its values at zero and at each of the 32 words that have one bit.
pub(crate) struct Affine {
    zero: u32,
    columns: [u32; 32],
}

impl Affine {
    /// The words at which the map must be known: zero, and those with one bit.
    pub(crate) fn trials() -> [u32; 33] {
        std::array::from_fn(|at| if at == 0 { 0 } else { 1 << (at - 1) })
    }

    /// From the values at [`trials`](Affine::trials).
    pub(crate) fn new(values: &[u32; 33]) -> Self {
        Affine { zero: values[0], columns: std::array::from_fn(|bit| values[bit + 1] ^ values[0]) }
    }

    /// A word that the map takes to `wanted`, if there is one.
    pub(crate) fn solve(&self, wanted: u32) -> Option<u32> {
        // Each row is a sum of columns, and which bits of the word make it.
        let mut rows: Vec<(u32, u32)> = (0..32).map(|bit| (self.columns[bit], 1 << bit)).collect();
        let (mut rest, mut word) = (wanted ^ self.zero, 0);
        for bit in (0..32).rev() {
            let Some(at) = rows.iter().position(|&(value, _)| value >> bit & 1 == 1) else { continue };
            let (value, made) = rows.swap_remove(at);
            for row in rows.iter_mut().filter(|row| row.0 >> bit & 1 == 1) {
                *row = (row.0 ^ value, row.1 ^ made);
            }
            if rest >> bit & 1 == 1 {
                (rest, word) = (rest ^ value, word ^ made);
            }
        }
        (rest == 0).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(word: u32) -> u32 {
        // Invertible and affine: a rotation, a shift and a constant.
        let turned = word.rotate_left(7);
        turned ^ (turned << 3) ^ 0x5EED_F00D
    }

    #[test]
    fn what_a_map_was_given_is_worked_out_from_what_it_made() {
        let map = Affine::new(&Affine::trials().map(mixed));
        for word in [0, 1, 0xFFFF_FFFF, 0x1234_5678, 0x8000_0000] {
            assert_eq!(map.solve(mixed(word)), Some(word));
        }
    }

    #[test]
    fn a_map_that_loses_bits_has_no_answer_for_what_it_never_makes() {
        let map = Affine::new(&Affine::trials().map(|word| word & 0xFFFF));
        assert_eq!(map.solve(0x1_0000), None);
        assert_eq!(map.solve(0xABCD), Some(0xABCD));
    }
}
