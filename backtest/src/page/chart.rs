//! Plots as inline SVG: a frame, its axes, and marks by class; the style sheet gives them colour.

use super::markup::{escape, minus, put};
use super::scale::{Scale, tick_decimals, ticks, time_ticks};
use crate::wording::fixed;

/// The three sources of answers, in the order of [`crate::report::Sums`]: name and class.
pub(super) const SOURCES: [(&str, &str); 3] =
    [("primary", "primary"), ("corrected", "corrected"), ("as served", "served")];

/// For which screens a plot is drawn: text in a scaled-down plot could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Desks and paper.
    Wide,
    /// Telephones.
    Narrow,
}

/// A plot for both sizes; the style sheet shows one of them.
pub(super) fn both(draw: impl Fn(Size) -> String) -> String {
    let (wide, narrow) = (draw(Size::Wide), draw(Size::Narrow));
    format!("<div class=\"wide\">{wide}</div><div class=\"narrow\">{narrow}</div>")
}

/// What a plot is called and what it shows, for those who cannot see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Title<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
}

/// The size of a plot and the room around its marks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) size: Size,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// A frame of the width of its size.
    pub(super) fn new(size: Size, height: f64, bottom: f64) -> Self {
        let (width, left, right) = match size {
            Size::Wide => (880.0, 78.0, 76.0),
            Size::Narrow => (340.0, 66.0, 8.0),
        };
        Self { size, width, height, left, right, top: 12.0, bottom }
    }

    /// The vertical scale; `low` to `high` are widened to round ticks.
    pub(super) fn vertical(&self, ticks: &[f64]) -> Scale {
        let (from, until) = ends(ticks);
        Scale { from, until, start: self.height - self.bottom, end: self.top }
    }

    /// The horizontal scale from `from` to `until`.
    pub(super) fn horizontal(&self, from: f64, until: f64) -> Scale {
        Scale { from, until, start: self.left, end: self.width - self.right }
    }
}

/// Round ticks for a vertical axis over `low` to `high`.
pub(super) fn vertical_ticks(low: f64, high: f64) -> Vec<f64> {
    ticks(low, high, 5)
}

fn ends(ticks: &[f64]) -> (f64, f64) {
    ticks.first().zip(ticks.last()).map_or((0.0, 1.0), |(first, last)| (*first, *last))
}

/// A plot being drawn.
#[derive(Debug)]
pub(super) struct Svg {
    pub(super) frame: Frame,
    text: String,
}

impl Svg {
    /// An empty plot. `data` are further attributes, already escaped.
    pub(super) fn new(frame: Frame, title: Title<'_>, data: &str) -> Self {
        let Title { id, title, description } = title;
        let id = match frame.size {
            Size::Wide => format!("{id}-wide"),
            Size::Narrow => format!("{id}-narrow"),
        };
        let text = format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-about\"{data}>\
             <title id=\"{id}-title\">{}</title><desc id=\"{id}-about\">{}</desc>",
            frame.width,
            frame.height,
            escape(title),
            escape(description)
        );
        Self { frame, text }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(place);
        put(
            &mut self.text,
            format_args!(
                "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
            ),
        );
    }

    pub(super) fn rect(&mut self, class: &str, corner: (f64, f64), size: (f64, f64)) {
        let [x, y, w, h] = [corner.0, corner.1, size.0, size.1].map(place);
        put(
            &mut self.text,
            format_args!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/>"
            ),
        );
    }

    pub(super) fn dot(&mut self, class: &str, at: (f64, f64), radius: f64) {
        let [x, y, r] = [at.0, at.1, radius].map(place);
        put(
            &mut self.text,
            format_args!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>"),
        );
    }

    /// A line through points; `None` interrupts it. A lone point becomes a dot.
    pub(super) fn path(&mut self, class: &str, points: &[Option<(f64, f64)>]) {
        let mut text = String::new();
        let mut lone = Vec::new();
        for piece in points.split(Option::is_none) {
            let piece: Vec<_> = piece.iter().flatten().collect();
            if let [only] = piece.as_slice() {
                lone.push(**only);
                continue;
            }
            for (index, (x, y)) in piece.into_iter().enumerate() {
                let step = if index == 0 { 'M' } else { 'L' };
                put(&mut text, format_args!("{step}{} {}", place(*x), place(*y)));
            }
        }
        if !text.is_empty() {
            put(&mut self.text, format_args!("<path class=\"{class}\" d=\"{text}\"/>"));
        }
        for at in lone {
            self.dot(&format!("{class} lone"), at, 2.0);
        }
    }

    pub(super) fn label(&mut self, class: &str, at: (f64, f64), text: &str) {
        let [x, y] = [at.0, at.1].map(place);
        let text = escape(text);
        put(
            &mut self.text,
            format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"),
        );
    }

    /// Marks until [`Svg::unclip`] show only inside the plot's area.
    pub(super) fn clip(&mut self) {
        let f = self.frame;
        let [width, height] = [f.width - f.left - f.right, f.height - f.top - f.bottom].map(place);
        let (x, y) = (place(f.left), place(f.top));
        put(
            &mut self.text,
            format_args!(
                "<svg x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
                 viewBox=\"{x} {y} {width} {height}\">"
            ),
        );
    }

    pub(super) fn unclip(&mut self) {
        self.text.push_str("</svg>");
    }

    /// Horizontal grid lines with their values; zero stands out where it is not the edge.
    pub(super) fn vertical_axis(&mut self, scale: &Scale, ticks: &[f64], suffix: &str) {
        let decimals = tick_decimals(ticks);
        let (left, right) = (self.frame.left, self.frame.width - self.frame.right);
        for &tick in ticks {
            let y = scale.at(tick);
            let class = if tick.abs() < 1e-12 { "zero" } else { "grid" };
            self.line(class, (left, y), (right, y));
            let text = minus(&format!("{}{suffix}", fixed(tick, decimals)));
            self.label("tick end", (left - 7.0, y + 3.5), &text);
        }
    }

    /// Dates beneath the plot.
    pub(super) fn time_axis(&mut self, scale: &Scale, y: f64) {
        let count = match self.frame.size {
            Size::Wide => 13,
            Size::Narrow => 5,
        };
        for tick in time_ticks(scale.from, scale.until, count) {
            let x = scale.at(tick.day);
            self.line("mark", (x, y), (x, y + 4.0));
            let is_last = x > scale.end - 14.0;
            let class = if is_last { "tick end" } else { "tick middle" };
            let x = if is_last { x.max(scale.end) } else { x };
            self.label(class, (x, y + 16.0), &tick.text);
        }
    }

    /// The finished plot.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>");
        self.text
    }
}

/// A coordinate to a tenth of a pixel.
pub(super) fn place(value: f64) -> String {
    let value = if value.is_finite() { value.clamp(-1e6, 1e6) } else { 0.0 };
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// What the colours and dashes of the sources mean.
pub(super) fn legend() -> String {
    let mut text = String::from("<ul class=\"legend\">");
    for (name, class) in SOURCES {
        put(
            &mut text,
            format_args!(
                "<li><svg viewBox=\"0 0 26 8\" aria-hidden=\"true\">\
                 <path class=\"series {class}\" d=\"M0 4H26\"/></svg>{name}</li>"
            ),
        );
    }
    text.push_str("</ul>");
    text
}
