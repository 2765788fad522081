//! What became of groups that were at the device together, as the device's own history tells it.

use std::collections::BTreeMap;

use super::tally::Tally;

/// Groups that were written and are not synced: whose, in which file, from where on.
#[derive(Debug, Default)]
pub(crate) struct Flights(Vec<Flight>);

#[derive(Debug, PartialEq)]
struct Flight {
    process: String,
    file: String,
    offset: u64,
}

impl Flights {
    /// Counts what a history came by.
    pub(crate) fn count(mut self, history: &[String], tally: &Tally) {
        // Of each process, the last name that it has put.
        let mut highest: BTreeMap<String, String> = BTreeMap::new();
        for line in history {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["process", process, "dies:", ..] => {
                    let before = self.0.len();
                    self.0.retain(|flight| flight.process != process);
                    if self.0.len() < before {
                        tally.count("ends with groups at the device");
                    }
                }
                // A footer is synced with its whole file, and nothing is beside it.
                ["op", _, "process", process, "sync", file] => {
                    self.0.retain(|flight| flight.process != process || flight.file != file);
                }
                ["op", _, "process", process, op @ ("write" | "sync"), file, place, ref fault @ ..] => {
                    let offset =
                        place.strip_prefix('@').and_then(|place| place.split('+').next()?.parse().ok());
                    let (process, file) = (process.to_owned(), file.to_owned());
                    if let Some(offset) = offset {
                        self.step(op == "write", Flight { process, file, offset }, !fault.is_empty(), tally);
                    }
                }
                ["op", _, "process", process, "put", name, _, ref fault @ ..] if name.ends_with(".wal") => {
                    let highest = highest.entry(process.to_owned()).or_default();
                    let earlier = name < highest.as_str();
                    if earlier && fault.is_empty() {
                        tally.count("groups that landed before an earlier one");
                    } else if earlier {
                        tally.count("groups that failed before one that had landed");
                    } else if fault.is_empty() {
                        name.clone_into(highest);
                    }
                }
                _ => {}
            }
        }
    }

    fn step(&mut self, leaves: bool, flight: Flight, fails: bool, tally: &Tally) {
        self.0.retain(|other| *other != flight);
        let beside =
            || self.0.iter().filter(|other| other.process == flight.process && other.file == flight.file);
        if fails && beside().count() > 0 {
            tally.count("groups that failed beside another");
        } else if leaves && !fails {
            if beside().count() > 0 {
                tally.count("groups that overlapped");
            }
            if beside().count() > 1 {
                tally.count("groups that overlapped two others");
            }
            self.0.push(flight);
        } else if !fails && beside().any(|other| other.offset < flight.offset) {
            tally.count("groups that landed before an earlier one");
        }
    }
}
