//! Charts as SVG: axes, lines, marks and legend, drawn at two widths for large and small screens.

use std::fmt::Write;

use maud::{Markup, html};

use super::scale::Axis;

/// The size of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Canvas {
    /// The CSS class, which hides the chart on screens of other widths.
    pub(super) class: &'static str,
    /// The whole width, in the units of the drawing.
    pub(super) width: f64,
    /// The height of the plot, without ticks and legend.
    pub(super) height: f64,
    /// The most ticks on the horizontal axis.
    pub(super) ticks_across: usize,
    /// The most entries in a row of the legend.
    pub(super) legend_columns: usize,
}

/// For large screens and print, and for small screens.
const CANVASES: [Canvas; 2] = [
    Canvas { class: "wide", width: 760.0, height: 230.0, ticks_across: 10, legend_columns: 3 },
    Canvas { class: "narrow", width: 350.0, height: 220.0, ticks_across: 5, legend_columns: 1 },
];

const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 22.0;
const TICKS: f64 = 38.0;
const LEGEND_ROW: f64 = 20.0;
/// From the left of a legend's entry to its label.
const LEGEND_LABEL: f64 = 36.0;
/// What a character of a label takes at most on average, with the gap to the next column.
const LEGEND_CHARACTER: f64 = 7.0;

/// A chart with its title, its description for screen readers, and its data as a table.
pub(super) struct ChartFigure<'a> {
    /// The anchor.
    pub(super) id: &'a str,
    pub(super) title: Markup,
    /// The title without markup.
    pub(super) name: String,
    /// What the chart shows, for those who do not see it.
    pub(super) description: String,
    /// How to read the chart.
    pub(super) note: Markup,
    /// The data.
    pub(super) table: Markup,
}

impl ChartFigure<'_> {
    /// The chart, drawn once per canvas. `draw` returns the height and the drawing.
    pub(super) fn draw(&self, draw: impl Fn(&Canvas) -> (f64, Markup)) -> Markup {
        html! {
            figure id=(self.id) {
                figcaption {
                    h3 { (self.title) }
                    @if !self.note.0.is_empty() { p { (self.note) } }
                }
                @for canvas in &CANVASES {
                    @let (height, drawn) = draw(canvas);
                    @let title = format!("{}-{}-title", self.id, canvas.class);
                    @let description = format!("{}-{}-description", self.id, canvas.class);
                    svg class=(canvas.class) role="img" aria-labelledby=(title) aria-describedby=(description)
                        viewBox=(format!("0 0 {} {}", coordinate(canvas.width), coordinate(height))) {
                        title id=(title) { (self.name) }
                        desc id=(description) { (self.description) }
                        (drawn)
                    }
                }
                details { summary { "Data as a table" } (self.table) }
            }
        }
    }
}

/// A coordinate with one decimal, never `-0.0`.
pub(super) fn coordinate(number: f64) -> String {
    let rounded = (number * 10.0).round() / 10.0;
    let rounded = if rounded == 0.0 || !rounded.is_finite() { 0.0 } else { rounded };
    format!("{rounded}")
}

impl Canvas {
    /// The horizontal coordinate of a position from 0 to 1.
    pub(super) fn x(&self, share: f64) -> f64 {
        LEFT + share * (self.width - LEFT - RIGHT)
    }

    /// The vertical coordinate of a position from 0 (bottom) to 1.
    pub(super) fn y(&self, share: f64) -> f64 {
        TOP + (1.0 - share) * self.height
    }

    /// The axes with their ticks and names.
    pub(super) fn axes(&self, horizontal: &Axis<'_>, vertical: &Axis<'_>) -> Markup {
        let (left, right, foot) = (self.x(0.0), self.x(1.0), self.y(0.0));
        html! {
            g class="grid" {
                @for tick in vertical.ticks {
                    @let y = self.y(tick.position);
                    line x1=(coordinate(left)) x2=(coordinate(right)) y1=(coordinate(y)) y2=(coordinate(y)) {}
                    text x=(coordinate(left - 6.0)) y=(coordinate(y + 4.0)) text-anchor="end" { (tick.label) }
                }
                @for tick in horizontal.ticks {
                    @let x = self.x(tick.position);
                    line x1=(coordinate(x)) x2=(coordinate(x)) y1=(coordinate(foot)) y2=(coordinate(foot + 4.0)) {}
                    text x=(coordinate(x)) y=(coordinate(foot + 17.0)) text-anchor=(anchor(tick.position)) { (tick.label) }
                }
                line class="axis" x1=(coordinate(left)) x2=(coordinate(right)) y1=(coordinate(foot)) y2=(coordinate(foot)) {}
                text x="0" y="11" { (vertical.name) }
                text x=(coordinate(right)) y=(coordinate(foot + 31.0)) text-anchor="end" { (horizontal.name) }
            }
        }
    }

    /// The legend below the plot, and the height of the whole chart.
    pub(super) fn legend(&self, entries: &[(LineStyle, String)]) -> (f64, Markup) {
        let top = TOP + self.height + TICKS;
        let longest = entries.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
        let entry = LEGEND_LABEL + longest as f64 * LEGEND_CHARACTER;
        let fits = |columns: &usize| *columns as f64 * entry <= self.width - LEFT;
        let columns = (1..=self.legend_columns.min(entries.len())).rev().find(fits).unwrap_or(1);
        let column = (self.width - LEFT) / columns as f64;
        let drawn = html! {
            @for (number, (line, label)) in entries.iter().enumerate() {
                @let x = LEFT + (number % columns) as f64 * column;
                @let y = top + (number / columns) as f64 * LEGEND_ROW + 8.0;
                (line.sample(x, y))
                text class="legend" x=(coordinate(x + LEGEND_LABEL)) y=(coordinate(y + 4.0)) { (label) }
            }
        };
        let rows = entries.len().div_ceil(columns);
        (top + rows as f64 * LEGEND_ROW + 2.0, drawn)
    }
}

/// Labels at the right end of the axis stay inside the chart.
fn anchor(position: f64) -> &'static str {
    if position > 0.97 { "end" } else { "middle" }
}

/// The style of a line: its colour, its dashes and its mark differ from those of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineStyle(pub(super) usize);

impl LineStyle {
    /// The number of distinct styles.
    pub(super) const COUNT: usize = 6;

    /// The CSS class of an element in this style.
    pub(super) fn class(self, kind: &str) -> String {
        format!("{kind} s{}", self.0 % Self::COUNT + 1)
    }

    pub(super) fn path(self, path: &str) -> Markup {
        html! { path class=(self.class("line")) d=(path) {} }
    }

    pub(super) fn mark(self, x: f64, y: f64) -> Markup {
        let (x, y) = (coordinate(x), coordinate(y));
        let shape = match self.0 % Self::COUNT {
            0 => "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
            1 => "m-3.5-3.5h7v7h-7z",
            2 => "m0-4.6l4.6 8h-9.2z",
            3 => "m0-5l5 5l-5 5l-5-5z",
            4 => "m0 4.6l4.6-8h-9.2z",
            _ => "m-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
        };
        html! { path class=(self.class("mark")) d=(format!("M{x} {y}{shape}")) {} }
    }

    fn sample(self, x: f64, y: f64) -> Markup {
        html! {
            (self.path(&format!("M{} {}h28", coordinate(x), coordinate(y))))
            (self.mark(x + 14.0, y))
        }
    }
}

/// The path of a line through points, interrupted at missing ones.
pub(super) fn line_through(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut is_drawing = false;
    for point in points {
        is_drawing = match point {
            Some((x, y)) => {
                path.push(if is_drawing { 'L' } else { 'M' });
                let _ = write!(path, "{} {}", coordinate(x), coordinate(y));
                true
            }
            None => false,
        };
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coordinate_is_finite() {
        assert_eq!(coordinate(f64::NAN), "0");
        assert_eq!(coordinate(-0.04), "0");
        assert_eq!(coordinate(12.34), "12.3");
    }

    #[test]
    fn a_line_is_interrupted_at_missing_points() {
        let points = [Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((3.0, 4.0))];
        assert_eq!(line_through(points), "M0 1L1 2M3 4");
    }
}
