//! An application is upgraded, and rolled back: what each version sees of the other one's checkpoints.
//!
//! `cargo run --release --example checkpoint_upgrade` works in a temporary directory and leaves nothing behind. The exit
//! status is 0 only if every step was proven.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;

use headwater::Position;
use headwater::checkpoint::{Checkpoint, Checkpoints, Content, Held, Id, Latest, Options, Owner, Writer};
use headwater::store::Local;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The type of our checkpoints; its version says how `counts` is written: `WORD COUNT` in version 1, `COUNT WORD` in 2.
const KIND: &str = "word counts";
const STOP_WORDS: &str = "a an of the";

fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let checkpoints = Checkpoints::open(Arc::new(Local::open(dir.path().join("checkpoints"))?));

    println!("1. Version 1 counts words, and writes two checkpoints.");
    let (mut writer, _) = start(&checkpoints, 1)?;
    publish_1(&mut writer, "be 1\nto 1\n", 2)?;
    let of_1 = publish_1(&mut writer, "be 2\nnot 1\nor 1\nto 2\n", 6)?;
    drop(writer); // it is stopped

    println!("\n2. Version 2 starts, and sees what it is given before it decodes a byte.");
    let (mut writer, latest) = start(&checkpoints, 2)?;
    let old = latest.checkpoint.ok_or("version 2 found no checkpoint")?;
    proven(old.id() == of_1 && old.content().version == 1, "it is not the one of version 1")?;
    println!("     {} is {}: it is migrated", old.id(), old.content());
    let new = checkpoints.get(migrate(&checkpoints, &mut writer, &old)?)?;
    drop(writer);
    println!("     {} is {}, with the same positions", new.id(), new.content());
    proven(*new.content() == Content::new(KIND, 2), "the migrated one is not of version 2")?;
    proven(new.positions() == old.positions(), "the migrated one would replay something else")?;
    proven(read(&checkpoints, &new, "counts")? == "2 be\n1 not\n1 or\n2 to\n", "the counts were changed")?;
    proven(read(&checkpoints, &new, "stop words")? == STOP_WORDS, "the section that was kept has changed")?;

    println!("\n3. Version 1 is started again: a rollback. It refuses, and says what the operator can do.");
    let refused = restore_1(&checkpoints).err().ok_or("version 1 took what it cannot read")?.to_string();
    println!("     error: {refused}");
    proven(refused.contains(&format!("go back to {of_1}")), "the refusal does not name the way back")?;

    println!("\n4. The operator goes back to {of_1}: version 1 passes over what is newer than it can read.");
    let (mut writer, latest) = start(&checkpoints, 1)?;
    let back = fall_back(&mut writer, latest)?;
    proven(back == old, "it is not the checkpoint that version 1 had written")?;
    proven(read(&checkpoints, &back, "counts")? == "be 2\nnot 1\nor 1\nto 2\n", "it has other counts")?;
    let position = back.position("journal").ok_or("it has no position")?;
    println!("     {} is restored, and the journal is replayed from {position}", back.id());
    let newest = publish_1(&mut writer, "be 2\nnot 1\nor 1\nto 3\n", 7)?;
    drop(writer);
    proven(restore_1(&checkpoints)?.id() == newest, "version 1 does not start by itself")?;
    println!("     {newest} is the newest now, and version 1 starts by itself again");
    Ok(())
}

/// Starts the writer of this version. What it finds may be of any other: look at `content` before decoding.
fn start(checkpoints: &Checkpoints, version: u64) -> Result<(Writer, Latest)> {
    let owner = Owner::alone(checkpoints)?; // with a journal: `Owner::of(&journal)`
    let options = Options::default().content(Content::new(KIND, version));
    Ok(Writer::start(checkpoints.clone(), owner, options, &held())?)
}

/// With a journal: `Held::nothing().log("journal", journal.range())`. Then no checkpoint is taken that needs what the
/// journal holds no more, so that going back is safe or refused.
fn held() -> Held {
    Held::nothing()
}

fn publish_1(writer: &mut Writer, counts: &str, position: u64) -> Result<Id> {
    let mut draft = writer.draft()?;
    draft.write("counts", counts.as_bytes())?;
    match draft.follows() {
        Some(_) => draft.keep("stop words")?, // neither read nor written
        None => draft.write("stop words", STOP_WORDS.as_bytes())?,
    }
    let id = draft.publish(&[("journal", Position(position))])?;
    println!("     {id} is {KIND} version 1");
    Ok(id)
}

/// Writes as version 2 what version 1 has written: line by line, however long it is. What is as it was is kept.
fn migrate(checkpoints: &Checkpoints, writer: &mut Writer, old: &Checkpoint) -> Result<Id> {
    let mut draft = writer.draft()?;
    let mut counts = draft.section("counts")?;
    for line in BufReader::new(checkpoints.read_section(old, "counts")?).lines() {
        let line = line?;
        let (word, count) = line.split_once(' ').ok_or("not a line of version 1")?;
        writeln!(counts, "{count} {word}")?;
    }
    counts.finish()?;
    draft.keep("stop words")?;
    let positions: Vec<_> = old.positions().iter().map(|(log, position)| (&**log, *position)).collect();
    Ok(draft.publish(&positions)?)
}

/// What version 1 does first when it starts. A checkpoint of a newer version is refused, not decoded; nothing is changed.
fn restore_1(checkpoints: &Checkpoints) -> Result<Checkpoint> {
    let newest = checkpoints.latest(&held())?.checkpoint.ok_or("there is no checkpoint")?;
    if newest.content().version <= 1 {
        return Ok(newest);
    }
    let mut older = checkpoints.latest_below(newest.id(), &held())?.checkpoint;
    while let Some(newer) = older.as_ref().filter(|older| older.content().version > 1) {
        older = checkpoints.latest_below(newer.id(), &held())?.checkpoint;
    }
    let back = match older {
        Some(older) => format!("go back to {}, which is {} and still kept", older.id(), older.content()),
        None => "begin anew, for none is left to go back to".to_owned(),
    };
    let (id, content) = (newest.id(), newest.content());
    Err(format!("checkpoint {id} is {content}, and this is version 1: start version 2, or {back}").into())
}

/// Passes over checkpoints until there is one that version 1 reads. The next one that is published follows that.
fn fall_back(writer: &mut Writer, mut latest: Latest) -> Result<Checkpoint> {
    loop {
        match latest.checkpoint {
            Some(found) if found.content().version <= 1 => return Ok(found),
            Some(_) => latest = writer.fall_back(&held())?,
            None => return Err("there is no checkpoint that version 1 reads".into()),
        }
    }
}

fn read(checkpoints: &Checkpoints, checkpoint: &Checkpoint, section: &str) -> Result<String> {
    Ok(String::from_utf8(checkpoints.read_section(checkpoint, section)?.read_all(1 << 20)?)?)
}

fn proven(fact: bool, otherwise: &str) -> Result<()> {
    if fact { Ok(()) } else { Err(format!("NOT PROVEN: {otherwise}").into()) }
}
