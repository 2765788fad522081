//! What the fuzz targets do with their bytes: plain functions, which panic if what they call breaks its word.

pub mod checkpoints;
pub mod codecs;
pub mod damages;
mod lay;
pub mod logs;
pub mod reports;
pub mod segments;
pub mod texts;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Makes a program of a body: a target of libFuzzer, or, built without it, one that runs the body over files.
#[macro_export]
macro_rules! target {
    ($body:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $body(bytes));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            $crate::run_over_files($body)
        }
    };
}

/// Runs a body over the files, and those in the folders, that the command line names.
pub fn run_over_files(body: fn(&[u8])) -> io::Result<()> {
    let named: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if named.is_empty() {
        return Err(io::Error::other("name files or folders to run over"));
    }
    for path in &named {
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                run_over_file(body, &entry?.path())?;
            }
        } else {
            run_over_file(body, path)?;
        }
    }
    Ok(())
}

fn run_over_file(body: fn(&[u8]), path: &Path) -> io::Result<()> {
    println!("{}", path.display());
    body(&fs::read(path)?);
    Ok(())
}

/// The first `N` bytes, zeros where there are none, and the rest.
fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let (head, rest) = bytes.split_at(N.min(bytes.len()));
    let mut taken = [0; N];
    taken[..head.len()].copy_from_slice(head);
    (taken, rest)
}

/// A number of eight bytes, and the rest.
fn take_u64(bytes: &[u8]) -> (u64, &[u8]) {
    let (word, rest) = take(bytes);
    (u64::from_le_bytes(word), rest)
}

/// A number of four bytes, and the rest.
fn take_u32(bytes: &[u8]) -> (u32, &[u8]) {
    let (word, rest) = take(bytes);
    (u32::from_le_bytes(word), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [&[u8]; 8] = [
        include_bytes!("../../wal/tests/golden/v1/disk/00000000000000000000.wal"),
        include_bytes!("../../wal/tests/golden/v1/disk/00000000000001048576.wal"),
        include_bytes!("../../wal/tests/golden/v1/disk/00000000000001050248.wal"),
        include_bytes!("../../wal/tests/golden/v1/objects/00000000000000000000.wal"),
        include_bytes!("../../wal/tests/golden/v1/objects/00000000000001048576.wal"),
        include_bytes!("../../checkpoint/tests/golden/v1/00000000000000000003-00000000000000000007.ckpt"),
        include_bytes!("../../checkpoint/tests/golden/v1/00000000000000000004-00000000000000000000.ckpt"),
        include_bytes!(
            "../../checkpoint/tests/golden/v1/parts/00000000000000000004-00000000000000000000-0000000001-0000000000.part"
        ),
    ];

    const TEXTS: [&str; 9] = [
        "hw1:8899aabbccddeeff:7:81985529216486895:4096:305419896:deadbeef",
        "00000000000001048576.wal",
        "00000000000001048576",
        "99999999999999999999.wal",
        "hw1:::::",
        "00000000000000000003-00000000000000000007.ckpt\n00000000000000000003.epoch\n3-7",
        "00000000000000000003-00000000000000000007-0000000003-0000000001.part",
        "00000000000000000003-18446744073709551615.ckpt\n18446744073709551615.epoch",
        "",
    ];

    /// A sequence that is the same everywhere, for ever (SplitMix64).
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        }

        fn below(&mut self, end: usize) -> usize {
            (self.roll() % end.max(1) as u64) as usize
        }
    }

    /// Golden files and texts, whole, cut, and with bytes changed; and bytes that nothing was written as.
    fn run_on_seeds(body: fn(&[u8])) {
        let mut dice = Dice(1);
        let texts = TEXTS.map(str::as_bytes);
        for seed in GOLDEN.into_iter().chain(texts) {
            body(seed);
            for _ in 0..300 {
                let from = if dice.below(2) == 0 { 0 } else { dice.below(seed.len() + 1) };
                let to =
                    if dice.below(2) == 0 { seed.len() } else { from + dice.below(seed.len() - from + 1) };
                let mut bytes = seed[from..to].to_vec();
                for _ in 0..dice.below(4) {
                    let at = dice.below(bytes.len());
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = [0, 0xFF, 0xF7, dice.roll() as u8][dice.below(4)];
                    }
                }
                body(&bytes);
            }
        }
        for _ in 0..1000 {
            let len = dice.below(700);
            // Small values mean something more often than large ones do.
            let bytes: Vec<u8> = (0..len).map(|_| dice.roll() as u8 >> dice.below(8)).collect();
            body(&bytes);
        }
    }

    #[test]
    fn summary() {
        run_on_seeds(codecs::summary);
    }

    #[test]
    fn header() {
        run_on_seeds(codecs::header);
    }

    #[test]
    fn group() {
        run_on_seeds(codecs::group);
    }

    #[test]
    fn frame() {
        run_on_seeds(codecs::frame);
    }

    #[test]
    fn footer() {
        run_on_seeds(codecs::footer);
    }

    #[test]
    fn expand() {
        run_on_seeds(codecs::expand);
    }

    #[test]
    fn handle() {
        run_on_seeds(texts::handle);
    }

    #[test]
    fn name() {
        run_on_seeds(texts::name);
    }

    #[test]
    fn scan() {
        run_on_seeds(segments::scan);
    }

    #[test]
    fn outline() {
        run_on_seeds(segments::outline);
    }

    #[test]
    fn directory() {
        run_on_seeds(logs::directory);
    }

    #[test]
    fn operations() {
        run_on_seeds(logs::operations);
    }

    #[test]
    fn checkpoint_head() {
        run_on_seeds(checkpoints::head);
    }

    #[test]
    fn checkpoint_part() {
        run_on_seeds(checkpoints::part);
    }

    #[test]
    fn checkpoint_names() {
        run_on_seeds(checkpoints::names);
    }

    #[test]
    fn checkpoint_folder() {
        run_on_seeds(checkpoints::folder);
    }

    /// Every kind by itself, and some sequences of several. `HEADWATER_FUZZ_SEQUENCES` says how many.
    #[test]
    fn damages() {
        let sequences = std::env::var("HEADWATER_FUZZ_SEQUENCES").map_or(200, |many| many.parse().unwrap());
        let mut dice = Dice(7);
        for shape in 0..4 {
            (0..128).for_each(|kind| damages::sequence(&[shape, kind]));
        }
        for _ in 0..sequences {
            let len = 1 + 5 * (2 + dice.below(5));
            let bytes: Vec<u8> = (0..len).map(|_| dice.roll() as u8).collect();
            damages::sequence(&bytes);
        }
    }

    /// What is said between processes is in no golden file: these are the fields of a report of one block, of answers,
    /// and of an error.
    #[test]
    fn report() {
        run_on_seeds(reports::report);
        let block = [&[1, 0, 0, 0, 0, 0, 0, 0][..], &[1; 48], &[0; 20], &[1, 0, 0, 0], &[2; 20]].concat();
        let answers = [&[1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0][..], &[0xFF; 8], &[5; 12]].concat();
        let error = [&[4, 0, 5, 0, 0, 0, 0, 0][..], b"where"].concat();
        for seed in [&block, &answers, &error] {
            reports::report(seed);
            for at in 0..seed.len() {
                for value in [0, 1, 3, 5, 0x7F, 0x80, 0xFF] {
                    let mut bytes = seed.clone();
                    bytes[at] = value;
                    reports::report(&bytes);
                }
            }
        }
    }
}
