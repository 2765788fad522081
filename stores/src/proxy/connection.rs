//! One connection: its requests, one after the other.

use std::io::{self, BufReader, BufWriter, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use super::Shared;
use super::fault::{Fault, Request};
use crate::http::{Body, Head};

const BUFFER_BYTES: usize = 64 << 10;

/// Serves a client until one of both sides ends.
pub(super) fn serve(shared: &Shared, client: &TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut from = BufReader::with_capacity(BUFFER_BYTES, client);
    let mut server = None;
    while let Some(head) = Head::read(&mut from)? {
        let (request, delay, fault) = {
            let mut state = shared.state();
            let number = state.tally.requests;
            let request =
                Request { number, method: head.method().to_owned(), target: head.target().to_owned() };
            let fault = state.faults.choose(&request);
            state.tally.requests += 1;
            state.tally.puts += u64::from(request.is_put());
            state.tally.faults += u64::from(fault.is_some());
            state.under_way += 1;
            state.tally.at_once = state.tally.at_once.max(state.under_way);
            (request, state.delay, fault)
        };
        let _under_way = UnderWay(shared);
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        let closes = head.closes();
        let mut exchange = Exchange { shared, client, method: &request.method };
        let goes_on = exchange.run(head, &mut from, &mut server, fault)?;
        if closes || !goes_on {
            break;
        }
    }
    client.shutdown(Shutdown::Both)
}

/// A request and its answer.
struct Exchange<'a> {
    shared: &'a Shared,
    client: &'a TcpStream,
    method: &'a str,
}

struct UnderWay<'a>(&'a Shared);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
    }
}

impl Exchange<'_> {
    /// Whether the connection goes on.
    fn run(
        &mut self,
        mut head: Head,
        from: &mut BufReader<&TcpStream>,
        server: &mut Option<BufReader<TcpStream>>,
        fault: Option<Fault>,
    ) -> io::Result<bool> {
        let body = Body::of_request(&head)?;
        if head.drop_field("expect") {
            Head::answer(100, "Continue").write(&mut &*self.client)?;
        }
        if fault.as_ref().is_some_and(|fault| !fault.is_after()) {
            body.copy(from, &mut io::sink())?;
            return self.meet(fault.expect("there is one"));
        }
        let server = match server {
            Some(server) if lives(server) => server,
            gone => {
                let fresh = TcpStream::connect(self.shared.server)?;
                fresh.set_nodelay(true)?;
                gone.insert(BufReader::with_capacity(BUFFER_BYTES, fresh))
            }
        };
        let mut to = BufWriter::with_capacity(BUFFER_BYTES, server.get_ref());
        head.write(&mut to)?;
        let sent = body.copy(from, &mut to)?;
        to.flush()?;
        drop(to);
        self.shared.state().tally.sent_bytes += sent;
        let answer = loop {
            let head = Head::read(server)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if head.status() >= 200 {
                break head;
            }
        };
        let body = Body::of_answer(self.method, &answer)?;
        if let Some(fault) = fault {
            body.copy(server, &mut io::sink())?;
            return self.meet(fault);
        }
        let mut to = BufWriter::with_capacity(BUFFER_BYTES, self.client);
        answer.write(&mut to)?;
        let got = body.copy(server, &mut to)?;
        to.flush()?;
        self.shared.state().tally.got_bytes += got;
        Ok(body != Body::ToEnd && !answer.closes())
    }

    fn meet(&mut self, fault: Fault) -> io::Result<bool> {
        match fault {
            Fault::CutAfter | Fault::CutBefore => Ok(false),
            Fault::Hang | Fault::HangAfter => {
                self.shared.hang();
                Ok(false)
            }
            Fault::Answer(status, body) | Fault::AnswerAfter(status, body) => {
                let bytes = if self.method == "HEAD" { "" } else { body };
                let head = Head::answer(status, "So it is").with("Content-Type", "application/xml");
                let mut to = BufWriter::new(self.client);
                head.with("Content-Length", body.len()).write(&mut to)?;
                to.write_all(bytes.as_bytes())?;
                to.flush()?;
                Ok(true)
            }
        }
    }
}

/// Whether an idle server has not ended the connection: most do after some seconds.
fn lives(server: &BufReader<TcpStream>) -> bool {
    let stream = server.get_ref();
    let asked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    let back = stream.set_nonblocking(false);
    back.is_ok()
        && server.buffer().is_empty()
        && asked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
