//! Plots of a run, as SVG: what a reader sees without the text.

mod crossover;
mod latency;
mod svg;
mod throughput;

use super::line::Line;
use super::report::survives;
use super::summary::{order, systems, tables};
use svg::{Anchor, Svg};

/// A colour for each of our systems, in their order; others' have the rest.
const COLOURS: &[&str] = &[
    "#8a8a8a", "#f0a030", "#c05a00", "#66a8e0", "#1f5fbf", "#7a3fb0", "#178a6a", "#d0408a", "#8a6d3b",
    "#b02020", "#000000",
];

/// All plots that there are lines for, with the names of their files.
pub(super) fn all(lines: &[Line]) -> Vec<(&'static str, String)> {
    let tables = tables(lines);
    let plots = [
        ("crossover.svg", crossover::plot(&tables)),
        ("throughput.svg", throughput::plot(&tables, &Legend::of(lines))),
        ("latency.svg", latency::plot(&tables, &Legend::of(lines))),
    ];
    plots.into_iter().filter_map(|(name, svg)| Some((name, svg?))).collect()
}

/// The systems of a run, each in its colour.
struct Legend<'a>(Vec<&'a Line>);

impl<'a> Legend<'a> {
    fn of(lines: &'a [Line]) -> Legend<'a> {
        Legend(systems(lines))
    }

    fn systems(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|line| line.system.as_str())
    }

    fn colour(&self, system: &str) -> &'static str {
        let known = order(system);
        let others = self.systems().filter(|other| order(other) == known).position(|other| other == system);
        COLOURS[(known + others.unwrap_or(0)).min(COLOURS.len() - 1)]
    }

    /// How much room it takes below a plot.
    fn height(&self) -> f64 {
        self.0.len().div_ceil(2) as f64 * 18.0 + 10.0
    }

    /// What each is and survives, in two columns.
    fn draw(&self, svg: &mut Svg, (left, top): (f64, f64), column: f64) {
        let rows = self.0.len().div_ceil(2);
        for (number, line) in self.0.iter().enumerate() {
            let at = (left + (number / rows) as f64 * column, top + (number % rows) as f64 * 18.0);
            svg.dot((at.0, at.1 - 4.0), 5.0, self.colour(&line.system));
            let text = format!("{}: {}; survives {}", line.system, line.is, survives(line.survives));
            svg.text((at.0 + 12.0, at.1), 12.0, Anchor::Start, "#333333", &text);
        }
    }
}
