//! Colour where it helps to find what is bad in a long page: on a terminal, and never where `NO_COLOR` is set.

use std::io::{self, IsTerminal};

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// The words that begin a finding, by how bad it is.
const WORDS: [(&str, &str); 4] = [("damaged", RED), ("unsupported", RED), ("lost", YELLOW), ("torn", YELLOW)];

/// A page for people as stdout is to have it.
pub(crate) fn page(text: &str) -> String {
    let is_unwanted = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match io::stdout().is_terminal() && !is_unwanted("NO_COLOR") && !is_dumb {
        true => painted(text),
        false => text.to_owned(),
    }
}

fn painted(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    for (word, colour) in WORDS {
        if let Some(rest) = line.strip_prefix(word).filter(|rest| rest.starts_with(' ')) {
            return format!("{colour}{word}{PLAIN}{rest}");
        }
    }
    match line.split_once(": DAMAGED in ") {
        Some((place, rest)) if !line.starts_with(' ') => format!("{place}: {RED}DAMAGED{PLAIN} in {rest}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_bad_is_painted_and_no_other_letter_changes() {
        let page = "file:///a: DAMAGED in one place\n    damaged  \n\ndamaged   x.wal\n    what  x\nforeign   torn\n";
        let painted = painted(page);
        assert_eq!(painted.matches(RED).count(), 2, "{painted:?}");
        assert!(painted.contains("\n\x1b[1;31mdamaged\x1b[0m   x.wal\n"), "{painted:?}");
        assert_eq!(painted.replace(RED, "").replace(PLAIN, ""), page);
    }
}
