//! Drawing: a chart's frame, paths, marks and key, at two widths, for a desk and for a phone.

use std::fmt::Write;

use maud::{Markup, html};

use super::scale::Tick;

/// The room a chart has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Canvas {
    /// The class that shows it at the widths it is for.
    pub(crate) class: &'static str,
    /// The whole width; everything is in its units.
    pub(crate) width: f64,
    /// The height of the plot without its ticks and key.
    pub(crate) height: f64,
    /// Ticks across, at most.
    pub(crate) ticks_across: usize,
    /// Entries of the key in a row, at most.
    pub(crate) key_columns: usize,
}

/// For a desk, for print, and for a phone.
pub(crate) const CANVASES: [Canvas; 2] = [
    Canvas { class: "wide", width: 760.0, height: 230.0, ticks_across: 10, key_columns: 3 },
    Canvas { class: "narrow", width: 350.0, height: 220.0, ticks_across: 5, key_columns: 1 },
];

const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 22.0;
const TICKS: f64 = 38.0;
const KEY_ROW: f64 = 20.0;

/// A figure with its words: what is drawn, for those who do not see it, and as a table.
pub(crate) struct ChartFigure<'a> {
    /// Its anchor.
    pub(crate) id: &'a str,
    /// Its title.
    pub(crate) title: Markup,
    /// Its title without markup.
    pub(crate) name: String,
    /// What it shows, in words.
    pub(crate) description: String,
    /// What a reader has to know of it.
    pub(crate) note: Markup,
    /// The same as a table.
    pub(crate) table: Markup,
}

impl ChartFigure<'_> {
    /// The figure, drawn once for each width.
    pub(crate) fn draw(&self, draw: impl Fn(&Canvas) -> (f64, Markup)) -> Markup {
        html! {
            figure id=(self.id) {
                figcaption {
                    h3 { (self.title) }
                    @if !self.note.0.is_empty() { p { (self.note) } }
                }
                @for canvas in &CANVASES {
                    @let (height, drawn) = draw(canvas);
                    @let title = format!("{}-{}-title", self.id, canvas.class);
                    @let description = format!("{}-{}-words", self.id, canvas.class);
                    svg class=(canvas.class) role="img" aria-labelledby=(title) aria-describedby=(description)
                        viewBox=(format!("0 0 {} {}", place(canvas.width), place(height))) {
                        title id=(title) { (self.name) }
                        desc id=(description) { (self.description) }
                        (drawn)
                    }
                }
                details { summary { "The same as a table" } (self.table) }
            }
        }
    }
}

/// A number of the drawing with one decimal, never `-0.0`.
pub(crate) fn place(number: f64) -> String {
    let rounded = (number * 10.0).round() / 10.0;
    let rounded = if rounded == 0.0 || !rounded.is_finite() { 0.0 } else { rounded };
    format!("{rounded}")
}

impl Canvas {
    /// From a share of the plot's width to a place across.
    pub(crate) fn x(&self, share: f64) -> f64 {
        LEFT + share * (self.width - LEFT - RIGHT)
    }

    /// From a share of the plot's height to a place down.
    pub(crate) fn y(&self, share: f64) -> f64 {
        TOP + (1.0 - share) * self.height
    }

    /// The grid, its words, and what stands across and up.
    pub(crate) fn frame(&self, across: &[Tick], up: &[Tick], names: (&str, &str)) -> Markup {
        let (left, right, foot) = (self.x(0.0), self.x(1.0), self.y(0.0));
        html! {
            g class="grid" {
                @for (share, words) in up {
                    @let y = self.y(*share);
                    line x1=(place(left)) x2=(place(right)) y1=(place(y)) y2=(place(y)) {}
                    text x=(place(left - 6.0)) y=(place(y + 4.0)) text-anchor="end" { (words) }
                }
                @for (share, words) in across {
                    @let x = self.x(*share);
                    line x1=(place(x)) x2=(place(x)) y1=(place(foot)) y2=(place(foot + 4.0)) {}
                    text x=(place(x)) y=(place(foot + 17.0)) text-anchor=(anchor(*share)) { (words) }
                }
                line class="axis" x1=(place(left)) x2=(place(right)) y1=(place(foot)) y2=(place(foot)) {}
                text x="0" y="11" { (names.1) }
                text x=(place(right)) y=(place(foot + 31.0)) text-anchor="end" { (names.0) }
            }
        }
    }

    /// The key, below the plot, and the height of everything down to its end.
    pub(crate) fn key(&self, entries: &[(LineStyle, String)]) -> (f64, Markup) {
        let top = TOP + self.height + TICKS;
        let columns = self.key_columns.min(entries.len()).max(1);
        let column = (self.width - LEFT) / columns as f64;
        let drawn = html! {
            @for (number, (line, words)) in entries.iter().enumerate() {
                @let x = LEFT + (number % columns) as f64 * column;
                @let y = top + (number / columns) as f64 * KEY_ROW + 8.0;
                (line.sample(x, y))
                text class="key" x=(place(x + 36.0)) y=(place(y + 4.0)) { (words) }
            }
        };
        let rows = entries.len().div_ceil(columns);
        (top + rows as f64 * KEY_ROW + 2.0, drawn)
    }
}

/// Words at either end of the axis stay inside.
fn anchor(share: f64) -> &'static str {
    match share {
        end if end > 0.97 => "end",
        _ => "middle",
    }
}

/// A line's look: its colour, its dashes and its mark all tell it from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineStyle(pub(crate) usize);

impl LineStyle {
    /// How many lines can be told apart.
    pub(crate) const COUNT: usize = 6;

    /// The class of what is drawn in its colour.
    pub(crate) fn class(self, kind: &str) -> String {
        format!("{kind} s{}", self.0 % Self::COUNT + 1)
    }

    /// A path of it.
    pub(crate) fn path(self, path: &str) -> Markup {
        html! { path class=(self.class("line")) d=(path) {} }
    }

    /// A mark of it.
    pub(crate) fn mark(self, x: f64, y: f64) -> Markup {
        let (x, y) = (place(x), place(y));
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
            (self.path(&format!("M{} {}h28", place(x), place(y))))
            (self.mark(x + 14.0, y))
        }
    }
}

/// A line through points, broken where there is none.
pub(crate) fn through(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut begun = false;
    for point in points {
        begun = match point {
            Some((x, y)) => {
                path.push(if begun { 'L' } else { 'M' });
                let _ = write!(path, "{} {}", place(x), place(y));
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
    fn no_place_is_without_a_number() {
        assert_eq!(place(f64::NAN), "0");
        assert_eq!(place(-0.04), "0");
        assert_eq!(place(12.34), "12.3");
    }

    #[test]
    fn a_line_is_broken_where_nothing_was_measured() {
        let points = [Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((3.0, 4.0))];
        assert_eq!(through(points), "M0 1L1 2M3 4");
    }
}
