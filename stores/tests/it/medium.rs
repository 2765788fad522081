//! The conformance suite on real servers: a backend is done when it passes.

use headwater_stores::open;
use headwater_stores::servers::Bucket;
use headwater_wal::store::suite;

use super::place::{on_hdfs, on_servers};

on_servers! { it_does_what_is_said_of_a_store }
on_hdfs! { it_does_what_is_said_of_a_store }

fn it_does_what_is_said_of_a_store(bucket: &Bucket) {
    suite::conforms(|| open(&bucket.folder("suite")).expect("the store opens"));
}
