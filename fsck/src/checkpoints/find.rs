//! Whether a place is a folder of checkpoints, told by its content.

use headwater_checkpoint::Object;
use headwater_wal::format::name::parse_segment;
use headwater_wal::store::{Name, Store, What};
use headwater_wal::{Error, Kind, Result};

/// Where a root has its checkpoints.
pub const FOLDER: &str = "checkpoints";

/// Whether a store's root is a folder of checkpoints: it has a head, a claim, or a part in the folder of parts.
pub fn is_here(store: &dyn Store) -> Result<bool> {
    Ok(has(store, &Name::ROOT, is_head_or_claim)? || has(store, &Name::new(Object::PARTS)?, is_part)?)
}

/// Whether a store's root has a folder of checkpoints in it, by the name that they have in a root.
pub fn is_below(store: &dyn Store) -> Result<bool> {
    let folder = Name::new(FOLDER)?;
    Ok(has(store, &folder, is_head_or_claim)? || has(store, &folder.join(Object::PARTS)?, is_part)?)
}

fn is_head_or_claim(name: &str) -> bool {
    Object::parse(name).is_some()
}

fn is_part(name: &str) -> bool {
    Object::parse(&format!("{}/{name}", Object::PARTS)).is_some()
}

fn has(store: &dyn Store, folder: &Name, is: impl Fn(&str) -> bool) -> Result<bool> {
    for page in store.list(folder)? {
        if page?.iter().any(|entry| matches!(entry.what, What::File(_)) && is(&entry.name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says what is here instead of checkpoints.
pub(super) fn none(store: &dyn Store) -> Result<Error> {
    let place = store.place();
    let message = if has(store, &Name::ROOT, |name| parse_segment(name).is_some())? {
        format!("this is a log and no folder of checkpoints:\n  wal-inspect info {place}")
    } else if is_below(store)? {
        format!(
            "the checkpoints lie in a folder here, name that:\n  wal-inspect checkpoints {place}/{FOLDER}"
        )
    } else {
        format!("no checkpoints are here, and none in a folder `{FOLDER}`: place={place}")
    };
    Ok(Error::new(Kind::NotThere, message))
}
