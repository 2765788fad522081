//! The source: a JetStream stream in a file, and what it has.

use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{self, Context, consumer};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::Result;

/// The stream.
pub(crate) const STREAM: &str = "WORDS";

/// How many partitions it has, a subject each. Their messages share the stream's numbers, so each has holes.
pub(crate) const PARTITIONS: u32 = 2;

/// The subject of a partition.
pub(crate) fn subject(partition: u32) -> String {
    format!("words.{partition}")
}

/// Where the client runs, beside those who wait for it.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// A connection that finds a server again that was killed.
pub(crate) async fn connect(url: &str) -> Result<Context> {
    let options = async_nats::ConnectOptions::new()
        .retry_on_initial_connect()
        .connection_timeout(Duration::from_secs(2))
        .request_timeout(Some(Duration::from_secs(2)))
        .reconnect_delay_callback(|_| Duration::from_millis(50));
    Ok(jetstream::new(options.connect(url).await?))
}

/// Makes the stream.
pub(crate) async fn make(context: &Context) -> Result<()> {
    let config = Config {
        name: STREAM.into(),
        subjects: vec!["words.*".into()],
        // A message that is published twice, since nobody heard of the first time, is taken once.
        duplicate_window: Duration::from_secs(600),
        ..Config::default()
    };
    context.create_stream(config).await?;
    Ok(())
}

/// A message, as the stream has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) sequence: u64,
    pub(crate) partition: u32,
    pub(crate) text: String,
}

/// Everything that the stream has: the truth that the outcome is compared with.
pub(crate) async fn contents(context: &Context) -> Result<Vec<Message>> {
    let stream = context.get_stream(STREAM).await?;
    let expected = stream.get_info().await?.state.messages;
    let config = pull::Config { ack_policy: consumer::AckPolicy::None, ..pull::Config::default() };
    let consumer = stream.create_consumer(config).await?;
    let mut all = Vec::new();
    while (all.len() as u64) < expected {
        let before = all.len();
        let mut batch = consumer.fetch().max_messages(500).messages().await?;
        while let Some(message) = batch.next().await {
            let message = message?;
            let partition = message.subject.as_str().rsplit('.').next().unwrap_or_default().parse()?;
            let text = String::from_utf8(message.payload.to_vec())?;
            all.push(Message { sequence: message.info()?.stream_sequence, partition, text });
        }
        if all.len() == before {
            return Err(format!("the stream ends after {before} of its {expected} messages").into());
        }
    }
    Ok(all)
}

/// The consumers of a partition: what number each has, and up to where it was acknowledged.
pub(crate) async fn consumers(stream: &Stream, partition: u32) -> Result<Vec<(u64, u64)>> {
    let prefix = format!("receiver-{partition}-");
    let mut found = Vec::new();
    let mut consumers = stream.consumers();
    while let Some(consumer) = consumers.next().await {
        let consumer = consumer?;
        let number = consumer.name.strip_prefix(&prefix).and_then(|number| number.parse().ok());
        found.extend(number.map(|number| (number, consumer.ack_floor.stream_sequence)));
    }
    Ok(found)
}

/// Up to which sequence number a partition was acknowledged, and the number of its newest message.
pub(crate) async fn acknowledged(context: &Context, partition: u32) -> Result<(u64, u64)> {
    let stream = context.get_stream(STREAM).await?;
    let newest = stream.get_last_raw_message_by_subject(&subject(partition)).await?.sequence;
    let consumers = consumers(&stream, partition).await?;
    Ok((consumers.into_iter().map(|(_, floor)| floor).max().unwrap_or(0), newest))
}
