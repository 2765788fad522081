//! Medians, and how figures are shown.

use std::time::Duration;

pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(super) fn milli(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Says what was wanted, what came out, and whether that is it; unless it was measured small.
pub(super) fn goal(small: bool, what: &str, measured: f64, relation: &str, wanted: f64) {
    if small {
        return;
    }
    let met = if relation == ">=" { measured >= wanted } else { measured <= wanted };
    println!("  goal: {what} {relation} {wanted:.2}: {measured:.2}, {}", if met { "met" } else { "MISSED" });
}

/// Bytes that do not compress, of a seed.
pub(super) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let numbers = (0..len.div_ceil(8) as u64).map(|at| headwater_stores::proxy::mixed(seed << 32 | at));
    let mut bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    bytes.truncate(len);
    bytes
}
