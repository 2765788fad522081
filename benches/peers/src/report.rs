//! The report: a Markdown table for every workload, and the lines in short.

use std::fmt::Write;

use crate::case::{Case, Figures};
use crate::summary;
use crate::workload::{Kind, Workload};
use headwater_benches::measure::statistics::{Spread, spread};

const MIB: f64 = 1024.0 * 1024.0;

/// One case, as it ends.
pub(crate) fn progress(case: &Case) -> String {
    let name = format!("{:>2} {}/{}", case.round, case.workload, case.contestant);
    match (&case.figures, &case.failure) {
        (Some(figures), _) => {
            let mb = figures.bytes as f64 / figures.seconds / 1e6;
            let flags = figures.flags.join("; ");
            format!("{name:<38} {:>12.0} /s {mb:>8.1} MB/s  {flags}", figures.rate())
        }
        (None, failure) => format!("{name:<38} FAILED: {}", failure.as_deref().unwrap_or("no figures")),
    }
}

/// The names of the cases.
pub(crate) fn list(workloads: &[Workload]) {
    for workload in workloads {
        println!("{}: {}", workload.name, workload.what);
        for contestant in &workload.contestants {
            println!("    {}/{contestant:<18} {}", workload.name, workload.survives(contestant));
        }
    }
}

/// The whole report.
pub(crate) fn markdown(head: &[String], workloads: &[Workload], cases: &[Case]) -> String {
    let mut text = String::new();
    head.iter().for_each(|line| line_of(&mut text, &format!("- {line}")));
    line_of(&mut text, "");
    line_of(
        &mut text,
        "Medians over the rounds, least and greatest in brackets. Ratios are taken round by round.",
    );
    for workload in workloads {
        line_of(&mut text, &format!("\n### {}\n\n{}\n", workload.name, workload.what));
        table(&mut text, workload, cases);
    }
    summary::add(&mut text, cases);
    text
}

fn table(text: &mut String, workload: &Workload, cases: &[Case]) {
    let appends = matches!(workload.kind, Kind::Append(_));
    let more =
        if appends { "records/sync | flushes/record | device bytes/byte | survives" } else { "open ms" };
    let columns = format!(
        "| | operations/s | MB/s | us ÷ it | p50 / p99 / p99.9 µs | CPU µs | peak MiB (anonymous) | {more} | |"
    );
    line_of(text, &columns);
    line_of(text, &format!("|---{}|", "|---".repeat(columns.matches('|').count() - 2)));
    for contestant in &workload.contestants {
        let all: Vec<&Case> = cases
            .iter()
            .filter(|case| case.workload == workload.name && case.contestant == *contestant)
            .collect();
        let figures: Vec<&Figures> = all.iter().filter_map(|case| case.figures.as_ref()).collect();
        let of = |value: &dyn Fn(&Figures) -> f64| spread(figures.iter().map(|figures| value(figures)));
        let known = |value: &dyn Fn(&Figures) -> Option<f64>| {
            spread(figures.iter().filter_map(|figures| value(figures)))
        };
        let operations = |figures: &Figures| figures.operations as f64;
        let quantiles = [
            known(&|figures| figures.p50_us),
            known(&|figures| figures.p99_us),
            known(&|figures| figures.p999_us),
        ];
        let mut cells = vec![
            (*contestant).to_owned(),
            shown(of(&|figures| figures.rate())),
            short(of(&|figures| figures.bytes as f64 / figures.seconds / 1e6)),
            shown(spread(summary::ratios(cases, &workload.name, "us", &workload.name, contestant))),
            quantiles.map(short).join(" / "),
            short(of(&|figures| figures.cpu_us())),
            format!(
                "{} ({})",
                short(of(&|figures| figures.resident_peak_bytes as f64 / MIB)),
                short(of(&|figures| figures.anonymous_peak_bytes as f64 / MIB))
            ),
        ];
        if appends {
            cells.extend([
                short(known(&|figures| {
                    Some(operations(figures) / figures.syncs.filter(|syncs| *syncs > 0)? as f64)
                })),
                short(known(&|figures| Some(figures.flushes? as f64 / operations(figures)))),
                short(known(&|figures| Some(figures.device_written_bytes? as f64 / figures.bytes as f64))),
                workload.survives(contestant).to_owned(),
            ]);
        } else {
            cells.push(short(of(&|figures| figures.open_seconds * 1e3)));
        }
        cells.push(remarks(&all));
        line_of(text, &format!("| {} |", cells.join(" | ")));
    }
}

/// What is wrong with a row's cases, each thing once.
fn remarks(cases: &[&Case]) -> String {
    let mut remarks: Vec<String> = Vec::new();
    for case in cases {
        let flags = case.figures.iter().flat_map(|figures| figures.flags.clone());
        for remark in flags.chain(case.failure.iter().map(|failure| format!("FAILED: {failure}"))) {
            // Counts differ from round to round; the kind of remark is said once, with the first one's counts.
            let kind = |remark: &str| remark.split(':').next().unwrap_or_default().to_owned();
            if !remarks.iter().any(|known| kind(known) == kind(&remark)) {
                remarks.push(remark);
            }
        }
    }
    remarks.iter().map(|remark| format!("**{}**", remark.replace('|', "/"))).collect::<Vec<_>>().join("; ")
}

/// A median with its spread.
pub(crate) fn shown(spread: Option<Spread>) -> String {
    let Some(Spread { median, least, greatest }) = spread else { return "-".into() };
    format!("{} ({}..{})", digits(median), digits(least), digits(greatest))
}

fn short(spread: Option<Spread>) -> String {
    spread.map_or_else(|| "-".into(), |spread| digits(spread.median))
}

/// Three digits that mean something, and commas in what is long.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut text = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.2}"),
        0.0 => "0".into(),
        _ => format!("{value:.1e}"),
    }
}

pub(crate) fn line_of(text: &mut String, line: &str) {
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn figures_are_shown_with_as_many_digits_as_mean_something() {
        let shown: Vec<String> = [1_234_567.0, 999.6, 45.67, 1.0, 0.123, 0.0, 0.001].map(digits).into();
        assert_eq!(shown, ["1,234,567", "1000", "45.7", "1.00", "0.12", "0", "1.0e-3"]);
    }
}
