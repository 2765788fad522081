//! What checkpoints are written of.

use std::io::Write;

/// Sections of one length, as slices of one pool, so that having them costs no time and little memory. Each begins
/// elsewhere in the pool; what two have in common lies too far apart for a compressor to notice.
#[derive(Debug)]
pub struct Sections {
    pool: Vec<u8>,
    count: usize,
    bytes: usize,
}

/// How far apart two sections begin.
const STEP: usize = 512 << 10;

impl Sections {
    /// Lines of text as a state store has them: a key, a path of two words, a count, a time, a digest. By zstd at level 1
    /// they become 2 to 3 times shorter.
    pub fn records(count: usize, bytes: usize) -> Sections {
        let mut random = Random(1);
        let words: Vec<String> = (0..1024).map(|_| random.word()).collect();
        let len = pool_bytes(count, bytes);
        let mut pool = Vec::with_capacity(len + 256);
        let mut millis = 1_700_000_000_000;
        while pool.len() < len {
            // Squared: low numbers are frequent, as in text.
            let mut word = || &words[((random.below(1024) * random.below(1024)) >> 10) as usize];
            let (one, two) = (word(), word());
            millis += random.below(100);
            let (user, count, digest) = (random.below(1 << 20), random.below(1000), random.next());
            writeln!(pool, "user-{user:08}\t/{one}/{two}.html\tcount={count}\tlast={millis}\t{digest:016x}")
                .expect("memory takes all");
        }
        pool.truncate(len);
        Sections { pool, count, bytes }
    }

    /// Bytes that nothing compresses.
    pub fn noise(count: usize, bytes: usize) -> Sections {
        let mut random = Random(2);
        let len = pool_bytes(count, bytes);
        let mut pool = Vec::with_capacity(len + 8);
        while pool.len() < len {
            pool.extend_from_slice(&random.next().to_le_bytes());
        }
        pool.truncate(len);
        Sections { pool, count, bytes }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The length of all of them.
    pub fn bytes(&self) -> u64 {
        (self.count * self.bytes) as u64
    }

    /// The bytes of one.
    pub fn get(&self, number: usize) -> &[u8] {
        &self.pool[number * STEP..][..self.bytes]
    }

    /// Changes a few bytes in each.
    pub fn change_a_little(&mut self) {
        for byte in self.pool.iter_mut().step_by(self.bytes.min(STEP) / 2) {
            *byte = byte.wrapping_add(1);
        }
    }
}

fn pool_bytes(count: usize, bytes: usize) -> usize {
    count.saturating_sub(1) * STEP + bytes
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn word(&mut self) -> String {
        let len = 3 + self.below(8);
        (0..len).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }
}
