//! Throughput of every system by receivers: a panel for each length of blocks.

use super::super::report::size;
use super::super::summary::Table;
use super::Legend;
use super::svg::{Anchor, Scale, Svg, apart};

const PANEL: (f64, f64) = (430.0, 250.0);
const LEFT: f64 = 60.0;
const TOP: f64 = 90.0;
/// Between panels: a title above, labels at the right.
const GAP: (f64, f64) = (190.0, 70.0);

pub(super) fn plot(tables: &[Table], legend: &Legend) -> Option<String> {
    let closed: Vec<&Table> = tables.iter().filter(|table| table.is_closed()).collect();
    let mut blocks: Vec<u64> = closed.iter().map(|table| table.block_bytes).collect();
    blocks.sort_unstable();
    blocks.dedup();
    if blocks.is_empty() {
        return None;
    }
    let rows = blocks.len().div_ceil(2) as f64;
    let mut svg =
        Svg::new(LEFT + 2.0 * (PANEL.0 + GAP.0), TOP + rows * (PANEL.1 + GAP.1) + 20.0 + legend.height());
    svg.title(
        "Throughput of received blocks, by what makes them safe",
        &["MB a second of all receivers together, as fast as they are taken; bars from least to greatest of the rounds. Both scales are logarithmic."],
    );
    for (number, block_bytes) in blocks.iter().enumerate() {
        let at = (
            LEFT + (number % 2) as f64 * (PANEL.0 + GAP.0),
            TOP + 40.0 + (number / 2) as f64 * (PANEL.1 + GAP.1),
        );
        let of: Vec<&Table> =
            closed.iter().filter(|table| table.block_bytes == *block_bytes).copied().collect();
        panel(&mut svg, at, &format!("blocks of {}", size(*block_bytes)), &of, legend);
    }
    legend.draw(&mut svg, (LEFT, TOP + rows * (PANEL.1 + GAP.1) + 30.0), PANEL.0 + GAP.0);
    Some(svg.finish())
}

fn panel(
    svg: &mut Svg,
    (left, top): (f64, f64),
    title: &str,
    tables: &[&Table],
    legend: &Legend,
) -> Option<()> {
    let rate = |line: &super::Line| Some(line.bytes_per_second / 1e6);
    let shown: Vec<&str> = legend.systems().collect();
    let spreads = |system: &str| {
        let of = |table: &&Table| {
            let row = table.row(system)?;
            Some((table.receivers as f64, row.spread(rate)?))
        };
        // Of loops with more or fewer blocks on their way, the one with the most.
        let mut found: Vec<_> = tables.iter().filter_map(of).collect();
        found.reverse();
        found.sort_by(|one, other| one.0.total_cmp(&other.0));
        found.dedup_by_key(|(receivers, _)| *receivers);
        found
    };
    let all = shown.iter().flat_map(|system| spreads(system)).flat_map(|(_, of)| [of.least, of.greatest]);
    let y = Scale::of(all, top + PANEL.1, top)?;
    let x = Scale::of(tables.iter().map(|table| table.receivers as f64), left, left + PANEL.0)?;
    svg.text((left, top - 14.0), 14.0, Anchor::Start, "#111111", title);
    for tick in y.ticks() {
        svg.line(&[(left, y.at(tick)), (left + PANEL.0, y.at(tick))], "#e4e4e4", 1.0, false);
        svg.text((left - 6.0, y.at(tick) + 4.0), 11.0, Anchor::End, "#555555", &format!("{tick}"));
    }
    let mut receivers: Vec<u64> = tables.iter().map(|table| table.receivers).collect();
    receivers.dedup();
    for receivers in receivers {
        let label = if receivers == 1 { "1 receiver".into() } else { receivers.to_string() };
        svg.text((x.at(receivers as f64), top + PANEL.1 + 18.0), 11.0, Anchor::Middle, "#555555", &label);
    }
    let mut labels = Vec::new();
    for system in &shown {
        let (points, colour) = (spreads(system), legend.colour(system));
        for (receivers, of) in &points {
            let bar = [(x.at(*receivers), y.at(of.least)), (x.at(*receivers), y.at(of.greatest))];
            svg.line(&bar, colour, 1.0, false);
            svg.dot((x.at(*receivers), y.at(of.median)), 3.0, colour);
        }
        let line: Vec<_> = points.iter().map(|(receivers, of)| (x.at(*receivers), y.at(of.median))).collect();
        svg.line(&line, colour, 2.0, false);
        labels.extend(line.last().map(|last| (last.1 + 4.0, *system, colour)));
    }
    let mut places: Vec<f64> = labels.iter().map(|label| label.0).collect();
    apart(&mut places, 14.0, top + PANEL.1);
    for (place, (_, system, colour)) in places.into_iter().zip(labels) {
        svg.text((left + PANEL.0 + 6.0, place), 12.0, Anchor::Start, colour, system);
    }
    Some(())
}
