//! Who puts messages into the stream, at a steady rate, through all that happens to the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use futures_util::future::join_all;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::Result;
use crate::setup::Setup;
use crate::stream::{self, PARTITIONS};
use crate::words;

/// So often some messages go out together.
const TICK: Duration = Duration::from_millis(20);

/// So long is waited for the server to say that it has a message, before it is sent again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Publishes until told to end; how many messages the server has taken.
pub(crate) fn publish(setup: &Setup, end: &Arc<AtomicBool>) -> Result<u64> {
    let runtime = stream::runtime()?;
    runtime.block_on(async {
        let context = stream::connect(&setup.nats).await?;
        let each = (setup.per_second * TICK.as_millis() as u64 / 1000).max(1);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut next = 1;
        while !end.load(Ordering::Relaxed) {
            ticks.tick().await;
            join_all((next..next + each).map(|number| one(&context, setup.seed, number))).await;
            next += each;
        }
        Ok(next - 1)
    })
}

/// Publishes a message until the server says that it has it. Its number is its name, so the server takes it once.
async fn one(context: &Context, seed: u64, number: u64) {
    let (partition, text) = words::message(seed, number, PARTITIONS);
    loop {
        let message = PublishMessage::build().message_id(number.to_string()).payload(text.clone().into());
        let sent = async { context.send_publish(stream::subject(partition), message).await?.await };
        match timeout(PATIENCE, sent).await {
            Ok(Ok(_)) => return,
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}
