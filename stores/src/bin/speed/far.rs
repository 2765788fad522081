//! A server, and the way to it.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use headwater_stores::plain;
use headwater_stores::proxy::Proxy;
use headwater_stores::servers::Bucket;

use super::Result;

/// What the proxy adds to every request.
pub(super) const DELAY: Duration = Duration::from_millis(30);

/// Serves from memory in a process of its own, so that its memory is not measured with ours, until the other end of its
/// input is closed.
pub(super) fn serve() -> Result<()> {
    println!("{}", plain::start()?);
    let _ = std::io::stdin().read_line(&mut String::new());
    Ok(())
}

/// A server behind a proxy.
pub(super) struct Far {
    /// Straight to the server.
    pub(super) near: Bucket,
    /// Through the proxy.
    pub(super) far: Bucket,
    pub(super) proxy: Proxy,
    plain: Option<Child>,
}

impl Far {
    /// The server that the environment names, or a plain one.
    pub(super) fn named() -> Result<Self> {
        match env::var("HEADWATER_S3_URL").ok().map(Bucket::new) {
            Some(near) if near.address().is_some() => Far::before(near, None),
            _ => Far::plain(),
        }
    }

    /// A plain server in memory.
    pub(super) fn plain() -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let mut plain = command.arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(plain.stdout.take().expect("a pipe")).read_line(&mut line)?;
        Far::before(Bucket::plain(line.trim().parse()?), Some(plain))
    }

    fn before(near: Bucket, plain: Option<Child>) -> Result<Self> {
        let proxy = Proxy::start(near.address().expect("a plain endpoint"))?;
        proxy.delay(DELAY);
        let far = near.through(proxy.address());
        println!("  server: {}", if plain.is_some() { "plain, in memory" } else { "HEADWATER_S3_URL" });
        Ok(Far { near, far, proxy, plain })
    }

    /// The same folder by both ways: straight, and through the proxy.
    pub(super) fn folder(&self, name: &str) -> (String, String) {
        let near = self.near.folder(name);
        let folder = near.split('?').next().and_then(|place| place.rsplit('/').next()).expect("a folder");
        (near.clone(), self.far.inside(folder))
    }

    /// How many requests come through while this is done.
    pub(super) fn requests<T>(&self, done: impl FnOnce() -> T) -> (T, u64) {
        let before = self.proxy.tally().requests;
        let result = done();
        thread::yield_now();
        (result, self.proxy.tally().requests - before)
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        if let Some(plain) = &mut self.plain {
            let _ = plain.kill();
            let _ = plain.wait();
        }
    }
}
