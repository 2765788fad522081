//! Sections that are shared with the checkpoint before.

use headwater_wal::Kind;

use crate::fixture::*;

#[test]
fn a_kept_section_is_neither_read_nor_written_and_outlives_its_writer() {
    on_every_store(|store| {
        let (big, other) = (noise(1, 200), noise(2, 200));
        let mut writer = start(&store, 1);
        publish(&mut writer, 0, &[("big", Some(&big)), ("other", Some(&other)), ("small", Some(b"s"))])
            .unwrap();
        let before = parts(&store);
        for number in 1..6 {
            let changed = noise(number, 200);
            publish(&mut writer, number, &[("small", None), ("big", None), ("other", Some(&changed))])
                .unwrap();
        }
        let found = newest(&store).unwrap();
        assert_eq!(found.section("big").unwrap().written_by().unwrap().number, 0);
        assert_eq!(read(&store, &found, "big").unwrap(), big);
        assert_eq!(read(&store, &found, "small").unwrap(), b"s");
        assert_eq!(parts(&store), before + 2 * 4, "the one that is shared, and three of the other");
        drop(writer);
        let mut writer = start(&store, 2);
        publish(&mut writer, 9, &[("big", None), ("small", None)]).unwrap();
        let found = newest(&store).unwrap();
        assert_eq!(
            (read(&store, &found, "big").unwrap(), read(&store, &found, "small").unwrap()),
            (big, b"s".to_vec())
        );
        assert!(
            found.new_bytes() < 400 && found.shared_bytes() > 400,
            "{} {}",
            found.new_bytes(),
            found.shared_bytes()
        );
    });
}

#[test]
fn a_section_is_shared_by_its_revision_and_by_nothing_less() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let mut written = Vec::new();
        for (number, revision) in [(0, 7), (1, 7), (2, 8), (3, 7)] {
            let mut draft = writer.draft().unwrap();
            draft
                .keep_or_write("x", revision, |into| {
                    written.push(number);
                    into.write_all(&noise(number, 100))
                })
                .unwrap();
            draft.publish(&at(number)).unwrap();
            assert_eq!(newest(&store).unwrap().section("x").unwrap().revision(), Some(revision));
        }
        assert_eq!(written, [0, 2, 3], "only with the checkpoint before");
    });
}

#[test]
fn a_section_that_rots_in_the_head_before_is_written_anew_and_not_copied() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let first = writer.draft().unwrap().id();
        let write = |draft: &mut headwater_checkpoint::Draft<'_>| {
            draft.keep_or_write("x", 1, |into| into.write_all(b"the same"))
        };
        let mut draft = writer.draft().unwrap();
        write(&mut draft).unwrap();
        let bad = draft.publish(&at(1)).unwrap();
        assert!(bad > first);
        drop(writer);
        let mut writer = start(&store, 2);
        change(&store, &head(bad), |bytes| *bytes.last_mut().unwrap() ^= 1);
        assert_eq!(writer.draft().unwrap().keep("x").unwrap_err().kind(), Kind::Damaged);
        let mut draft = writer.draft().unwrap();
        write(&mut draft).unwrap();
        draft.publish(&at(2)).unwrap();
        assert_eq!(read(&store, &newest(&store).unwrap(), "x").unwrap(), b"the same");
    });
}

#[test]
fn after_a_fall_back_the_first_checkpoint_shares_nothing() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let good = publish(&mut writer, 1, &[("x", Some(&noise(1, 100)))]).unwrap();
        let bad = publish(&mut writer, 2, &[("x", None)]).unwrap();
        drop(writer);
        change(&store, &head(bad), |bytes| bytes[20] ^= 1);
        let mut writer = start(&store, 2);
        assert_eq!(writer.follows().unwrap().id(), good);
        let mut draft = writer.draft().unwrap();
        assert_eq!(draft.follows(), None);
        assert_eq!(draft.keep("x").unwrap_err().kind(), Kind::NotThere);
        draft.write("x", &noise(1, 100)).unwrap();
        draft.publish(&at(3)).unwrap();
        assert_eq!(heads(&store), ["1-0", "2-0"], "the damaged one is dead now");
        publish(&mut writer, 4, &[("x", None)]).unwrap();
    });
}

#[test]
fn a_kept_section_that_has_no_room_in_the_new_head_goes_into_parts() {
    on_every_store(|store| {
        let options = small().inside_bytes_max(4 << 20).part_bytes(1 << 20);
        let mut writer = try_start(&store, 1, options).unwrap();
        let (three, two) = (noise(1, 900_000), noise(2, 500_000));
        let sections: Vec<_> = ["a", "b", "c", "d"].map(|name| (name, Some(&three[..]))).to_vec();
        publish(&mut writer, 1, &sections).unwrap();
        assert_eq!(parts(&store), 0);
        let kept = [
            ("e", Some(&two[..])),
            ("f", Some(&two[..])),
            ("a", None),
            ("b", None),
            ("c", None),
            ("d", None),
        ];
        publish(&mut writer, 2, &kept).unwrap();
        let found = newest(&store).unwrap();
        for name in ["a", "b", "c", "d"] {
            assert_eq!(read(&store, &found, name).unwrap(), three);
        }
        assert!(found.section("d").unwrap().written_by().is_some());
    });
}

#[test]
fn a_replaced_writer_whose_checkpoint_before_was_pruned_is_told_that_it_is_replaced() {
    on_objects(|store| {
        publish(&mut start(&store, 1), 1, &[("x", Some(b"small"))]).unwrap();
        let mut replaced = start(&store, 2);
        let mut heir = start(&store, 3);
        for position in 2..6 {
            publish(&mut heir, position, &[]).unwrap();
        }
        // It has not read the section yet, and now it is gone.
        assert_eq!(publish(&mut replaced, 2, &[("x", None)]).unwrap_err().kind(), Kind::Fenced);
        assert_eq!(replaced.draft().map(drop).unwrap_err().kind(), Kind::Fenced);
    });
}
