//! As much of HTTP/1.1 as a proxy and a server of a few requests need: heads, and where bodies end.

use std::io::{self, BufRead, Read, Write};

/// The longest head that is read.
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// The first line of a request or an answer, and its fields.
#[derive(Clone, Debug)]
pub struct Head {
    line: String,
    fields: Vec<(String, String)>,
}

/// Where the body of a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// After a chunk of no bytes, and trailers.
    Chunked,
    /// Where the connection does.
    ToEnd,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A line without its end; empty at the end of the connection too.
fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.take(HEAD_BYTES_MAX).read_until(b'\n', &mut line)?;
    while line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| invalid("a head that is no text"))
}

impl Head {
    /// An answer of a status, without fields.
    pub fn answer(status: u16, reason: &str) -> Self {
        Head { line: format!("HTTP/1.1 {status} {reason}"), fields: Vec::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.fields.push((name.to_owned(), value.to_string()));
        self
    }

    /// The next head, or none where the connection ends before one.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        if from.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let line = read_line(from)?;
        let (mut fields, mut left) = (Vec::new(), HEAD_BYTES_MAX);
        loop {
            let field = read_line(from)?;
            if field.is_empty() {
                return Ok(Some(Head { line, fields }));
            }
            left = left.checked_sub(field.len() as u64).ok_or_else(|| invalid("a head that is too long"))?;
            let (name, value) = field.split_once(':').ok_or_else(|| invalid("a field without a colon"))?;
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1.as_str())
    }

    /// Leaves a field out; whether it was there.
    pub fn drop_field(&mut self, name: &str) -> bool {
        let before = self.fields.len();
        self.fields.retain(|field| !field.0.eq_ignore_ascii_case(name));
        self.fields.len() < before
    }

    /// Of a request: what is asked for.
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or("")
    }

    /// Of a request: of what, with its query.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or("")
    }

    /// Of an answer: its status.
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// Whether the connection ends with this message.
    pub fn closes(&self) -> bool {
        self.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Writes it, with the empty line behind it.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        write!(to, "{}\r\n", self.line)?;
        for (name, value) in &self.fields {
            write!(to, "{name}: {value}\r\n")?;
        }
        to.write_all(b"\r\n")
    }

    fn framed(&self) -> io::Result<Option<Body>> {
        if self.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(Some(Body::Chunked));
        }
        let Some(length) = self.field("content-length") else { return Ok(None) };
        length
            .parse()
            .map(|length| Some(Body::Length(length)))
            .map_err(|_| invalid("a length that is no number"))
    }
}

impl Body {
    /// Of a request.
    pub fn of_request(head: &Head) -> io::Result<Self> {
        Ok(head.framed()?.unwrap_or(Body::None))
    }

    /// Of an answer to a request of this method.
    pub fn of_answer(method: &str, head: &Head) -> io::Result<Self> {
        if method == "HEAD" || matches!(head.status(), 100..=199 | 204 | 304) {
            return Ok(Body::None);
        }
        Ok(head.framed()?.unwrap_or(Body::ToEnd))
    }

    /// Copies the body as it is framed; how many bytes of it.
    pub fn copy(self, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<u64> {
        match self {
            Body::None => Ok(0),
            Body::ToEnd => io::copy(from, to),
            Body::Length(length) => copy_exactly(from, to, length),
            Body::Chunked => {
                let mut copied = 0;
                loop {
                    let line = read_line(from)?;
                    write!(to, "{line}\r\n")?;
                    let digits = line.split(';').next().unwrap_or("").trim();
                    let length =
                        u64::from_str_radix(digits, 16).map_err(|_| invalid("a chunk without a length"))?;
                    if length == 0 {
                        break;
                    }
                    copy_exactly(from, to, length + 2)?;
                    copied += length;
                }
                loop {
                    let trailer = read_line(from)?;
                    write!(to, "{trailer}\r\n")?;
                    if trailer.is_empty() {
                        return Ok(copied);
                    }
                }
            }
        }
    }

    /// The body's own bytes, without the framing.
    pub fn read(self, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
        if self != Body::Chunked {
            let mut bytes =
                Vec::with_capacity(if let Body::Length(length) = self { length as usize } else { 0 });
            self.copy(from, &mut bytes)?;
            return Ok(bytes);
        }
        let mut framed = Vec::new();
        self.copy(from, &mut framed)?;
        let (mut bytes, mut rest) = (Vec::new(), &framed[..]);
        loop {
            let line = read_line(&mut rest)?;
            let digits = line.split(';').next().unwrap_or("").trim();
            match usize::from_str_radix(digits, 16).unwrap_or(0) {
                0 => return Ok(bytes),
                length => {
                    bytes.extend_from_slice(&rest[..length]);
                    rest = &rest[length + 2..];
                }
            }
        }
    }
}

fn copy_exactly(from: &mut impl BufRead, to: &mut impl Write, length: u64) -> io::Result<u64> {
    match io::copy(&mut from.take(length), to)? {
        copied if copied == length => Ok(copied),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_passed_on_as_it_is_framed_and_read_without_the_framing() {
        let sent = b"5;x=y\r\nhello\r\n1\r\n \r\n0\r\nTrailer: 1\r\n\r\nPUT ";
        let (mut from, mut to) = (&sent[..], Vec::new());
        assert_eq!(Body::Chunked.copy(&mut from, &mut to).unwrap(), 6);
        assert_eq!((&to[..], from), (&sent[..sent.len() - 4], &b"PUT "[..]));
        assert_eq!(Body::Chunked.read(&mut &sent[..]).unwrap(), b"hello ");
    }

    #[test]
    fn a_body_that_ends_early_is_an_error() {
        assert!(Body::Length(6).copy(&mut &b"hello"[..], &mut Vec::new()).is_err());
        assert!(Body::Chunked.copy(&mut &b"5\r\nhell"[..], &mut Vec::new()).is_err());
    }

    #[test]
    fn what_has_no_body_is_not_waited_for() {
        let answer = Head::answer(200, "OK").with("Content-Length", 7);
        assert_eq!(Body::of_answer("HEAD", &answer).unwrap(), Body::None);
        assert_eq!(Body::of_answer("GET", &answer).unwrap(), Body::Length(7));
        assert_eq!(Body::of_answer("DELETE", &Head::answer(204, "No Content")).unwrap(), Body::None);
        assert_eq!(Body::of_answer("GET", &Head::answer(200, "OK")).unwrap(), Body::ToEnd);
    }
}
