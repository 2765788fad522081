//! What Redis speaks, as much of it as is needed here.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::Result;

/// Nothing that is asked here takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection. Commands are collected until answers are asked for.
pub(crate) struct Client {
    to: BufWriter<TcpStream>,
    from: BufReader<TcpStream>,
}

/// What an answer is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Simple(String),
    Number(i64),
    Bytes(Vec<u8>),
    Nothing,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Result<Client> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { to: BufWriter::new(stream.try_clone()?), from: BufReader::new(stream) })
    }

    /// A command that is answered later.
    pub(crate) fn send(&mut self, words: &[&[u8]]) -> Result<()> {
        write!(self.to, "*{}\r\n", words.len())?;
        for word in words {
            write!(self.to, "${}\r\n", word.len())?;
            self.to.write_all(word)?;
            self.to.write_all(b"\r\n")?;
        }
        Ok(())
    }

    /// Sends what was collected.
    pub(crate) fn flush(&mut self) -> Result<()> {
        Ok(self.to.flush()?)
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Result<Answer> {
        answer(&mut self.from)
    }

    /// One command and its answer.
    pub(crate) fn ask(&mut self, words: &[&[u8]]) -> Result<Answer> {
        self.send(words)?;
        self.flush()?;
        self.answer()
    }
}

fn answer(from: &mut impl BufRead) -> Result<Answer> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let text = line.strip_suffix("\r\n").ok_or("Redis hung up")?;
    match text.split_at_checked(1) {
        Some(("+", text)) => Ok(Answer::Simple(text.into())),
        Some((":", number)) => Ok(Answer::Number(number.parse()?)),
        Some(("-", error)) => Err(format!("Redis says: {error}").into()),
        Some(("$", "-1")) => Ok(Answer::Nothing),
        Some(("$", len)) => {
            let mut bytes = vec![0; len.parse::<u32>()? as usize + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Ok(Answer::Bytes(bytes))
        }
        _ => Err(format!("an answer that is not known: {text:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_what_redis_says() {
        let mut from = &b"+OK\r\n:12\r\n$3\r\na\r\n\r\n$-1\r\n-ERR no\r\n*1\r\n+cut"[..];
        assert_eq!(answer(&mut from).unwrap(), Answer::Simple("OK".into()));
        assert_eq!(answer(&mut from).unwrap(), Answer::Number(12));
        assert_eq!(answer(&mut from).unwrap(), Answer::Bytes(b"a\r\n".into()));
        assert_eq!(answer(&mut from).unwrap(), Answer::Nothing);
        for part in ["ERR no", "not known", "hung up"] {
            assert!(answer(&mut from).unwrap_err().to_string().contains(part), "{part}");
        }
    }
}
