//! A plain S3 server in memory: for rows of figures in which a real one would be what is measured.
//!
//! It keeps what S3 says of put-if-absent, ranges, listings and deletes, and checks no signature. A thread serves each
//! connection; one lock guards the names, and is held for no copy of bytes.

mod bucket;
mod list;

use std::io::{self, BufReader, BufWriter, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::http::{Body, Head};
use crate::proxy;
use bucket::Bucket;

/// Begins to serve from a thread, until the process ends; where.
pub fn start() -> io::Result<SocketAddr> {
    let listener = proxy::listen()?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("plain".into()).spawn(move || serve(&listener))?;
    Ok(address)
}

fn serve(listener: &TcpListener) {
    let bucket = Arc::new(Bucket::default());
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        let bucket = bucket.clone();
        thread::spawn(move || {
            // A connection that ends badly has told the client all there is to tell.
            let _ = connection(&bucket, &client);
        });
    }
}

fn connection(bucket: &Bucket, client: &TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut from = BufReader::with_capacity(64 << 10, client);
    while let Some(head) = Head::read(&mut from)? {
        let body = Body::of_request(&head)?;
        if head.field("expect").is_some() {
            Head::answer(100, "Continue").write(&mut &*client)?;
        }
        let body = body.read(&mut from)?;
        let (answer, bytes) = bucket.answer(&head, body);
        let mut to = BufWriter::with_capacity(64 << 10, client);
        let length = match answer.field("content-length") {
            Some(_) => answer,
            None => answer.with("Content-Length", bytes.len()),
        };
        length.write(&mut to)?;
        to.write_all(&bytes)?;
        to.flush()?;
    }
    Ok(())
}
