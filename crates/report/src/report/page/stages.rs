//! Where the stages are on a time axis: a line at each beginning, a shade where nothing is measured.

use maud::{Markup, html};

use super::super::visible::visible;
use super::chart::{Canvas, place};
use super::scale::Scale;
use crate::fold::FoldedSession;

/// A character's width, about.
const CHARACTER: f64 = 6.6;

/// The stages that runs were meant for, behind a plot.
pub(super) fn stages(folded: &FoldedSession, canvas: &Canvas, time: Scale) -> Markup {
    let begun: Vec<(u32, f64)> = folded
        .stage_starts
        .iter()
        .map(|(stage, at)| (*stage, canvas.x(time.at(at.0 as f64))))
        .collect();
    let (top, foot) = (canvas.y(1.0), canvas.y(0.0));
    html! {
        g class="stages" {
            @for (number, (stage, x)) in begun.iter().enumerate() {
                @let end = begun.get(number + 1).map_or(canvas.x(1.0), |(_, next)| *next);
                @let end = end.max(*x);
                @let measured = folded.names.is_measured(*stage);
                @if !measured {
                    rect class="unmeasured" x=(place(*x)) y=(place(top)) width=(place(end - x)) height=(place(foot - top)) {}
                }
                line x1=(place(*x)) x2=(place(*x)) y1=(place(top)) y2=(place(foot)) {}
                text x=(place(x + 4.0)) y=(place(top + 12.0)) { (label(folded, *stage, end - x)) }
            }
        }
    }
}

/// As much of a stage's name as there is room for.
fn label(folded: &FoldedSession, stage: u32, room: f64) -> String {
    let Some((name, measured)) = folded.names.stages.get(stage as usize) else {
        return String::new();
    };
    let name = visible(name);
    let fits = |words: &str| (words.chars().count() as f64 + 1.0) * CHARACTER <= room;
    let whole = if *measured { name.clone() } else { format!("{name} (not measured)") };
    if fits(&whole) {
        whole
    } else if fits(&name) {
        name
    } else {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let characters = (room / CHARACTER - 2.0).max(0.0) as usize;
        match characters {
            0..=1 => String::new(),
            some => format!("{}…", name.chars().take(some).collect::<String>()),
        }
    }
}
