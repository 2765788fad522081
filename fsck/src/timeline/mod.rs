//! A picture of a log, as one SVG file that needs nothing else.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_fsck::{Depth, Marks, find, timeline};
//! use headwater_wal::store::{Memory, Store};
//! use headwater_wal::{Log, Options, Position};
//!
//! let store: Arc<dyn Store> = Arc::new(Memory::growing());
//! Log::open(store.clone(), Options::default())?.start(Position::START)?.close()?;
//! let survey = find(&*store, Position::START, Depth::Quick)?;
//! let svg = timeline(&survey, &Marks::default());
//! assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
//! # Ok::<(), headwater_wal::Error>(())
//! ```

mod axis;
mod chart;
mod legend;
mod scale;
mod strip;
mod svg;

use headwater_wal::{Position, Segment, Survey};

use chart::Chart;
use svg::Svg;

const WIDTH: f64 = 1200.0;

/// What a picture shows beside the log itself.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Positions that something stands for, such as a checkpoint, and what it is called.
    pub positions: Vec<(Position, String)>,
    /// Below here the next cleaning removes; and by which rule, in words.
    pub cleaned: Option<(Position, String)>,
}

/// What a segment is, as the colours tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Sealed,
    Closed,
    Active,
    Epoch,
}

impl Look {
    fn of(segment: &Segment) -> Look {
        match segment {
            Segment { begins_epoch: true, .. } => Look::Epoch,
            Segment { sealed: true, .. } => Look::Sealed,
            Segment { closed_at: Some(_), .. } => Look::Closed,
            _ => Look::Active,
        }
    }
}

/// A picture of the log: above, its segments by the engine's time and by position, epochs told apart, and what is torn,
/// damaged, lost or would be cleaned as bands of positions; below, the same by position alone. Segments that are too many
/// to be told apart are drawn as one.
pub fn timeline(survey: &Survey, marks: &Marks) -> String {
    let chart = Chart::of(survey);
    let mut svg = Svg::new();
    title(survey, &mut svg);
    chart.draw(survey, marks, &mut svg);
    let bottom = strip::draw(survey, marks, &mut svg);
    let bottom = legend::draw(survey, marks, bottom, &mut svg);
    svg.finish(WIDTH, bottom)
}

fn title(survey: &Survey, svg: &mut Svg) {
    let place = svg::shortened(survey.place(), 110);
    svg.text(24.0, 34.0, "title", "start", &place);
    let segments = survey.chain().segments();
    let state = match (survey.damage_count(), survey.torn()) {
        (0, None) => "clean".to_owned(),
        (0, Some(_)) => "torn tail".to_owned(),
        (1, _) => "DAMAGED in 1 place".to_owned(),
        (count, _) => format!("DAMAGED in {count} places"),
    };
    let bytes = segments.iter().fold(0, |sum: u64, segment| sum.saturating_add(segment.file_len));
    let identity = survey.identity().map_or("no identity".to_owned(), |identity| format!("log {identity}"));
    let facts = format!(
        "{identity} · positions {} to {} · {} segments, {} · epoch {} · {state}",
        survey.begins(),
        survey.end(),
        segments.len(),
        scale::bytes(bytes as f64),
        survey.epoch()
    );
    svg.text(24.0, 56.0, "facts", "start", &facts);
}
