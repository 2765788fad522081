//! Who is killed, and when: decided before anything begins, by the seed alone.

use std::time::Duration;

use crate::numbers::Numbers;
use crate::stream::PARTITIONS;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    Driver,
    Receiver(u32),
    /// The driver and all receivers at once.
    Everybody,
    Nats,
    Postgres,
}

/// The first kill comes after the first batches.
const FIRST: Duration = Duration::from_millis(1_500);

/// Of ten kills, who.
const TEN: [Victim; 10] = [
    Victim::Driver,
    Victim::Receiver(0),
    Victim::Receiver(1),
    Victim::Nats,
    Victim::Driver,
    Victim::Postgres,
    Victim::Receiver(0),
    Victim::Receiver(1),
    Victim::Everybody,
    Victim::Driver,
];

/// Kills within a time, in their order: about six in five seconds.
pub(crate) fn plan(seed: u64, time: Duration) -> Vec<(Duration, Victim)> {
    let mut numbers = Numbers::of(seed ^ u64::from(PARTITIONS));
    let count = time.as_millis() as usize / 830;
    let mut victims: Vec<Victim> = TEN.into_iter().cycle().take(count).collect();
    numbers.shuffle(&mut victims);
    let span = time.saturating_sub(FIRST).as_millis().max(1) as u64;
    let mut times: Vec<u64> = (0..count).map(|_| numbers.below(span)).collect();
    times.sort_unstable();
    times.into_iter().map(|millis| FIRST + Duration::from_millis(millis)).zip(victims).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_seconds_have_a_couple_of_dozen_kills_and_nobody_is_spared() {
        for seed in 0..20 {
            let time = Duration::from_secs(20);
            let kills = plan(seed, time);
            assert_eq!(kills, plan(seed, time));
            assert_eq!(kills.len(), 24);
            assert!(
                kills.is_sorted_by_key(|(at, _)| *at)
                    && kills.iter().all(|(at, _)| (FIRST..=time).contains(at))
            );
            for victim in TEN {
                assert!(kills.iter().filter(|(_, of)| *of == victim).count() >= 2, "{victim:?} seed={seed}");
            }
        }
        assert_ne!(plan(1, Duration::from_secs(20)), plan(2, Duration::from_secs(20)));
    }
}
