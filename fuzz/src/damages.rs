//! Logs to which one thing after another has happened, by the catalogue of damages: checked, planned for and repaired.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_fsck::damage::{Files, Kind, Sample, Scene, Shape, kinds, payload};
use headwater_fsck::{Consent, Depth, Severity, check, plan, repair_with};
use headwater_wal::store::sim::SimClock;
use headwater_wal::{Handle, Position, Reader};

use crate::{take, take_u32};

/// So many things happen, at most.
const DAMAGES_MAX: usize = 6;

/// Damages a log as the bytes say. Whatever it was: looking changes nothing, no record is lost by a repair that was not
/// stated to be, and what a repair leaves is sound and needs no other.
pub fn sequence(bytes: &[u8]) {
    let ([shape], mut orders) = take(bytes);
    let shape = [Shape::Disk, Shape::Objects, Shape::Summarised, Shape::Leases][usize::from(shape % 4)];
    let (sample, kinds) = (Sample::of(shape), kinds(shape, false).collect::<Vec<&Kind>>());
    let files = sample.copy();
    for _ in 0..DAMAGES_MAX {
        let ([kind], rest) = take(orders);
        let (seed, rest) = take_u32(rest);
        kinds[usize::from(kind) % kinds.len()].apply(&Scene { sample, files: &files }, u64::from(seed));
        orders = rest;
        if orders.is_empty() {
            break;
        }
    }
    let before = files.bytes();
    let _ = check(&*files.store(), Position::START, Depth::Quick).map(|report| report.to_string());
    let report = check(&*files.store(), Position::START, Depth::Full);
    let Ok(report) = report.inspect(|report| _ = report.to_string()) else { return };
    if report.survey().identity().is_none() {
        // Where no header is left, nothing says whose the frames are: a file is taken away that handles could read.
        return;
    }
    let store = files.store();
    let planned = plan(&store, &report);
    assert!(before == files.bytes(), "looking changes nothing");
    let Ok(planned) = planned.inspect(|planned| _ = planned.to_string()) else { return };
    let was = readable(&files, sample);
    let repaired = repair_with(&store, &planned, Consent::LoseData, Arc::new(SimClock::new(9)));
    let is = readable(&files, sample);
    let Ok(after) = check(&*files.store(), Position::START, Depth::Full) else {
        // Nothing was there but what is another log's, or it could not be mended.
        assert!(is.is_superset(&was), "a repair cost something: {repaired:?}");
        return;
    };
    let stated: Vec<_> = after.findings().iter().filter(|one| one.severity == Severity::Lost).collect();
    let is_stated = |handle: &Handle| {
        stated.iter().any(|lost| lost.range.as_ref().is_some_and(|range| range.contains(&handle.position())))
    };
    let torn = torn(sample, &was);
    for &record in was.difference(&is).filter(|&&record| record < torn) {
        assert!(is_stated(&sample.records[record]), "record {record} went: {planned}\n{after}");
    }
    if repaired.is_ok() && planned.by_hand().is_empty() {
        assert!(after.is_sound(), "{planned}\n{after}");
    }
}

/// Where a tail may be torn, by the number of a record: a group of which not everything can be read goes whole, and with it
/// what lies behind, if nothing says that they were acknowledged.
fn torn(sample: &Sample, readable: &BTreeSet<usize>) -> usize {
    let growing = sample.segments.last().filter(|segment| segment.footer.is_none());
    let mut groups = growing.into_iter().flat_map(|segment| &segment.groups);
    let torn = groups.find(|group| group.records().any(|record| !readable.contains(&record)));
    torn.and_then(|group| group.records().next()).unwrap_or(usize::MAX)
}

/// The records that their handles read.
fn readable(files: &Files, sample: &Sample) -> BTreeSet<usize> {
    let Ok(reader) = Reader::open(files.store()) else { return BTreeSet::new() };
    let read = |number: &usize| match reader.read(&sample.records[*number]) {
        Ok(record) => {
            assert_eq!(record.payload, payload(*number as u64), "other bytes");
            true
        }
        Err(_) => false,
    };
    (0..sample.records.len()).filter(read).collect()
}
