//! The lower part: what lies where, by position alone.

use headwater_wal::{Position, Survey};

use super::axis::Axis;
use super::chart::{LEFT, RIGHT};
use super::svg::Svg;
use super::{Look, Marks};

const TOP: f64 = 592.0;
const HEIGHT: f64 = 26.0;

/// What is nearer together is drawn as one.
const APART: f64 = 1.5;

/// Segments that are narrower are not told apart.
const NARROW: f64 = 4.0;

/// Draws it, and says where it ends.
pub(super) fn draw(survey: &Survey, marks: &Marks, svg: &mut Svg) -> f64 {
    let scale = Axis::of(survey, LEFT, RIGHT);
    svg.text(LEFT, TOP - 12.0, "head", "start", "by position");
    svg.rect(LEFT, TOP, RIGHT - LEFT, HEIGHT, "era");
    let mut runs = Runs { scale: &scale, svg, run: None };
    for segment in survey.chain().segments() {
        let class = match Look::of(segment) {
            Look::Sealed => "sealed",
            Look::Closed => "closed",
            Look::Active => "active",
            Look::Epoch => "epoch",
        };
        runs.add(segment.base, segment.end, class);
    }
    runs.end();
    over(survey, marks, &scale, svg);
    for (from, to) in scale.breaks() {
        svg.rect(from, TOP - 3.0, to - from, HEIGHT + 8.0, "break");
    }
    for tick in scale.ticks(9, 84.0) {
        svg.stroke((tick.at, TOP + HEIGHT), (tick.at, TOP + HEIGHT + 5.0), "axis");
        svg.text(tick.at, TOP + HEIGHT + 19.0, "small", "middle", &tick.label);
    }
    svg.text((LEFT + RIGHT) / 2.0, TOP + HEIGHT + 38.0, "head", "middle", "position (bytes)");
    TOP + HEIGHT + 46.0
}

/// What lies over the segments, or in their place.
fn over(survey: &Survey, marks: &Marks, scale: &Axis, svg: &mut Svg) {
    let mut part = |from: Position, to: Position, class: &str| {
        let (x, width) = (scale.at(from.0), scale.at(to.0) - scale.at(from.0));
        svg.rect(x, TOP, width.max(2.0), HEIGHT, class);
    };
    let mut drawn = f64::MIN;
    for aside in survey.aside() {
        let end = aside.base.plus(aside.file_len);
        if scale.at(end.0) - drawn >= APART {
            part(aside.base, end, "aside");
            drawn = scale.at(end.0);
        }
    }
    for range in survey.lost() {
        part(range.start, range.end, "lost");
    }
    if let Some(torn) = survey.torn() {
        part(torn.range.start, torn.range.end, "torn");
    }
    for damage in survey.damages() {
        part(damage.range.start, damage.range.end, "damaged");
    }
    if let Some((cleaned, _)) = &marks.cleaned {
        let (from, to) = (scale.at(survey.begins().0), scale.at(cleaned.0));
        svg.rect(from, TOP + HEIGHT - 5.0, to - from, 5.0, "sweep");
        svg.stroke((to, TOP - 4.0), (to, TOP + HEIGHT + 4.0), "cut");
    }
    let mut drawn = f64::MIN;
    for (at, _) in &marks.positions {
        let x = scale.at(at.0);
        if (x - drawn).abs() < APART {
            continue;
        }
        drawn = x;
        svg.path(&[(x - 3.5, TOP - 7.0), (x, TOP - 1.0), (x + 3.5, TOP - 7.0)], "mark");
    }
}

/// Segments side by side, those of one colour as one where they are narrow.
struct Runs<'a> {
    scale: &'a Axis,
    svg: &'a mut Svg,
    run: Option<(f64, f64, &'static str)>,
}

impl Runs<'_> {
    fn add(&mut self, from: Position, to: Position, class: &'static str) {
        let (from, to) = (self.scale.at(from.0), self.scale.at(to.0));
        match &mut self.run {
            Some((_, ends, of)) if *of == class && to - from < NARROW && from - *ends < 0.5 => *ends = to,
            // An epoch's first segment is a few bytes: it is seen where it does not hide all others.
            Some((begins, ends, _)) if class == "epoch" && to - *begins < APART => *ends = to,
            _ => {
                self.end();
                self.run = Some((from, to, class));
            }
        }
    }

    fn end(&mut self) {
        let Some((from, to, class)) = self.run.take() else { return };
        let width = to - from;
        let gap = if width > NARROW { 0.8 } else { 0.0 };
        self.svg.rect(from, TOP, (width - gap).max(1.0), HEIGHT, class);
    }
}
