//! Outputs in files: each is published once, whatever fails and whoever publishes it.

use std::sync::Arc;

use headwater_checkpoint::journal::{BatchId, OutputId};
use headwater_checkpoint::sink::Files;
use headwater_wal::Kind;
use headwater_wal::store::sim::{Fault, Op, Sim, When};
use headwater_wal::store::{Local, Store};

const OUTPUT: OutputId = OutputId { batch: BatchId(7), partition: 3 };

#[test]
fn the_first_attempt_stays_and_every_other_is_told_which_it_is() {
    let directory = tempfile::tempdir().unwrap();
    for store in [Arc::new(Local::open(directory.path()).unwrap()) as Arc<dyn Store>, Sim::objects(1).store()]
    {
        let files = Files::open(store);
        assert_eq!(files.read(OUTPUT).unwrap(), None);
        let first = files.publish(OUTPUT, "one").unwrap();
        assert!(first.is_this && first.is_new);
        let again = files.publish(OUTPUT, "one").unwrap();
        assert!(again.is_this && !again.is_new && again.attempt == first.attempt);
        let other = files.publish(OUTPUT, "other").unwrap();
        assert_eq!((other.attempt, other.is_this), (first.attempt, false));
        let empty = OutputId { batch: BatchId(8), ..OUTPUT };
        assert!(files.publish(empty, "").unwrap().is_this);
        assert_eq!(files.read(OUTPUT).unwrap().unwrap(), "one");
        assert_eq!(files.list().unwrap(), [OUTPUT, empty]);
    }
}

#[test]
fn whatever_fails_an_output_is_there_whole_and_once() {
    let faults = [
        Fault::Error,
        Fault::Partly,
        Fault::Full,
        Fault::AnswerLost,
        Fault::RequestLost,
        Fault::Late,
        Fault::Held,
        Fault::ExistsOwn,
        Fault::ExistsNothing,
        Fault::Crash,
    ];
    for seed in 0..40 {
        let shapes: [fn(u64) -> Sim; 2] = [Sim::growing, Sim::objects];
        for (fault, shape) in faults.iter().flat_map(|fault| shapes.map(|shape| (*fault, shape))) {
            let device = shape(seed);
            let publish = |bytes: &'static str| Files::open(device.store()).publish(OUTPUT, bytes);
            device.plan(When::nth(1 + seed % 8), fault);
            let mut first = publish("what is published");
            if seed >= 8 && first.is_err() {
                // Run again, by the same driver or the next one, while things still go wrong.
                device.plan(When::nth(1 + seed / 8), fault);
                first = publish("what is published");
            }
            device.calm();
            let at = format!("seed={seed} fault={fault:?} first={first:?}");
            if let Ok(first) = &first {
                device.power_cut();
                device.calm();
                assert!(first.is_this, "{at}");
                assert!(!publish("another").unwrap().is_this, "{at}");
                assert_eq!(publish("another").unwrap().attempt, first.attempt, "{at}");
                continue;
            }
            // The batch is run again, and gives the same. Now a call that was late lands, if there is one.
            let again = publish("what is published").unwrap();
            assert!(again.is_this, "{at}");
            device.land_all();
            let files = Files::open(device.store());
            assert_eq!(files.read(OUTPUT).unwrap().unwrap(), "what is published", "{at}");
            assert_eq!(files.list().unwrap(), [OUTPUT], "{at}");
        }
    }
}

#[test]
fn an_output_that_is_found_under_its_name_is_durable() {
    for seed in 0..20 {
        let device = Sim::growing(seed);
        let publish = || Files::open(device.store()).publish(OUTPUT, "one");
        device.plan(When::nth(1).of(Op::SyncNames), Fault::Error);
        assert_eq!(publish().unwrap_err().kind(), Kind::Unknown);
        device.calm();
        // The name is there, and only in the page cache.
        assert!(publish().unwrap().is_this);
        device.power_cut();
        device.calm();
        assert!(Files::open(device.store()).read(OUTPUT).unwrap().is_some(), "seed={seed}");
    }
}

#[test]
fn an_answer_that_says_there_is_one_where_none_is_says_that_it_is_not_known() {
    let device = Sim::objects(1);
    device.plan(When::nth(1).of(Op::Put), Fault::ExistsNothing);
    let error = Files::open(device.store()).publish(OUTPUT, "one").unwrap_err();
    assert_eq!(error.kind(), Kind::Unknown);
    assert!(error.to_string().contains("does not show it"), "{error}");
}
