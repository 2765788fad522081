//! Checkpoints, and beside each what a person would write by hand for the same bytes.

mod beside;
mod by_hand;
mod ours;
mod process;
mod report;
mod rounds;
mod sections;

use std::fs::File;
use std::io::Write;
use std::path::Path;

use rustix::fs::Advice;

pub use beside::{Beside, Pace};
pub use by_hand::{ByHand, Shape, replace_small};
pub use ours::{Ours, Written};
pub use process::{anonymous_bytes, anonymous_peak, processor_time};
pub use report::Plan;
pub use rounds::{Rounds, quantile};
pub use sections::Sections;

/// Gives every measurement the same beginning: the disk has what was written or removed before, and the page cache has
/// just had so many bytes of memory. Without that, whoever writes just after much was removed can seem to be several times
/// as fast: on a virtual machine, probably because free memory was returned to the host and has to be asked for again.
pub fn settle(folder: &Path, bytes: u64) {
    let sync = File::open(folder).expect("a folder to bench in");
    rustix::fs::syncfs(&sync).expect("a sync of the file system");
    let mut file = tempfile::tempfile_in(folder).expect("a file");
    let zeros = vec![0; 1 << 20];
    for _ in 0..bytes.div_ceil(zeros.len() as u64) {
        file.write_all(&zeros).expect("a write");
    }
}

/// Drops what the page cache has of all files in a folder and below.
fn cool(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            cool(&path);
        } else {
            let file = File::open(path).expect("a file");
            file.sync_all().expect("a sync");
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).expect("advice");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_checkpoint::Options;

    use super::*;

    const SECTIONS: usize = 4;
    const BYTES: usize = 300_000;

    fn both() -> [Sections; 2] {
        [Sections::records(SECTIONS, BYTES), Sections::noise(SECTIONS, BYTES)]
    }

    #[test]
    fn records_compress_about_as_well_as_they_are_said_to_and_noise_does_not() {
        let [records, noise] = both();
        let ratio = |sections: &Sections| {
            let stored = zstd::bulk::compress(sections.get(1), 1).unwrap().len();
            sections.get(1).len() as f64 / stored as f64
        };
        assert!((2.0..3.0).contains(&ratio(&records)), "{}", ratio(&records));
        assert!(ratio(&noise) < 1.01, "{}", ratio(&noise));
        assert_ne!(records.get(0), records.get(1));
    }

    #[test]
    fn a_checkpoint_gives_back_the_sections_it_was_written_from() {
        for mut sections in both() {
            let options = Options::default().part_bytes(100_000);
            let mut ours = Ours::start(&std::env::temp_dir(), options).unwrap();
            let first = ours.write(&sections, |_| true).unwrap();
            ours.restores(&sections).unwrap();
            sections.change_a_little();
            assert!(ours.restores(&sections).is_err(), "what was changed is not there yet");
            let second = ours.write(&sections, |number| number == 2).unwrap();
            assert!(second.stored_bytes < first.stored_bytes / 3, "{second:?} after {first:?}");
            let third = ours.write(&sections, |_| true).unwrap();
            assert!(third.stored_bytes > first.stored_bytes / 2, "{third:?} after {first:?}");
            ours.restores(&sections).unwrap();
            ours.cool();
            assert!(ours.restore().unwrap() > Duration::ZERO);
        }
    }

    #[test]
    fn what_is_written_by_hand_can_be_read_again() {
        for shape in [Shape::FilePerSection, Shape::OneFile] {
            for sections in both() {
                for threads in [1, 2] {
                    if shape == Shape::OneFile && threads > 1 {
                        continue;
                    }
                    let mut by_hand = ByHand::new(&std::env::temp_dir(), shape);
                    assert!(by_hand.write(&sections, threads) > Duration::ZERO);
                    by_hand.cool();
                    assert_eq!(by_hand.restore().1, (SECTIONS * BYTES) as u64);
                }
            }
        }
    }

    #[test]
    fn a_small_checkpoint_beside_a_small_file_by_hand() {
        let sections = Sections::records(1, 20 << 10);
        let mut ours = Ours::start(&std::env::temp_dir(), Options::default().keep_last(2)).unwrap();
        for _ in 0..4 {
            let small = ours.write(&sections, |_| true).unwrap();
            assert!(small.took > Duration::ZERO && small.stored_bytes < 20 << 10, "{small:?}");
        }
        assert_eq!(ours.count().unwrap(), 2);
        assert!(replace_small(ours.dir(), sections.get(0)) > Duration::ZERO);
    }

    #[test]
    fn appends_beside_a_checkpoint_are_counted_at_either_pace() {
        let beside = Beside::new(&std::env::temp_dir()).unwrap();
        for pace in [Pace::PerSecond(500), Pace::Waiting] {
            let took = beside.while_running(pace, || std::thread::sleep(Duration::from_millis(50)));
            assert!(took.len() > 5 && took.is_sorted(), "{pace:?} {}", took.len());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn processor_time_goes_on_while_something_is_done() {
        let (before, began) = (processor_time(), std::time::Instant::now());
        while processor_time() < before + Duration::from_millis(30) {
            assert!(began.elapsed() < Duration::from_secs(60), "it stands still");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_was_held_for_a_while_is_in_the_peak() {
        let held = || {
            let held = vec![1_u8; 64 << 20];
            std::thread::sleep(Duration::from_millis(50));
            std::hint::black_box(&held);
        };
        let before = anonymous_bytes();
        assert!(anonymous_peak(held).1 >= before + (60 << 20));
    }
}
