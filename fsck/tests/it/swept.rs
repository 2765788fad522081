//! What can be removed from a folder of checkpoints, and what never is.

use headwater_fsck::Severity;
use headwater_fsck::checkpoints::{survey, sweep, sweepable};
use headwater_wal::Kind;

use crate::folder::{Folder, NEWEST, head, id, start};

#[test]
fn what_no_checkpoint_needs_goes_and_nothing_else() {
    let folder = Folder::new();
    folder.delete(&head(id(3)));
    let store = folder.store();
    // Newer than the newest: a draft that may still be written.
    let mut writer = start(&store, 2);
    let mut draft = writer.draft().unwrap();
    draft.write("big", &[b'x'; 200]).unwrap();
    drop(draft);
    drop(writer);
    let unfinished = survey(&store).unwrap().unfinished();
    assert_eq!(unfinished.count, 4);

    let before = folder.names();
    let planned = sweepable(&store).unwrap();
    assert_eq!((planned.objects().count, folder.names()), (4, before.clone()), "{planned}");
    sweep(&store, &planned).unwrap();
    let gone: Vec<String> = before.into_iter().filter(|name| !folder.names().contains(name)).collect();
    assert_eq!(gone, planned.names().iter().map(|name| name.to_string()).collect::<Vec<_>>());
    let report = folder.check();
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.survey().newest(), report.survey().litter().count), (Some(NEWEST), 0));
    assert_eq!(report.survey().unfinished(), unfinished);
    assert_eq!(report.count(Severity::SetAside), 0, "{report}");
    assert!(sweepable(&store).unwrap().is_empty());
    assert_eq!(sweep(&store, &planned).unwrap_err().kind(), Kind::Invalid, "it is as it was no more");
}

#[test]
fn while_a_head_that_counts_cannot_be_read_no_part_goes() {
    let folder = Folder::new();
    folder.delete(&head(id(3)));
    folder.flip(&head(id(2)), 70);
    let planned = sweepable(&folder.store()).unwrap();
    assert!(planned.is_empty(), "{planned}");
    assert!(planned.to_string().contains("cannot be read"), "{planned}");
}
