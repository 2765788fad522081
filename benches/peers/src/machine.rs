//! What a figure says nothing without.

use headwater_benches::measure::device::Device;
use headwater_benches::measure::machine;

use crate::Result;
use crate::args::Args;
use crate::pin;

/// The head of a report, a line a fact.
pub(crate) fn describe(args: &Args, device: &Device) -> Result<Vec<String>> {
    let cores = pin::allowed()?;
    let producers = if args.pin && cores.len() > 1 {
        format!(
            "producers on cores {:?}, core {} left to writers",
            &cores[..cores.len() - 1],
            cores[cores.len() - 1]
        )
    } else {
        "producers on every core".into()
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut head = machine::describe(device);
    head.extend([
        producers,
        format!("command: headwater-peers {}", words.join(" ")),
        format!(
            "rounds {}, seconds {}, replayed logs {} MiB, order by seed {}",
            args.rounds, args.seconds, args.log_mib, args.seed
        ),
    ]);
    Ok(head)
}
