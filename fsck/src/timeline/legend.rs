//! What the colours mean: of all that can be seen, what is there.

use headwater_wal::Survey;

use super::chart::LEFT;
use super::svg::{Svg, shortened};
use super::{Look, Marks};

const ROW: f64 = 22.0;
const COLUMN: f64 = 270.0;
const COLUMNS: usize = 4;

const NOTES: [&str; 2] = [
    "where the positions have a gap, one epoch ends and the next begins: no record can lie there",
    "pins are of the process that writes, and are not seen from outside",
];

/// Draws it below `top`, and says where it ends.
pub(super) fn draw(survey: &Survey, marks: &Marks, top: f64, svg: &mut Svg) -> f64 {
    let entries = entries(survey, marks);
    let top = top + 22.0;
    for (at, (class, text)) in entries.iter().enumerate() {
        let (x, y) = (LEFT + COLUMN * (at % COLUMNS) as f64, top + ROW * (at / COLUMNS) as f64);
        match *class {
            "mark" | "cut" | "turn" => svg.stroke((x, y - 4.0), (x + 16.0, y - 4.0), class),
            "seal" => svg.dot(x + 8.0, y - 4.0, class),
            class => svg.rect(x, y - 10.0, 16.0, 12.0, class),
        }
        svg.text(x + 22.0, y, "small", "start", &shortened(text, 40));
    }
    let rows = entries.len().div_ceil(COLUMNS);
    let mut bottom = top + ROW * rows as f64;
    let rule = marks.cleaned.as_ref().map(|(_, rule)| format!("cleaning: {rule}"));
    let notes = rule.into_iter().chain(NOTES.map(str::to_owned));
    for note in notes {
        svg.text(LEFT, bottom, "small", "start", &shortened(&note, 150));
        bottom += ROW - 4.0;
    }
    bottom + 6.0
}

fn entries(survey: &Survey, marks: &Marks) -> Vec<(&'static str, String)> {
    let segments = survey.chain().segments();
    let count = |look: Look| segments.iter().filter(|segment| Look::of(segment) == look).count();
    let of = |class, look, what: &str| match count(look) {
        0 => None,
        count => Some((class, format!("{what} ({count})"))),
    };
    let counted = |class, what: &str, count: u64| (count > 0).then(|| (class, format!("{what} ({count})")));
    [
        of("sealed", Look::Sealed, "sealed segment"),
        of("closed", Look::Closed, "closed by a later epoch"),
        of("active", Look::Active, "active segment"),
        of("epoch", Look::Epoch, "first segment of an epoch"),
        Some(("turn", "an epoch begins".to_owned())),
        (segments.len() <= super::chart::OUTLINED_MAX && count(Look::Sealed) > 0)
            .then(|| ("seal", "sealed here".to_owned())),
        counted("damaged", "damaged", survey.damage_count()),
        survey.torn().map(|_| ("torn", "torn tail, never acknowledged".to_owned())),
        counted("lost", "lost, and accepted", survey.lost().len() as u64),
        counted("aside", "file set aside", survey.aside().len() as u64),
        marks.cleaned.as_ref().map(|(at, _)| ("cut", format!("cleaning removes below {at}"))),
        counted("mark", "position of a checkpoint", marks.positions.len() as u64),
    ]
    .into_iter()
    .flatten()
    .collect()
}
