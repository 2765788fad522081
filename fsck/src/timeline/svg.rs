//! Writing SVG by hand: a few shapes, every text escaped.

use std::fmt::Write as _;

/// A card of its own colour, so that it reads on a light page and on a dark one.
const STYLE: &str = "\
text{font-family:'DejaVu Sans','Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#24303c}\
.title{font-size:17px;font-weight:bold}\
.facts{fill:#4a5866}\
.small{font-size:11px;fill:#4a5866}\
.head{font-size:13px;font-weight:bold}\
.grid{stroke:#e3e8ed;stroke-width:1}\
.axis{stroke:#8896a3;stroke-width:1}\
.sealed{fill:#4c8fbd}\
.closed{fill:#8a78b8}\
.active{fill:#3f9f6e}\
.epoch{fill:#24303c}\
.outline{stroke:#ffffff;stroke-width:.6}\
.era{fill:#eef3f7}\
.turn{stroke:#24303c;stroke-width:1;stroke-dasharray:2 3}\
.damaged{fill:#d6353f}\
.torn{fill:#f0a43a}\
.lost{fill:#8b2f5c}\
.aside{fill:#b4bdc6}\
.cleaned{fill:#c9a227;fill-opacity:.22}\
.sweep{fill:#e2bf3f}\
.cut{stroke:#9a7a10;stroke-width:1.2;stroke-dasharray:6 3}\
.band{fill-opacity:.25}\
.break{fill:#fcfdfe}\
.mark{stroke:#b4570f;stroke-width:1.2;stroke-opacity:.6;fill:none}\
.lead{stroke:#b4570f;stroke-width:.7;fill:none}\
.seal{fill:#ffffff;stroke:#24303c;stroke-width:1}";

#[derive(Debug, Default)]
pub(super) struct Svg(String);

impl Svg {
    pub(super) fn new() -> Svg {
        Svg::default()
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        self.line(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    pub(super) fn stroke(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.line(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.line(format_args!("<polyline class=\"{class}\" points=\"{}\"/>", points.join(" ")));
    }

    pub(super) fn dot(&mut self, x: f64, y: f64, class: &str) {
        self.line(format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>"));
    }

    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, anchor: &str, text: &str) {
        let text = escaped(text);
        self.line(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    /// A text that reads from below.
    pub(super) fn upright(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escaped(text);
        self.line(format_args!(
            "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\">{text}</text>"
        ));
    }

    pub(super) fn finish(self, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
             {height:.0}\" role=\"img\">\n<style>{STYLE}</style>\n<rect x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\" \
             fill=\"#fcfdfe\" stroke=\"#c9d2da\"/>\n{}</svg>\n",
            width - 1.0,
            height - 1.0,
            self.0
        )
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// A text that stays one in XML, and that no terminal obeys.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '"' => escaped += "&quot;",
            '\'' => escaped.push('\''),
            letter => escaped.extend(letter.escape_debug()),
        }
    }
    escaped
}

/// The end of a text that has more than so many letters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    std::iter::once('…').chain(text.chars().skip(count - most + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_element() {
        assert_eq!(escaped("a<b>&\"'\u{1b}[2J\u{202e}"), "a&lt;b&gt;&amp;&quot;'\\u{1b}[2J\\u{202e}");
        assert_eq!(shortened("abcdef", 4), "…def");
        assert_eq!(shortened("größe", 5), "größe");
    }
}
