//! What happened to others: incidents of logs on object stores and of their clients, each lived through here.

use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::store::sim::{Cut, Fault, Op, Process, When};
use headwater_wal::store::{Append, Fetch, Name, Pages, Store, Survives};
use headwater_wal::{Depth, Kind, Position, Result, Time, look};
use parking_lot::Mutex;

use crate::rules::{Life, Place, before, name};

/// Every record of `log` that was acknowledged last is there, and none of these is.
fn goes_on_without(place: &Place, log: Life, never: &[&str]) {
    log.write("goes on");
    let texts = log.texts();
    assert_eq!(texts.last().unwrap(), "goes on");
    assert!(!texts.iter().any(|text| never.contains(&text.as_str())), "{texts:?}");
    log.crash();
    assert_eq!(place.start().texts(), texts);
}

/// slatedb #352: W is stalled. W' fences it by an entry at W's next name, writes on, and cleaning removes everything up to
/// there, the fence too. W wakes, finds its next name free, and acknowledges what no recovery looks at.
#[test]
fn a_stalled_writer_whose_next_name_was_cleaned_acknowledges_nothing_into_the_hole() {
    for heirs in 1..4 {
        let place = Place::bucket();
        let stalled = place.start();
        stalled.fill(3, 100);
        let (other, lived) = (place.clone(), Arc::new(Mutex::new(None)));
        let heir = lived.clone();
        before(&stalled.process, Op::Put, "0", move || {
            for _ in 1..heirs {
                let heir = other.start();
                heir.fill(3, 100);
                heir.retire_before(Time::MAX).unwrap();
            }
            let last = other.start();
            last.fill(5, 100);
            last.retire_before(Time::MAX).unwrap();
            *heir.lock() = Some(last);
        });
        stalled.append(Time(1), "stalled").unwrap().wait().unwrap_err();
        let heir = lived.lock().take().unwrap();
        assert!(heir.range().start > stalled.range().end, "the stalled writer's next name was cleaned");
        for _ in 0..2 {
            // It wakes twice.
            stalled.append(Time(1), "stalled again").unwrap_err();
        }
        goes_on_without(&place, heir, &["stalled", "stalled again"]);
    }
}

/// slatedb #1622: the same, of a writer that was idle and not in the middle of anything: what it flushed was answered with
/// success and lost.
#[test]
fn an_idle_writer_that_was_replaced_and_cleaned_away_flushes_nothing_into_the_hole() {
    let place = Place::bucket();
    let idle = place.start();
    idle.fill(2, 100);
    let second = place.start();
    second.fill(2, 100);
    let third = place.start();
    third.fill(4, 100);
    third.retire_before(Time::MAX).unwrap();
    assert!(third.range().start > second.range().end);
    for late in [idle, second] {
        let tickets: Vec<_> = (0..3).map(|_| late.append(Time(1), "late").unwrap()).collect();
        for ticket in tickets {
            ticket.wait().unwrap_err();
        }
        late.seal().unwrap_err();
        late.retire_before(Time::MAX).unwrap_err();
    }
    goes_on_without(&place, third, &["late"]);
}

/// A starter that has chosen the place of its fence, and sleeps before it puts it while `others` live.
fn starts_late(place: &Place, others: impl FnOnce() + Send + 'static) -> Result<Life> {
    let starter = place.sim.process();
    before(&starter, Op::Put, "0", others);
    place.start_by(&starter, Position::START)
}

/// slatedb #1682: W2 finds the next free name, 4, and bumps the epoch. W1 writes 4, 5 and 6, and cleaning removes 4 and 5. W2
/// puts its fence at 4, below what was cleaned, and takes itself for the writer; W1 goes on at 7.
#[test]
fn a_fence_below_what_was_cleaned_makes_nobody_the_writer() {
    let place = Place::bucket();
    let old = Arc::new(place.start());
    old.fill(2, 100);
    let (slot, busy) = (old.range().end, old.clone());
    let starter = starts_late(&place, move || {
        busy.fill(5, 100);
        busy.retire_before(Time::MAX).unwrap();
        busy.write("kept");
    })
    .unwrap();
    assert!(place.sim.has(&name(slot)), "its fence came where the old writer's segment had been");
    assert!(starter.chain().segments().iter().all(|segment| segment.base > slot), "and is no link");
    assert!(starter.texts().contains(&"kept".to_owned()));
    let late = old.append(Time(1), "late").unwrap().wait().unwrap_err();
    assert_eq!(late.kind(), Kind::Fenced, "the fence that counts came after all that it had written");
    goes_on_without(&place, starter, &["late"]);
}

/// From the review of slatedb #1709: W2 chooses 11 for its fence, W1 writes 11 first, W3 fences both and cleans 11 away, and
/// then W2's fence lands there.
#[test]
fn a_fence_that_lands_behind_a_newer_writer_that_has_cleaned_does_not_split_the_log() {
    let place = Place::bucket();
    let first = Arc::new(place.start());
    first.fill(2, 100);
    let (other, third) = (place.clone(), Arc::new(Mutex::new(None)));
    let (busy, lived) = (first.clone(), third.clone());
    let second = starts_late(&place, move || {
        busy.write("taken");
        let third = other.start();
        third.fill(3, 100);
        third.retire_before(Time::MAX).unwrap();
        third.write("kept");
        *lived.lock() = Some(third);
    })
    .unwrap();
    let third = third.lock().take().unwrap();
    assert!(second.epoch() > third.epoch(), "it took a newer number and began again behind the third");
    for replaced in [&third, &*first] {
        replaced.append(Time(1), "late").unwrap().wait().unwrap_err();
    }
    assert!(second.texts().contains(&"kept".to_owned()));
    goes_on_without(&place, second, &["late"]);
}

/// `AlreadyExists` that is one's own: a client repeats a put whose answer was lost and finds what it had put itself. Taken
/// for a defeat, every lost answer stops the writer; taken for success unread, it is P5 gone.
#[test]
fn a_put_repeated_beneath_that_finds_itself_is_acknowledged_once() {
    // The claim, the segment that begins the epoch, and a group.
    for put in 1..=3 {
        let place = Place::bucket();
        place.start().write("before");
        place.sim.plan(When::nth(put).of(Op::Put), Fault::ExistsOwn);
        let log = place.start();
        log.write("once");
        assert_eq!(place.sim.events()["put: exists, its own"], 1);
        assert_eq!(log.texts(), ["before", "once"]);
        log.write("again");
        log.crash();
        assert_eq!(place.texts(), ["before", "once", "again"]);
    }
}

/// arrow-rs-object-store #852: a 409 for a put that met another request in flight is told as `AlreadyExists` too, and nothing
/// is there. Taken for somebody else's, nobody writes; taken for one's own, an acknowledgement is a lie.
#[test]
fn a_conflict_where_nothing_landed_is_neither_ours_nor_anothers() {
    let place = Place::bucket();
    let log = place.start();
    log.write("before");
    place.sim.plan(When::nth(1).of(Op::Put), Fault::ExistsNothing);
    log.write("put again");
    assert_eq!(place.sim.events()["put: exists, nothing there"], 1);
    // The store goes on so: nothing is known, and the next one settles it.
    place.sim.plan(When::from(1).of(Op::Put), Fault::ExistsNothing);
    let lost = log.append(Time(1), "lost").unwrap().wait().unwrap_err();
    assert_eq!(lost.kind(), Kind::Unknown);
    place.sim.calm();
    let heir = place.start();
    assert_eq!(heir.settle(lost.unsettled().unwrap()).unwrap_err().kind(), Kind::NotThere);
    assert_eq!(heir.texts(), ["before", "put again"]);
}

/// The same of the put that begins an epoch: whoever it befalls is not the writer, and starts again.
#[test]
fn a_conflict_where_no_fence_landed_makes_nobody_the_writer() {
    let place = Place::bucket();
    let old = place.start();
    old.write("before");
    place.sim.plan(When::nth(1).of(Op::Put).on("0"), Fault::ExistsNothing);
    assert_eq!(place.try_start(Position::START).unwrap_err().kind(), Kind::Unknown);
    old.write("still the writer");
    let heir = place.start();
    old.append(Time(1), "late").unwrap().wait().unwrap_err();
    assert_eq!(heir.texts(), ["before", "still the writer"]);
}

/// s2 #669 and #670: files were acknowledged that had never been synced. After a machine had stopped, the newest was all
/// zeros under a good name, and the store never opened again.
#[test]
fn what_was_acknowledged_was_synced_and_a_file_of_zeros_keeps_no_log_shut() {
    let mut place = Place::disk();
    let log = place.start();
    for number in 0..12 {
        log.write(format!("{number}-{}", "x".repeat(3000)));
        let mut after = place.clone();
        after.sim = place.sim.fork(number);
        after.sim.power_cut_as(Cut::LoseAll);
        let survivor = after.start();
        assert_eq!(survivor.texts().len() as u64, number + 1, "acknowledged, and gone with the power");
    }
    let (end, acknowledged) = (log.range().end, log.texts());
    log.crash();
    // The device lies about its flushes, as a file that nobody syncs does: the next segment's room stays zeros.
    let newest = place.segments().pop().unwrap();
    let len = place.sim.read_raw(&newest).len();
    let lied = place.sim.fork(1);
    lied.zero(&newest, 0..len);
    place.sim = lied;
    let refused = place.try_start(end).unwrap_err();
    assert_eq!(refused.kind(), Kind::Damaged, "who knows what was promised is told: {refused}");
    let survey = look(&*place.sim.store(), Position::START, Depth::Quick).unwrap();
    assert!(survey.end() < end);
    let whole = Position::START..Position(u64::MAX);
    let opened = place.open().unwrap().accept_loss(whole);
    let log = opened.start_stepped(end).unwrap();
    log.append(Time(1), "goes on").unwrap().wait().unwrap();
    let texts = crate::rules::texts(log.replay(Position::START).unwrap());
    assert!(texts.len() > 5 && acknowledged.starts_with(&texts[..texts.len() - 1]), "{}", texts.len());
}

/// A store that leaves a name out of its listings for a while.
#[derive(Debug)]
struct Forgetful {
    process: Process,
    name: String,
    listings: Mutex<u32>,
}

impl Store for Forgetful {
    fn place(&self) -> String {
        self.process.place()
    }

    fn survives(&self) -> Survives {
        self.process.survives()
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        self.process.put(name, bytes)
    }

    fn read(&self, name: &Name, range: std::ops::Range<u64>) -> Result<Bytes> {
        self.process.read(name, range)
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        let mut listings = self.listings.lock();
        let forgets = *listings > 0 && *folder == Name::ROOT;
        *listings -= u32::from(forgets);
        let shown = move |page: Result<Vec<headwater_wal::store::Entry>>| {
            let mut page = page.expect("a calm device");
            page.retain(|entry| !forgets || entry.name != self.name);
            (!page.is_empty()).then_some(Ok(page))
        };
        Ok(Box::new(self.process.list(folder)?.filter_map(shown)))
    }

    fn fetch(&self, name: &Name, range: std::ops::Range<u64>) -> Option<Fetch> {
        self.process.fetch(name, range)
    }

    fn remove(&self, name: &Name) -> Result<()> {
        self.process.remove(name)
    }

    fn append(&self) -> Option<&dyn Append> {
        None
    }
}

/// Before stores promised otherwise, a listing could leave out for seconds what had been put, and readers took that for
/// loss. Here the middle of the log is left out, its end, or where an epoch begins.
#[test]
fn a_name_that_listings_leave_out_for_a_while_is_not_damage() {
    let place = Place::bucket();
    for _ in 0..3 {
        place.start().fill(3, 100);
    }
    let names = place.segments();
    for (left_out, listings) in names.iter().flat_map(|name| [(name, 1), (name, 4)]) {
        let sim = place.sim.fork(1);
        let forgetful = |listings| {
            let listings = Mutex::new(listings);
            Arc::new(Forgetful { process: sim.process(), name: left_out.clone(), listings })
        };
        let survey = look(&*forgetful(listings), Position::START, Depth::Quick).unwrap();
        assert_eq!(survey.damages(), [], "without {left_out} in {listings} listings");
        let log = headwater_wal::Log::open(forgetful(listings), place.options.clone()).unwrap();
        let log = log.start_stepped(Position::START).unwrap();
        let ticket = log.append(Time(1), "goes on").unwrap();
        ticket.wait().unwrap();
        let texts = crate::rules::texts(log.replay(Position::START).unwrap());
        assert_eq!((texts.len(), texts.last().unwrap().as_str()), (10, "goes on"), "without {left_out}");
    }
}

/// The same where only names tell, because a summary in the middle has rotted. The name that is left out may be that of an
/// epoch's first segment: without it, what a replaced writer had in flight looks alive.
#[test]
fn a_name_that_listings_leave_out_behind_a_rotten_summary_is_not_damage() {
    let mut place = Place::bucket();
    place.options = place.options.summary_segments(4);
    for number in 0..4 {
        place.start().fill(3 + number, 100);
    }
    place.start().fill(20, 100);
    let all = place.texts();
    let summaries = place.names_beginning("summary/"); // the newest has the least name
    for rotten in &summaries[2..] {
        place.sim.flip(rotten, 100, 3);
    }
    let behind = name(place.open().unwrap().survey().chain().older().expect("summaries list what is older"));
    let unlisted = place.segments().into_iter().filter(|name| *name < behind);
    for (left_out, listings) in unlisted.flat_map(|name| [(name.clone(), 1), (name, 4)]) {
        let process = place.sim.fork(1).process();
        let store = Forgetful { process, name: left_out.clone(), listings: Mutex::new(listings) };
        let log = headwater_wal::Log::open(Arc::new(store), place.options.clone()).unwrap();
        assert!(crate::rules::texts(log.replay(Position::START).unwrap()) == all, "without {left_out}");
    }
}
