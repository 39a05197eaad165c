//! The stages behind a chart over time: a line at the start of each, shaded if it is not measured; and the moments that
//! somebody marked.

use maud::{Markup, html};

use super::chart::{Canvas, coordinate};
use super::scale::Scale;
use crate::fold::{FoldedSession, Mark};
use crate::render::visible;

/// The approximate width of a character.
const CHARACTER: f64 = 6.6;

/// The stages in which runs were intended to start.
pub(super) fn stages(folded: &FoldedSession, canvas: &Canvas, time: Scale) -> Markup {
    let starts: Vec<(u32, f64)> = folded
        .stage_starts
        .iter()
        .map(|(stage, at)| (*stage, canvas.x(time.at(at.0 as f64))))
        .collect();
    let (top, foot) = (canvas.y(1.0), canvas.y(0.0));
    html! {
        g class="stages" {
            @for (number, (stage, x)) in starts.iter().enumerate() {
                @let end = starts.get(number + 1).map_or(canvas.x(1.0), |(_, next)| *next);
                @let end = end.max(*x);
                @let measured = folded.names.is_measured(*stage);
                @if !measured {
                    rect class="unmeasured" x=(coordinate(*x)) y=(coordinate(top)) width=(coordinate(end - x)) height=(coordinate(foot - top)) {}
                }
                line x1=(coordinate(*x)) x2=(coordinate(*x)) y1=(coordinate(top)) y2=(coordinate(foot)) {}
                text x=(coordinate(x + 4.0)) y=(coordinate(top + 12.0)) { (label(folded, *stage, end - x)) }
            }
        }
        @if !folded.marks.is_empty() { (marks(folded, canvas, time)) }
    }
}

/// A line at each marked moment, with as much of its text as fits.
fn marks(folded: &FoldedSession, canvas: &Canvas, time: Scale) -> Markup {
    let (top, foot) = (canvas.y(1.0), canvas.y(0.0));
    let x = |mark: &Mark| canvas.x(time.at(mark.at.0 as f64).min(1.0));
    html! {
        g class="moments" {
            @for (number, mark) in folded.marks.iter().enumerate() {
                @let from = x(mark);
                @let room = folded.marks.get(number + 1).map_or(canvas.x(1.0), x) - from;
                line x1=(coordinate(from)) x2=(coordinate(from)) y1=(coordinate(top)) y2=(coordinate(foot)) {}
                text x=(coordinate(from + 4.0)) y=(coordinate(top + 27.0)) { (shortened(&visible(&mark.text), room)) }
            }
        }
    }
}

/// As much of a stage's name as fits.
fn label(folded: &FoldedSession, stage: u32, width: f64) -> String {
    let Some((name, measured)) = folded.names.stages.get(stage as usize) else {
        return String::new();
    };
    let name = visible(name);
    let fits = |text: &str| (text.chars().count() as f64 + 1.0) * CHARACTER <= width;
    let whole = if *measured { name.clone() } else { format!("{name} (not measured)") };
    if fits(&whole) {
        whole
    } else if fits(&name) {
        name
    } else {
        shortened(&name, width)
    }
}

fn shortened(text: &str, width: f64) -> String {
    if (text.chars().count() as f64 + 1.0) * CHARACTER <= width {
        return text.to_owned();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let characters = (width / CHARACTER - 2.0).max(0.0) as usize;
    match characters {
        0..=1 => String::new(),
        some => format!("{}…", text.chars().take(some).collect::<String>()),
    }
}
