//! Where a log is faster than two copies, and where it is not: a square for each length of blocks and number of
//! receivers.

use super::super::report::size;
use super::super::summary::Table;
use super::svg::{Anchor, Svg};

const PANELS: [(&str, &str); 2] =
    [("log-power", "a log that survives a power cut"), ("log-process", "a log that survives its processes")];
const OTHER: &str = "copies-2";
const CELL: (f64, f64) = (84.0, 52.0);
const TOP: f64 = 150.0;
const LEFT: f64 = 110.0;
/// From here on a colour is full.
const FULL: f64 = 4.0;

pub(super) fn plot(tables: &[Table]) -> Option<String> {
    let closed: Vec<&Table> = tables.iter().filter(|table| table.is_closed()).collect();
    let has = |table: &&&Table| PANELS.iter().any(|(system, _)| table.ratio(system, OTHER).is_some());
    let mut blocks: Vec<u64> = closed.iter().filter(has).map(|table| table.block_bytes).collect();
    let mut receivers: Vec<u64> = closed.iter().filter(has).map(|table| table.receivers).collect();
    for values in [&mut blocks, &mut receivers] {
        values.sort_unstable();
        values.dedup();
    }
    if blocks.is_empty() {
        return None;
    }
    let panel = (receivers.len() as f64 * CELL.0).max(250.0);
    let (width, height) =
        ((LEFT + 2.0 * panel + 120.0).max(700.0), TOP + blocks.len() as f64 * CELL.1 + 70.0);
    let mut svg = Svg::new(width, height);
    svg.title(
        "Log or copies? Throughput of a log ÷ that of two copies in memory",
        &[
            "Blue: the log takes more blocks a second than two copies do, which survive one process only.",
            "Orange: it takes fewer, and that is what surviving more costs. Closed loops, medians.",
        ],
    );
    for (number, (system, is)) in PANELS.iter().enumerate() {
        let left = LEFT + number as f64 * (panel + 40.0);
        svg.text((left + panel / 2.0, TOP - 32.0), 14.0, Anchor::Middle, "#111111", is);
        for (column, receivers) in receivers.iter().enumerate() {
            let x = left + (column as f64 + 0.5) * CELL.0;
            let label = if *receivers == 1 { "1 receiver".into() } else { receivers.to_string() };
            svg.text((x, TOP - 10.0), 12.0, Anchor::Middle, "#555555", &label);
            for (row, block_bytes) in blocks.iter().enumerate() {
                let of = |table: &&&Table| (table.block_bytes, table.receivers) == (*block_bytes, *receivers);
                // Of loops with more or fewer blocks on their way, the one with the most.
                let ratio =
                    closed.iter().filter(of).filter_map(|table| table.ratio(system, OTHER)).next_back();
                let at = (left + column as f64 * CELL.0, TOP + row as f64 * CELL.1);
                let Some(ratio) = ratio.map(|ratio| ratio.median) else { continue };
                svg.rect((at.0 + 1.0, at.1 + 1.0), (CELL.0 - 2.0, CELL.1 - 2.0), &shade(ratio));
                let middle = (at.0 + CELL.0 / 2.0, at.1 + CELL.1 / 2.0 + 6.0);
                svg.text(middle, 17.0, Anchor::Middle, "#111111", &format!("{ratio:.2}×"));
            }
        }
    }
    for (row, block_bytes) in blocks.iter().enumerate() {
        let y = TOP + (row as f64 + 0.5) * CELL.1 + 5.0;
        svg.text((LEFT - 12.0, y), 13.0, Anchor::End, "#111111", &size(*block_bytes));
    }
    svg.text((LEFT - 12.0, TOP - 10.0), 12.0, Anchor::End, "#555555", "blocks of");
    legend(&mut svg, height - 40.0);
    Some(svg.finish())
}

fn legend(svg: &mut Svg, y: f64) {
    let marks = [0.25, 0.5, 1.0, 2.0, 4.0];
    for (number, mark) in marks.into_iter().enumerate() {
        let x = LEFT + number as f64 * 84.0;
        svg.rect((x, y), (84.0, 14.0), &shade(mark));
        svg.text((x + 42.0, y + 29.0), 11.0, Anchor::Middle, "#555555", &format!("{mark}×"));
    }
}

/// Blue above 1, orange below, pale near it.
fn shade(ratio: f64) -> String {
    let part = (ratio.ln() / FULL.ln()).clamp(-1.0, 1.0);
    let full = if part > 0.0 { [90.0, 150.0, 230.0] } else { [245.0, 150.0, 60.0] };
    let [red, green, blue] = full.map(|colour| (245.0 + (colour - 245.0) * part.abs()).round() as u8);
    format!("#{red:02x}{green:02x}{blue:02x}")
}
