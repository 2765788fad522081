//! JSON lines, written by hand so that they keep the order of their names, and so that not even a terminal that is shown
//! them obeys what they quote.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write};

/// One line: an object whose first name is `type`.
#[derive(Debug)]
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new(what: &str) -> Self {
        Line("{".into()).text("type", what)
    }

    /// An object inside of a line.
    pub(crate) fn part() -> Self {
        Line("{".into())
    }

    /// Objects inside of this one.
    pub(crate) fn list(mut self, name: &str, parts: impl IntoIterator<Item = Line>) -> Self {
        self.name(name);
        let parts: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
        self.0 += &format!("[{}]", parts.join(","));
        self
    }

    /// A value as a string.
    pub(crate) fn text(mut self, name: &str, value: impl Display) -> Self {
        self.name(name);
        self.0.push('"');
        for letter in value.to_string().chars() {
            match letter {
                '"' | '\\' => self.0.extend(['\\', letter]),
                letter if is_plain(letter) => self.0.push(letter),
                letter => push_escape(&mut self.0, letter),
            }
        }
        self.0.push('"');
        self
    }

    /// A value that is JSON already.
    pub(crate) fn json(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.0 += value;
        self
    }

    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        self.0 += &value.to_string();
        self
    }

    pub(crate) fn flag(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.0 += if value { "true" } else { "false" };
        self
    }

    pub(crate) fn text_or_null(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.null(name),
        }
    }

    pub(crate) fn number_or_null(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self.null(name),
        }
    }

    fn null(mut self, name: &str) -> Self {
        self.name(name);
        self.0 += "null";
        self
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0 += &format!("\"{name}\":");
    }

    pub(crate) fn write(self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{self}")
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}}}", self.0)
    }
}

/// A letter as JSON escapes it.
pub(crate) fn push_escape(out: &mut String, letter: char) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        // Writing to a string cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// Whether Rust would print it as it is.
pub(crate) fn is_plain(letter: char) -> bool {
    matches!(letter, '\'') || letter.escape_debug().eq([letter])
}
