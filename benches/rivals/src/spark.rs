//! Real Spark, in processes of its own: its receiver log by itself, or a streaming job whose receiver stores blocks. Each
//! connects to this process, and does what it is asked for.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use headwater_benches::replication::line::Latency;

use crate::Result;
use crate::args::Args;
use crate::load::{Outcome, Shape};
use crate::session::Running;
use crate::started::Started;

/// A job of two executors is there after some ten seconds, on a machine that does nothing else.
const STARTS: Duration = Duration::from_secs(120);
/// Beyond what it was asked for; a block of Spark's may take 30 s by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// What Spark opens of Java 17 for itself; its own launcher gives the same.
const OPENED: [&str; 13] = [
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
];

/// What of Spark makes blocks safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The receiver's log by itself.
    ReceiverLog,
    /// A job's blocking `store()`, without a log.
    Store {
        /// How many executors keep a block.
        copies: u64,
    },
    /// The same with the receiver's log.
    StoreLogged,
}

/// What a log's flush is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    AsItIs,
    Synced,
    /// On HDFS: with the length recorded at the NameNode.
    SyncedWithLength,
}

/// A program on a Java machine, and the connection that it has made.
#[derive(Debug)]
pub(crate) struct Spark {
    /// Closed before the program is ended.
    to: TcpStream,
    from: BufReader<TcpStream>,
    _program: Started,
    dir: PathBuf,
}

impl Spark {
    /// Starts it, and waits until it is ready. `folder` is where a log lies, as Hadoop names it.
    pub(crate) fn start(args: &Args, what: What, flush: Flush, dir: &Path, folder: &str) -> Result<Spark> {
        fs::create_dir(dir)?;
        // Spark keeps what its executors say below its home, of which it needs nothing but the jars.
        std::os::unix::fs::symlink(args.jars.canonicalize()?, dir.join("jars"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port().to_string();
        let classes = args.classes.canonicalize()?;
        let classes = classes.to_str().ok_or("the classes lie where no text names it")?;
        let mut command = Command::new("java");
        command
            .arg("-Xmx2g")
            .args(OPENED.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")));
        command.arg("-cp").arg(format!("{classes}:{}/*", dir.join("jars").display()));
        let flush = match flush {
            Flush::AsItIs => "asItIs",
            Flush::Synced => "synced",
            Flush::SyncedWithLength => "syncedWithLength",
        };
        match what {
            What::ReceiverLog => command.args(["ReceiverLog", &port, folder, flush]),
            What::Store { copies } => {
                command.args(["StoreJob", &port, classes, &copies.to_string(), "-", flush])
            }
            What::StoreLogged => command.args(["StoreJob", &port, classes, "1", folder, flush]),
        };
        command.env("SPARK_HOME", dir).env("SPARK_SCALA_VERSION", "2.12").env("SPARK_LOCAL_IP", "127.0.0.1");
        command.env("SPARK_LOCAL_DIRS", dir.join("local")).current_dir(dir);
        let mut program = Started::start(&command, &dir.join("says"))?;
        let to = accept(&listener, &mut program)?;
        to.set_nodelay(true)?;
        let mut from = BufReader::new(to.try_clone()?);
        match heard(&mut from, STARTS)?.as_str() {
            "ready" => Ok(Spark { to, from, _program: program, dir: dir.into() }),
            other => Err(format!("Spark begins with {other:?}").into()),
        }
    }
}

fn accept(listener: &TcpListener, program: &mut Started) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let began = Instant::now();
    while began.elapsed() < STARTS {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => program.still_runs()?,
            Err(error) => return Err(error.into()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!(
        "Spark is not there after {} s; the end of what it said:\n{}",
        STARTS.as_secs(),
        program.last_words()
    )
    .into())
}

fn heard(from: &mut BufReader<TcpStream>, within: Duration) -> Result<String> {
    from.get_ref().set_read_timeout(Some(within))?;
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.strip_suffix('\n').ok_or("Spark hung up")?.into())
}

impl Running for Spark {
    fn prepare(&mut self, _: Shape) -> Result<()> {
        Ok(())
    }

    fn run(&mut self, shape: Shape, lasts: Duration) -> Result<Outcome> {
        let order = format!("{} {} {}\n", shape.block_bytes, shape.outstanding, lasts.as_millis());
        self.to.write_all(order.as_bytes())?;
        outcome(&heard(&mut self.from, lasts + PATIENCE)?)
    }

    fn end(&mut self) -> Result<()> {
        self.to.shutdown(std::net::Shutdown::Both)?;
        Ok(())
    }
}

/// What `Load.java` prints.
fn outcome(said: &str) -> Result<Outcome> {
    let words: Vec<&str> = said.split(' ').collect();
    let [blocks, seconds, p50, p99, p99_9] = words[..] else {
        return Err(format!("Spark says: {said}").into());
    };
    let latency = Latency { p50: p50.parse()?, p99: p99.parse()?, p99_9: p99_9.parse()? };
    Ok(Outcome { blocks: blocks.parse()?, seconds: seconds.parse()?, latency })
}

impl Drop for Spark {
    fn drop(&mut self) {
        // Its log may be long; the jars are only pointed at.
        let _ = fs::remove_dir_all(self.dir.join("log"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spark_answers_is_figures_or_an_error_with_its_words() {
        let answer = outcome("12 0.5 1.5 2.5 3.5").unwrap();
        assert_eq!((answer.blocks, answer.seconds, answer.latency.p99), (12, 0.5, 2.5));
        let error = outcome("failed java.io.IOException: no room").unwrap_err().to_string();
        assert!(error.contains("no room"), "{error}");
    }
}
