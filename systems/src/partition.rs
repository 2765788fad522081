//! A partition of the stream as a receiver wants it: in order, from the first message that was not acknowledged, and
//! acknowledged by position.
//!
//! JetStream keeps what was acknowledged in a *consumer*. One consumer of a name for all time would not do: what it has
//! handed to a process that was killed it sends again, but only after a while, and what comes later before that. So each
//! process has a consumer of its own, which begins behind what was acknowledged to the one before. A consumer numbers
//! its deliveries: while none of these numbers is missing, there is no message of the subject between one delivery and
//! the next, and what the stream's own numbers leave out between them is a hole. When one is missing (a connection broke
//! with messages on it), the next consumer is made.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{Context, Message};
use futures_util::StreamExt;
use headwater_wal::receiver::{Acknowledge, End};
use headwater_wal::{Error, Kind};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::Result;
use crate::stream::{self, STREAM};

/// So long is waited for a message before the caller hears that there is none.
const WAIT: Duration = Duration::from_millis(100);

/// So long for the server's word that it has heard an acknowledgement; nothing is reported meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);

/// A partition, as one process reads it.
pub(crate) struct Partition {
    runtime: Handle,
    context: Context,
    number: u32,
    reading: Option<Reading>,
    waiting: Arc<Waiting>,
}

/// A consumer, and where in its deliveries we are.
struct Reading {
    consumer: PullConsumer,
    batch: Option<pull::Batch>,
    /// The number of the next delivery.
    next: u64,
    /// How often the client had connected when the consumer was made.
    connects: u64,
}

/// Messages that were delivered and are not acknowledged, by position.
pub(crate) struct Waiting {
    runtime: Handle,
    partition: u32,
    messages: Mutex<BTreeMap<u64, Message>>,
}

impl Partition {
    pub(crate) fn connect(runtime: &Handle, url: &str, number: u32) -> Result<Partition> {
        let runtime = runtime.clone();
        let context = runtime.block_on(stream::connect(url))?;
        let waiting = Waiting { runtime: runtime.clone(), partition: number, messages: Mutex::default() };
        Ok(Partition { runtime, context, number, reading: None, waiting: Arc::new(waiting) })
    }

    /// Whom a receiver tells what is safe.
    pub(crate) fn source(&self) -> Arc<Waiting> {
        self.waiting.clone()
    }

    /// Whether messages come; else [`begin`](Self::begin) anew.
    pub(crate) fn has_begun(&self) -> bool {
        self.reading.is_some()
    }

    /// Makes the next consumer. Everything below the position that comes back was acknowledged.
    pub(crate) fn begin(&mut self) -> Result<u64> {
        // The old one's deliveries cannot be acknowledged to the new one, which makes them all again.
        self.waiting.messages.lock().expect("nobody panics with it").clear();
        let begun = self.runtime.block_on(async {
            let stream = self.context.get_stream(STREAM).await?;
            let before = stream::consumers(&stream, self.number).await?;
            let acknowledged = before.iter().map(|&(_, floor)| floor).max().unwrap_or(0);
            let newest = before.iter().map(|&(number, _)| number).max().unwrap_or(0);
            // A connection that breaks from here on may break with messages on it.
            let connects = self.connects();
            let consumer = stream
                .create_consumer(pull::Config {
                    durable_name: Some(format!("receiver-{}-{}", self.number, newest + 1)),
                    deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: acknowledged + 1 },
                    ack_policy: AckPolicy::Explicit,
                    ack_wait: Duration::from_secs(5),
                    max_ack_pending: 8_192,
                    filter_subject: stream::subject(self.number),
                    ..pull::Config::default()
                })
                .await?;
            // Only now: a process that is killed in between leaves two, and what the first one knows is not lost.
            for (number, _) in before {
                stream.delete_consumer(&format!("receiver-{}-{number}", self.number)).await?;
            }
            let reading = Reading { consumer, batch: None, next: 1, connects };
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((reading, acknowledged + 1))
        });
        let (reading, from) = begun?;
        self.reading = Some(reading);
        Ok(from)
    }

    /// The next message: its position, and its bytes. None if none has come for a while. After an error messages may be
    /// missing: begin anew.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, bytes::Bytes)>> {
        let Some(mut reading) = self.reading.take() else { return Ok(None) };
        if reading.connects != self.connects() {
            return Err("the server was away, perhaps with messages on their way".into());
        }
        let message = self.runtime.block_on(async {
            let batch = match &mut reading.batch {
                Some(batch) => batch,
                none => {
                    let batch = reading.consumer.batch().max_messages(500).expires(Duration::from_secs(1));
                    none.insert(batch.messages().await?)
                }
            };
            match timeout(WAIT, batch.next()).await {
                Err(_) => Ok(None),
                Ok(Some(message)) => message.map(Some),
                Ok(None) => {
                    reading.batch = None;
                    Ok(None)
                }
            }
        })?;
        let Some(message) = message else {
            self.reading = Some(reading);
            return Ok(None);
        };
        let (position, delivery) = {
            let info = message.info()?;
            (info.stream_sequence, info.consumer_sequence)
        };
        if delivery != reading.next {
            return Err(format!("a delivery is missing: expected={} is={delivery}", reading.next).into());
        }
        reading.next += 1;
        self.reading = Some(reading);
        let bytes = message.payload.clone();
        self.waiting.messages.lock().expect("nobody panics with it").insert(position, message);
        Ok(Some((position, bytes)))
    }

    fn connects(&self) -> u64 {
        self.context.client().statistics().connects.load(Ordering::Relaxed)
    }
}

impl Acknowledge for Waiting {
    fn acknowledge(&self, ends: &[End]) -> headwater_wal::Result<()> {
        let Some(end) = ends.iter().find(|end| end.partition == self.partition) else { return Ok(()) };
        let mut safe: Vec<(u64, Message)> = {
            let waiting = self.messages.lock().expect("nobody panics with it");
            waiting.range(..end.end).map(|(position, message)| (*position, message.clone())).collect()
        };
        let Some((last, newest)) = safe.pop() else { return Ok(()) };
        let told = self.runtime.block_on(async {
            let all = async {
                for (_, message) in &safe {
                    message.ack().await?;
                }
                // The server takes them in order, so its answer to the last one is an answer to all.
                newest.double_ack().await
            };
            timeout(PATIENCE, all).await
        });
        let failed = |why: String| Error::new(Kind::Unavailable, format!("the stream was not told: {why}"));
        told.map_err(|late| failed(late.to_string()))?.map_err(|error| failed(error.to_string()))?;
        // These, and no others below the end: what has come meanwhile was not in what the server was told.
        let mut waiting = self.messages.lock().expect("nobody panics with it");
        for (position, _) in safe {
            waiting.remove(&position);
        }
        waiting.remove(&last);
        Ok(())
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("partition", &self.partition).finish_non_exhaustive()
    }
}
