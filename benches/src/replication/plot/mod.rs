//! Plots of a run, as SVG: what a reader sees without the text.

mod crossover;
mod latency;
mod svg;
mod throughput;

use super::line::Line;
use super::summary::{order, tables};

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
        ("throughput.svg", throughput::plot(&tables)),
        ("latency.svg", latency::plot(&tables)),
    ];
    plots.into_iter().filter_map(|(name, svg)| Some((name, svg?))).collect()
}

/// The colour of a system among all that a plot shows.
fn colour(system: &str, shown: &[&str]) -> &'static str {
    let known = order(system);
    let others = shown.iter().filter(|other| order(other) == known && **other < system).count();
    COLOURS[(known + others).min(COLOURS.len() - 1)]
}
