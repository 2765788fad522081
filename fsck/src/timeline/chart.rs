//! The upper part: segments by the engine's time and by position.

use headwater_wal::{Position, Segment, Survey, Time};

use super::axis::Axis;
use super::scale::{Scale, spread};
use super::svg::{Svg, shortened};
use super::{Look, Marks};

pub(super) const LEFT: f64 = 130.0;
pub(super) const RIGHT: f64 = 970.0;
const TOP: f64 = 108.0;
const BOTTOM: f64 = 500.0;

/// What is nearer together in both directions is drawn as one.
const APART: f64 = 3.0;

/// Up to so many segments are outlined, and their seals drawn.
pub(super) const OUTLINED_MAX: usize = 150;

const LABELS_MAX: usize = 18;
const LABELS_APART: f64 = 15.0;
const EPOCHS_APART: f64 = 64.0;

/// Of more epochs none has a ground of its own.
const ERAS_MAX: usize = 120;

pub(super) struct Chart {
    x: Scale,
    y: Axis,
    steps: Vec<Step>,
    eras: Vec<Era>,
}

/// Segments that are drawn as one.
struct Step {
    look: Look,
    from: u64,
    to: u64,
    base: Position,
    end: Position,
}

/// An epoch, and when it began.
struct Era {
    epoch: u64,
    from: u64,
}

impl Chart {
    pub(super) fn of(survey: &Survey) -> Chart {
        let segments = survey.chain().segments();
        let engine = survey.engine_time().0;
        let began = segments.iter().map(|segment| segment.made_at.0).min().unwrap_or(engine);
        let ended = segments.iter().map(|segment| segment.closed_at.unwrap_or(segment.made_at).0).max();
        let ended = ended.unwrap_or(engine).max(engine);
        // What is being written reaches beyond the last thing that has a time.
        let ended = ended.saturating_add((ended - began.min(ended)) / 40);
        let mut chart = Chart {
            x: Scale::new(began, ended, 1_000, LEFT, RIGHT),
            y: Axis::of(survey, BOTTOM, TOP),
            steps: Vec::new(),
            eras: Vec::new(),
        };
        for segment in segments {
            chart.add(segment, chart.x.to);
        }
        chart
    }

    fn add(&mut self, segment: &Segment, now: u64) {
        let (epoch, from) = (segment.epoch, segment.made_at.0);
        if self.eras.last().is_none_or(|era| era.epoch != epoch) {
            self.eras.push(Era { epoch, from });
        }
        let look = Look::of(segment);
        if look == Look::Epoch {
            return;
        }
        let to = segment.closed_at.map_or(now, |at| at.0).max(from);
        let step = Step { look, from, to, base: segment.base, end: segment.end };
        let near = |last: &&mut Step| {
            last.look == step.look
                && self.x.at(step.to) - self.x.at(last.from) < APART
                && self.y.at(last.base.0) - self.y.at(step.end.0) < APART
        };
        match self.steps.last_mut().filter(near) {
            Some(last) => (last.to, last.end) = (last.to.max(step.to), step.end),
            None => self.steps.push(step),
        }
    }

    pub(super) fn draw(&self, survey: &Survey, marks: &Marks, svg: &mut Svg) {
        self.eras(svg);
        self.axes(svg);
        self.bands(survey, marks, svg);
        self.segments(survey, svg);
        self.turns(svg);
        self.labels(marks, svg);
    }

    /// Each second epoch on a ground of its own, as long as they can be told apart.
    fn eras(&self, svg: &mut Svg) {
        let many = self.eras.len() > ERAS_MAX;
        for (at, era) in self.eras.iter().enumerate().filter(|(at, _)| at % 2 == 1 && !many) {
            let from = self.x.at(era.from);
            let to = self.eras.get(at + 1).map_or(RIGHT, |next| self.x.at(next.from));
            svg.rect(from, TOP, to - from, BOTTOM - TOP, "era");
        }
    }

    fn axes(&self, svg: &mut Svg) {
        for tick in self.y.ticks(9, 16.0) {
            svg.stroke((LEFT, tick.at), (RIGHT, tick.at), "grid");
            svg.text(LEFT - 10.0, tick.at + 4.0, "small", "end", &tick.label);
        }
        let ticks = self.x.times(9);
        for (at, label) in &ticks {
            let x = self.x.at(*at);
            svg.stroke((x, TOP), (x, BOTTOM), "grid");
            svg.stroke((x, BOTTOM), (x, BOTTOM + 5.0), "axis");
            svg.text(x, BOTTOM + 19.0, "small", "middle", label);
        }
        svg.stroke((LEFT, BOTTOM), (RIGHT, BOTTOM), "axis");
        svg.stroke((LEFT, TOP), (LEFT, BOTTOM), "axis");
        for (from, to) in self.y.breaks() {
            svg.rect(LEFT - 5.0, to, RIGHT - LEFT + 5.0, from - to, "break");
        }
        svg.upright(26.0, (TOP + BOTTOM) / 2.0, "head", "position (bytes)");
        let (from, to) = (Time(self.x.from), Time(self.x.to));
        svg.text((LEFT + RIGHT) / 2.0, BOTTOM + 40.0, "head", "middle", "engine time (UTC)");
        svg.text(LEFT, BOTTOM + 40.0, "small", "start", &from.to_string());
        svg.text(RIGHT, BOTTOM + 40.0, "small", "end", &to.to_string());
    }

    /// What concerns positions, whatever the time was.
    fn bands(&self, survey: &Survey, marks: &Marks, svg: &mut Svg) {
        let mut band = |from: Position, to: Position, class: &str| {
            let (low, high) = (self.y.at(from.0), self.y.at(to.0));
            svg.rect(LEFT, high.min(low - 2.0), RIGHT - LEFT, (low - high).max(2.0), class);
        };
        if let Some((cleaned, _)) = &marks.cleaned {
            band(survey.begins(), *cleaned, "cleaned");
        }
        for range in survey.lost() {
            band(range.start, range.end, "lost band");
        }
        if let Some(torn) = survey.torn() {
            band(torn.range.start, torn.range.end, "torn band");
        }
        for damage in survey.damages() {
            band(damage.range.start, damage.range.end, "damaged band");
        }
        if let Some((cleaned, _)) = &marks.cleaned {
            let y = self.y.at(cleaned.0);
            svg.stroke((LEFT, y), (RIGHT, y), "cut");
        }
    }

    fn segments(&self, survey: &Survey, svg: &mut Svg) {
        let few = survey.chain().segments().len() <= OUTLINED_MAX;
        for step in self.steps.iter().filter(|step| step.look != Look::Epoch) {
            let (x, low, high) = (self.x.at(step.from), self.y.at(step.base.0), self.y.at(step.end.0));
            // The least that is seen.
            let (width, height) = ((self.x.at(step.to) - x).max(1.5), (low - high).max(1.5));
            let class = match step.look {
                Look::Sealed => "sealed",
                Look::Closed => "closed",
                Look::Active | Look::Epoch => "active",
            };
            let outlined = if few { format!("{class} outline") } else { class.to_owned() };
            svg.rect(x, low - height, width, height, &outlined);
        }
        for segment in
            survey.chain().segments().iter().filter(|segment| few && segment.sealed && !segment.begins_epoch)
        {
            let Some(closed) = segment.closed_at else { continue };
            svg.dot(self.x.at(closed.0), self.y.at(segment.end.0), "seal");
        }
    }

    /// Where epochs begin, with their numbers as far as there is room.
    fn turns(&self, svg: &mut Svg) {
        let (mut drawn, mut free_from) = (f64::MIN, LEFT);
        for era in &self.eras {
            let x = self.x.at(era.from);
            if x - drawn < 1.5 {
                continue;
            }
            drawn = x;
            svg.stroke((x, TOP - 6.0), (x, BOTTOM), "turn");
            if x >= free_from {
                let label = format!("epoch {}", era.epoch);
                free_from = x + EPOCHS_APART.max(7.0 * label.len() as f64 + 8.0);
                svg.text(x, TOP - 11.0, "small", "start", &label);
            }
        }
    }

    /// At the right, what positions stand for, as near to them as they can be read.
    fn labels(&self, marks: &Marks, svg: &mut Svg) {
        let mut labels: Vec<(f64, &str)> =
            marks.positions.iter().map(|(at, label)| (self.y.at(at.0), label.as_str())).collect();
        labels.sort_by(|one, other| one.0.total_cmp(&other.0));
        let left_out = labels.len().saturating_sub(LABELS_MAX);
        let mut drawn = f64::MIN;
        for (y, _) in labels.iter().filter(|(y, _)| (TOP..=BOTTOM).contains(y)) {
            if y - drawn >= 1.0 {
                svg.stroke((LEFT, *y), (RIGHT, *y), "mark");
                drawn = *y;
            }
        }
        labels.truncate(LABELS_MAX);
        let wanted: Vec<f64> = labels.iter().map(|(y, _)| *y).collect();
        let placed = spread(&wanted, LABELS_APART, TOP, BOTTOM - LABELS_APART);
        for ((y, label), at) in labels.iter().zip(&placed) {
            svg.path(&[(RIGHT, *y), (RIGHT + 10.0, *y), (RIGHT + 22.0, *at), (RIGHT + 28.0, *at)], "lead");
            svg.text(RIGHT + 32.0, at + 4.0, "small", "start", &shortened(label, 30));
        }
        if left_out > 0 {
            svg.text(RIGHT + 32.0, BOTTOM + 4.0, "small", "start", &format!("and {left_out} more"));
        }
    }
}
