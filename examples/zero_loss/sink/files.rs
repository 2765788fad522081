//! A folder in which each output is a file, published by putting it under a name that was free.

use std::sync::Arc;

use headwater::checkpoint::journal::OutputId;
use headwater::checkpoint::sink::Files;
use headwater::store::Store;

use super::{Output, Published, Records};
use crate::Result;
use crate::text::{self, Counts};

/// The folder.
pub(crate) struct Folder(Files);

impl Folder {
    pub(crate) fn open(store: Arc<dyn Store>) -> Folder {
        Folder(Files::open(store))
    }

    pub(crate) fn publish(&self, id: OutputId, output: &Output) -> Result<Published> {
        let records =
            output.runs.iter().map(|(partition, first, behind)| format!("{partition} {first} {behind}\n"));
        let words = output.counts.iter().map(|(word, count)| format!("{word} {count}\n"));
        let published = self.0.publish(id, records.chain(words).collect::<String>())?;
        let (attempt, same_input) = (published.attempt, published.is_this);
        Ok(match published.is_new {
            true => Published::Now { attempt },
            false => Published::Before { attempt, same_input },
        })
    }

    pub(crate) fn all(&self) -> Result<(Counts, Vec<Records>)> {
        let (mut counts, mut runs) = (Counts::new(), Vec::new());
        for id in self.0.list()? {
            let bytes = self.0.read(id)?.ok_or("an output that was listed is not there")?;
            for line in std::str::from_utf8(&bytes)?.lines() {
                match line.split(' ').collect::<Vec<_>>()[..] {
                    [word, count] => text::add(&mut counts, word, count.parse()?),
                    [partition, first, behind] => {
                        runs.push((partition.parse()?, first.parse()?, behind.parse()?))
                    }
                    _ => return Err(format!("not understood: {line:?}").into()),
                }
            }
        }
        runs.sort_unstable();
        Ok((counts, runs))
    }
}
