//! A drawing, and the scales that figures are drawn on.

use std::fmt::Write;

/// A drawing of a fixed size, on white.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// How a text stands to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Svg {
        Svg { width, height, body: String::new() }
    }

    pub(super) fn finish(self) -> String {
        let Svg { width, height, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" font-family=\"Helvetica, Arial, sans-serif\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
        )
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), size: f64, anchor: Anchor, colour: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>"
        );
    }

    /// A title, in bold, and what it means below.
    pub(super) fn title(&mut self, title: &str, below: &[&str]) {
        let _ = write!(self.body, "<g font-weight=\"bold\">");
        self.text((20.0, 30.0), 18.0, Anchor::Start, "#111111", title);
        let _ = writeln!(self.body, "</g>");
        for (number, line) in (0..).zip(below) {
            self.text((20.0, 51.0 + 17.0 * f64::from(number)), 13.0, Anchor::Start, "#555555", line);
        }
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
        );
    }

    /// A line through points; dashed or not.
    pub(super) fn line(&mut self, points: &[(f64, f64)], colour: &str, width: f64, dashed: bool) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dashes = if dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dashes}/>",
            points.join(" ")
        );
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, colour: &str) {
        let _ = writeln!(self.body, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\"/>");
    }
}

/// A logarithmic scale from figures to pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    least: f64,
    greatest: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// That holds all values; none if there are none above 0.
    pub(super) fn of(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Option<Scale> {
        let values = values.into_iter().filter(|value| *value > 0.0 && value.is_finite());
        let (least, greatest) = values
            .fold((f64::MAX, 0.0_f64), |(least, greatest), value| (least.min(value), greatest.max(value)));
        let wide = if greatest < least * 2.0 { (least / 2.0, greatest * 2.0) } else { (least, greatest) };
        (greatest > 0.0).then_some(Scale { least: wide.0 / 1.15, greatest: wide.1 * 1.15, from, to })
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let part = (value.max(self.least) / self.least).ln() / (self.greatest / self.least).ln();
        self.from + part.min(1.0) * (self.to - self.from)
    }

    /// Round figures on it: of 1, 2 and 5 and their tens, or of the tens only where these would be many.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = if self.greatest / self.least > 300.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let tens = (self.least.log10().floor() as i32)..=(self.greatest.log10().ceil() as i32);
        let all = tens.flat_map(|ten| steps.iter().map(move |step| step * 10_f64.powi(ten)));
        all.filter(|tick| (self.least..=self.greatest).contains(tick)).collect()
    }
}

/// Moves labels apart that would lie over one another: each keeps its order and as much of its place as it can.
pub(super) fn apart(places: &mut [f64], least: f64, to: f64) {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|one, other| places[*one].total_cmp(&places[*other]));
    for pair in 1..order.len() {
        places[order[pair]] = places[order[pair]].max(places[order[pair - 1]] + least);
    }
    // What went beyond the end comes back from there.
    let mut end = to;
    for at in order.into_iter().rev() {
        places[at] = places[at].min(end);
        end = places[at] - least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_holds_all_its_values_and_its_ticks_are_round() {
        let scale = Scale::of([3.0, 0.0, 90.0], 0.0, 100.0).unwrap();
        assert!(scale.at(3.0) > 0.0 && scale.at(90.0) < 100.0 && scale.at(3.0) < scale.at(20.0));
        assert_eq!(scale.ticks(), [5.0, 10.0, 20.0, 50.0, 100.0]);
        assert!(Scale::of([0.0], 0.0, 1.0).is_none());
    }

    #[test]
    fn labels_are_apart_and_within() {
        let mut places = [50.0, 10.0, 52.0, 51.0];
        apart(&mut places, 10.0, 60.0);
        assert_eq!(places, [40.0, 10.0, 60.0, 50.0]);
    }

    #[test]
    fn text_is_text_and_not_markup() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text((0.0, 0.0), 10.0, Anchor::Middle, "#000000", "a<b & c");
        assert!(svg.finish().contains("a&lt;b &amp; c"));
    }
}
