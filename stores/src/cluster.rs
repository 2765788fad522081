//! A NameNode and a DataNode of one's own, to be killed: `stores/hdfs-up --obey` has them.

use std::io::{self, BufRead, BufReader, Error, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::servers::Bucket;

/// It ends with this, and with this process however that ends: the script reads to the end of its input.
#[derive(Debug)]
pub struct Cluster {
    script: Child,
    says: BufReader<ChildStdout>,
    input: Option<ChildStdin>,
    url: String,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// It knows names, blocks and leases.
    Name,
    /// It has the bytes.
    Data,
}

impl Cluster {
    /// Starts one, and waits until files can be written.
    pub fn start() -> io::Result<Cluster> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hdfs-up");
        let mut script =
            Command::new(script).arg("--obey").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let says = BufReader::new(script.stdout.take().expect("a pipe"));
        let input = script.stdin.take();
        let mut cluster = Cluster { script, says, input, url: String::new() };
        cluster.url = cluster.line()?;
        Ok(cluster)
    }

    /// Its folder for tests.
    pub fn bucket(&self) -> Bucket {
        Bucket::new(&*self.url)
    }

    /// Kills one of the two, as a power cut of its machine would.
    pub fn kill(&mut self, node: Node) -> io::Result<()> {
        self.obey(&format!("kill {}", name(node)))
    }

    /// Starts it again, and waits until it listens.
    pub fn restart(&mut self, node: Node) -> io::Result<()> {
        self.obey(&format!("start {}", name(node)))
    }

    /// Waits until files can be written.
    pub fn ready(&mut self) -> io::Result<()> {
        self.obey("wait ready")
    }

    fn obey(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().expect("it is open until the end");
        writeln!(input, "{line}")?;
        match &*self.line()? {
            "done" => Ok(()),
            other => Err(Error::other(format!("{line}: {other}"))),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.says.read_line(&mut line)? {
            0 => Err(Error::other("stores/hdfs-up has ended")),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.script.wait();
    }
}

fn name(node: Node) -> &'static str {
    match node {
        Node::Name => "namenode",
        Node::Data => "datanode",
    }
}
