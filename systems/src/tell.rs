//! What a child process tells its supervisor, in lines on its standard output; and how it is told to end.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A line. A process that is killed tells no more, so the sums of what was told are at least what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It has recovered, and is at work.
    Ready,
    /// So many messages came from the source, and so many of them were known to the receiver already.
    Delivered { messages: u64, known: u64 },
    /// So many outputs were published, or found published already by whoever was killed before it could record it.
    Published { outputs: u64, known: u64 },
    /// So many files were removed from a log.
    Removed { files: u64 },
}

impl Told {
    pub(crate) fn tell(self) {
        let line = match self {
            Told::Ready => "ready".into(),
            Told::Delivered { messages, known } => format!("delivered {messages} {known}"),
            Told::Published { outputs, known } => format!("published {outputs} {known}"),
            Told::Removed { files } => format!("removed {files}"),
        };
        // A supervisor that is gone needs no telling.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    pub(crate) fn from_line(line: &str) -> Option<Told> {
        let mut words = line.split(' ');
        let told = words.next()?;
        let mut number = || words.next()?.parse().ok();
        Some(match told {
            "ready" => Told::Ready,
            "delivered" => Told::Delivered { messages: number()?, known: number()? },
            "published" => Told::Published { outputs: number()?, known: number()? },
            "removed" => Told::Removed { files: number()? },
            _ => return None,
        })
    }
}

/// Whether this process is to end, in order: its supervisor has said so on its standard input. If that is over without a
/// word, the supervisor is dead, and this process dies too.
pub(crate) fn told_to_end() -> Arc<AtomicBool> {
    let end = Arc::new(AtomicBool::new(false));
    let ends = end.clone();
    std::thread::spawn(move || match std::io::stdin().lock().read(&mut [0]) {
        Ok(1) => ends.store(true, Ordering::Relaxed),
        _ => std::process::exit(1),
    });
    end
}
