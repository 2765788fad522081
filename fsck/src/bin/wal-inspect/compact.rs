//! Somebody else's JSON, checked and written on one line, so that no terminal obeys what it quotes.

use crate::json::{is_plain, push_escape};

/// Nothing that people write is deeper; each level costs a little of the stack.
const DEEP_MAX: usize = 100;

/// The same value without white space between its parts, if these bytes are JSON and nothing else. Strings are escaped
/// anew where they hold what is not printed as it is; numbers stay as they were written.
pub(crate) fn compact(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader { rest: text, out: String::with_capacity(text.len()) };
    reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(reader.out)
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes a mark that stands next, behind any space.
    fn takes(&mut self, mark: char) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(mark) else { return false };
        self.rest = rest;
        self.out.push(mark);
        true
    }

    fn value(&mut self, deep: usize) -> Option<()> {
        if deep == DEEP_MAX {
            return None;
        }
        self.space();
        match self.rest.chars().next()? {
            '{' => self.list(deep, '{', '}'),
            '[' => self.list(deep, '[', ']'),
            '"' => self.string(),
            't' => self.word("true"),
            'f' => self.word("false"),
            'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn list(&mut self, deep: usize, begins: char, ends: char) -> Option<()> {
        self.takes(begins).then_some(())?;
        if self.takes(ends) {
            return Some(());
        }
        loop {
            if begins == '{' {
                self.space();
                self.string()?;
                self.takes(':').then_some(())?;
            }
            self.value(deep + 1)?;
            if self.takes(ends) {
                return Some(());
            }
            self.takes(',').then_some(())?;
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        self.out += word;
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let is_of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let len = self.rest.find(|c| !is_of_number(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(len);
        is_number(number).then_some(())?;
        self.out += number;
        self.rest = rest;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.takes('"').then_some(())?;
        loop {
            let letter = self.next()?;
            match letter {
                '"' => {
                    self.out.push('"');
                    return Some(());
                }
                '\\' => {
                    let what = self.next()?;
                    self.out.extend(['\\', what]);
                    match what {
                        '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {}
                        'u' => {
                            for _ in 0..4 {
                                let digit = self.next().filter(char::is_ascii_hexdigit)?;
                                self.out.push(digit);
                            }
                        }
                        _ => return None,
                    }
                }
                letter if letter < ' ' => return None,
                letter if is_plain(letter) => self.out.push(letter),
                letter => push_escape(&mut self.out, letter),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }
}

/// As RFC 8259 has them: `-`, digits without a leading zero, a fraction, an exponent.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn json_keeps_its_value_and_loses_what_a_terminal_obeys() {
        for (text, want) in [
            (" { \"a\" : [ 1 , -2.5e+3 , true , null ] } \n", r#"{"a":[1,-2.5e+3,true,null]}"#),
            ("\"\u{9b}31m \u{202e} ü \\u001b\\n\"", r#""\u009b31m \u202e ü \u001b\n""#),
            ("\"\u{e0001}\"", "\"\\udb40\\udc01\""),
            ("{}", "{}"),
            ("[[],{}]", "[[],{}]"),
            ("0", "0"),
        ] {
            assert_eq!(compact(text.as_bytes()).as_deref(), Some(want));
            assert!(serde_json::from_str::<serde_json::Value>(want).is_ok());
        }
    }

    #[test]
    fn what_is_no_json_is_not_shown_as_such() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\"}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "1e",
            "+1",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "\"\x1b\"",
            "tru",
            "1 2",
            "{\"a\":1,}",
            "\u{feff}1",
            &deep,
        ] {
            assert_eq!(compact(text.as_bytes()), None, "{text:.20}");
        }
        assert_eq!(compact(b"\xff"), None);
    }
}
