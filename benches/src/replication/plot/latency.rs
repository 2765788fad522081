//! How long a block waits for its acknowledgement, by the rate at which blocks come: a panel for each quantile.

use super::super::line::Load;
use super::super::report::size;
use super::super::summary::Table;
use super::Legend;
use super::svg::{Anchor, Scale, Svg, apart};

const PANEL: (f64, f64) = (330.0, 300.0);
const LEFT: f64 = 75.0;
const TOP: f64 = 140.0;
const BETWEEN: f64 = 40.0;
const LABELS: f64 = 170.0;

type Quantile = (&'static str, fn(&super::Line) -> Option<f64>);
const QUANTILES: [Quantile; 3] = [
    ("half of all blocks wait less (p50)", |line| Some(line.latency_us.p50)),
    ("99 of 100 wait less (p99)", |line| Some(line.latency_us.p99)),
    ("999 of 1,000 wait less (p99.9)", |line| Some(line.latency_us.p99_9)),
];

/// Of the point that was measured at most rates.
pub(super) fn plot(tables: &[Table], legend: &Legend) -> Option<String> {
    let open = tables.iter().filter(|table| !table.is_closed());
    let mut points: Vec<((u64, u64), Vec<&Table>)> = Vec::new();
    for table in open {
        let key = (table.block_bytes, table.receivers);
        match points.iter_mut().find(|point| point.0 == key) {
            Some((_, tables)) => tables.push(table),
            None => points.push((key, vec![table])),
        }
    }
    let ((block_bytes, receivers), tables) = points.into_iter().max_by_key(|(_, tables)| tables.len())?;
    let width = LEFT + 3.0 * PANEL.0 + 2.0 * BETWEEN + LABELS;
    let mut svg = Svg::new(width, TOP + PANEL.1 + 80.0 + legend.height());
    let of = format!(
        "Blocks of {}, {receivers} receivers. The same rates for all; a stall counts for every block that came due in it.",
        size(block_bytes)
    );
    svg.title(
        "How long a received block waits until it is safe",
        &[&of, "Left to right: more blocks a second. Both scales are logarithmic; lower is better."],
    );
    let waits = |table: &Table| -> Vec<f64> {
        let of = |row: &super::super::summary::Row| {
            QUANTILES.iter().filter_map(|(_, of)| row.median(of)).collect::<Vec<_>>()
        };
        table.rows.iter().flat_map(of).collect()
    };
    let y = Scale::of(tables.iter().flat_map(|table| waits(table)), TOP + PANEL.1, TOP)?;
    for (number, (name, of)) in QUANTILES.iter().enumerate() {
        let left = LEFT + number as f64 * (PANEL.0 + BETWEEN);
        let x = Scale::of(tables.iter().map(|table| rate(table)), left, left + PANEL.0)?;
        svg.text((left, TOP - 14.0), 14.0, Anchor::Start, "#111111", name);
        axes(&mut svg, left, x, y, number == 0, &tables);
        let mut labels = Vec::new();
        for system in legend.systems() {
            let colour = legend.colour(system);
            let at = |table: &&Table| Some((x.at(rate(table)), y.at(table.row(system)?.median(of)?)));
            let line: Vec<_> = tables.iter().filter_map(at).collect();
            svg.line(&line, colour, 2.0, false);
            line.iter().for_each(|point| svg.dot(*point, 3.0, colour));
            labels.extend(line.last().map(|last| (last.1 + 4.0, system, colour)));
        }
        if number + 1 == QUANTILES.len() {
            let mut places: Vec<f64> = labels.iter().map(|label| label.0).collect();
            apart(&mut places, 14.0, TOP + PANEL.1);
            for (place, (_, system, colour)) in places.into_iter().zip(labels) {
                svg.text((left + PANEL.0 + 6.0, place), 12.0, Anchor::Start, colour, system);
            }
        }
    }
    legend.draw(&mut svg, (LEFT, TOP + PANEL.1 + 90.0), 1.5 * PANEL.0);
    Some(svg.finish())
}

fn axes(svg: &mut Svg, left: f64, x: Scale, y: Scale, is_first: bool, tables: &[&Table]) {
    for tick in y.ticks() {
        svg.line(&[(left, y.at(tick)), (left + PANEL.0, y.at(tick))], "#e4e4e4", 1.0, false);
        if is_first {
            let label = if tick >= 1000.0 { format!("{} ms", tick / 1000.0) } else { format!("{tick} µs") };
            svg.text((left - 6.0, y.at(tick) + 4.0), 11.0, Anchor::End, "#555555", &label);
        }
    }
    for table in tables {
        let at = x.at(rate(table));
        svg.text((at, TOP + PANEL.1 + 18.0), 11.0, Anchor::Middle, "#555555", &format!("{}", rate(table)));
        let megabytes = rate(table) * table.block_bytes as f64 / 1e6;
        svg.text(
            (at, TOP + PANEL.1 + 33.0),
            11.0,
            Anchor::Middle,
            "#999999",
            &format!("{megabytes:.0} MB/s"),
        );
    }
    svg.text(
        (left + PANEL.0 / 2.0, TOP + PANEL.1 + 51.0),
        11.0,
        Anchor::Middle,
        "#555555",
        "blocks a second",
    );
}

fn rate(table: &Table) -> f64 {
    match table.load {
        Load::Open { blocks_per_second } => blocks_per_second,
        Load::Closed { .. } => 0.0,
    }
}
