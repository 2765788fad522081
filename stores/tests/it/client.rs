//! A client of a few requests, to see what the proxy and the plain server do.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use headwater_stores::http::{Body, Head};

/// A connection that is kept.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Client(BufReader::new(stream)))
    }

    /// Asks, and returns status and body.
    pub(crate) fn ask(&mut self, method: &str, target: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        self.send(method, target, &format!("Content-Length: {}\r\nIf-None-Match: *\r\n", body.len()), body)?;
        self.answer(method)
    }

    /// Sends a request with these fields.
    pub(crate) fn send(&mut self, method: &str, target: &str, fields: &str, body: &[u8]) -> io::Result<()> {
        let to = self.0.get_mut();
        to.write_all(format!("{method} {target} HTTP/1.1\r\nHost: here\r\n{fields}\r\n").as_bytes())?;
        to.write_all(body)
    }

    /// Sends the rest of a request.
    pub(crate) fn send_only(&mut self, body: &[u8]) {
        self.0.get_mut().write_all(body).expect("it is sent");
    }

    /// The answer to a request of this method.
    pub(crate) fn answer(&mut self, method: &str) -> io::Result<(u16, Vec<u8>)> {
        let head = Head::read(&mut self.0)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let body = Body::of_answer(method, &head)?;
        Ok((head.status(), body.read(&mut self.0)?))
    }

    pub(crate) fn put(&mut self, target: &str, body: &[u8]) -> io::Result<u16> {
        self.ask("PUT", target, body).map(|answer| answer.0)
    }

    pub(crate) fn get(&mut self, target: &str) -> io::Result<(u16, Vec<u8>)> {
        self.ask("GET", target, b"")
    }
}
