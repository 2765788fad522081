//! Bytes from outside as text that no terminal obeys, and numbers as people read them.

use std::fmt::Write as _;
use std::io;

/// A payload as one line of text: what is not printable ASCII or a printable letter is escaped, so that no byte of it
/// reaches a terminal as a command. It ends with `…` after `width` characters if there is more; 0 is no limit.
pub(crate) fn escaped(bytes: &[u8], width: usize) -> String {
    let mut text = String::new();
    let mut shown = 0;
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let from = text.len();
            match letter {
                '\'' | '"' => text.push(letter),
                letter => text.extend(letter.escape_debug()),
            }
            shown += text[from..].chars().count();
            if width > 0 && shown > width {
                text.truncate(from);
                text.push('…');
                return text;
            }
        }
        for byte in chunk.invalid() {
            if width > 0 && shown + 4 > width {
                text.push('…');
                return text;
            }
            shown += 4;
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A text that no terminal obeys, with `…` after `width` characters if there are more; 0 is no limit.
pub(crate) fn cut(mut text: String, width: usize) -> String {
    if width > 0
        && let Some((at, _)) = text.char_indices().nth(width)
    {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// Bytes as hexadecimal digits, with `…` after `width` of them if there are more; 0 is no limit.
pub(crate) fn hex(bytes: &[u8], width: usize) -> String {
    let most = if width == 0 { bytes.len() } else { bytes.len().min(width / 2) };
    let mut text: String = bytes[..most].iter().map(|byte| format!("{byte:02x}")).collect();
    if most < bytes.len() {
        text.push('…');
    }
    text
}

/// A message of several lines, each escaped; quotes and backslashes are its own.
pub(crate) fn escaped_lines(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\'' | '"' | '\\' => escaped.push(letter),
            letter => escaped.extend(letter.escape_debug()),
        }
    }
    escaped
}

/// So many bytes, exactly, and for people.
pub(crate) fn bytes(count: u64) -> String {
    match human(count) {
        Some(human) => format!("{count} bytes ({human})"),
        None => format!("{count} bytes"),
    }
}

fn human(count: u64) -> Option<String> {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut value, mut unit) = (count as f64, None);
    for name in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = Some(name);
    }
    unit.map(|unit| format!("{value:.1} {unit}"))
}

/// Rows of as many cells as there are columns, one under the other; numbers to the right.
pub(crate) fn table<const N: usize>(
    rows: &[[String; N]],
    right: &[bool; N],
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let widths = widths(rows);
    rows.iter().try_for_each(|row| write_row(row, &widths, right, out))
}

/// How wide each column is.
pub(crate) fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
}

/// One row of a table whose columns are so wide.
pub(crate) fn write_row<const N: usize>(
    row: &[String; N],
    widths: &[usize; N],
    right: &[bool; N],
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut line = String::new();
    for ((cell, width), right) in row.iter().zip(widths).zip(right) {
        let space = width.saturating_sub(cell.chars().count());
        if *right {
            line.extend(std::iter::repeat_n(' ', space));
        }
        line += cell;
        if !*right {
            line.extend(std::iter::repeat_n(' ', space));
        }
        line += "  ";
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    out.write_all(line.as_bytes())
}

/// So many of something.
pub(crate) fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_of_a_payload_reaches_a_terminal_as_a_command() {
        for (bytes, text) in [
            (&b"plain 'text' \"quoted\""[..], "plain 'text' \"quoted\""),
            (b"\x1b[2J\x07\r\n\t\x00\x7f", r"\u{1b}[2J\u{7}\r\n\t\0\u{7f}"),
            ("\u{9b}31m".as_bytes(), r"\u{9b}31m"),
            (b"\x9b31m\xff", r"\x9b31m\xff"),
            ("a\u{202e}b".as_bytes(), r"a\u{202e}b"),
            ("größe 雪".as_bytes(), "größe 雪"),
            (br"\x1b", r"\\x1b"),
        ] {
            assert_eq!(escaped(bytes, 0), text);
        }
    }

    #[test]
    fn a_message_keeps_its_lines_and_quotes_and_nothing_that_a_terminal_obeys() {
        assert_eq!(escaped_lines("a \"b\"\n  c\\d"), "a \"b\"\n  c\\d");
        assert_eq!(escaped_lines("\u{1b}[2J\r\u{202e}\u{9b}"), r"\u{1b}[2J\r\u{202e}\u{9b}");
    }

    #[test]
    fn what_is_cut_says_so_and_never_cuts_an_escape() {
        assert_eq!(escaped(b"abcdef", 6), "abcdef");
        assert_eq!(escaped(b"abcdef", 5), "abcde…");
        assert_eq!(escaped(b"abc\x1b[2J", 5), "abc…");
        assert_eq!(escaped(b"abc\xff", 5), "abc…");
        assert_eq!(hex(&[0xab, 0xcd, 0xef], 4), "abcd…");
        assert_eq!(hex(&[0xab, 0xcd], 4), "abcd");
    }

    #[test]
    fn sizes_are_exact_and_readable() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1536), "1536 bytes (1.5 KiB)");
        assert_eq!(bytes(64 << 20), "67108864 bytes (64.0 MiB)");
    }
}
