//! A server that answers S3's requests as it is told, one after the other.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

/// One answer.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// A status and a body.
    Status(u16, String),
    /// The connection is closed once the request is read.
    Close,
    /// Nothing, for as long as anybody waits.
    Nothing,
}

/// A status with the body that S3 has for a code.
pub(super) fn status(status: u16, code: &str) -> Reply {
    let secret = "<StringToSign>AWS4-HMAC hunter2-hunter2 deep-token</StringToSign>";
    Reply::Status(status, format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code>{secret}</Error>"))
}

/// A request, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) body: Vec<u8>,
}

/// The server; it ends with the process.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    replies: VecDeque<Reply>,
    then: Option<Reply>,
    requests: Vec<Request>,
}

impl Server {
    /// Answers with these, and then always with the last.
    pub(super) fn replying(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State {
            replies: replies.iter().cloned().collect(),
            then: replies.last().cloned(),
            requests: Vec::new(),
        };
        let server = Server { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let state = server.state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), state.clone());
                thread::spawn(move || serve(&stream, &state));
            }
        });
        server
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state.lock().requests.clone()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&len| len > 0)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut len = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                len = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; len];
        reader.read_exact(&mut body).ok()?;
        let reply = {
            let mut state = state.lock();
            state.requests.push(Request { method, target, body });
            state.replies.pop_front().or(state.then.clone())?
        };
        match reply {
            Reply::Close => return None,
            Reply::Nothing => thread::sleep(Duration::from_secs(3600)),
            Reply::Status(status, body) => {
                let etag = if status == 200 { "etag: \"x\"\r\n" } else { "" };
                write!(
                    &*stream,
                    "HTTP/1.1 {status} Said\r\n{etag}content-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .ok()?;
            }
        }
    }
}
