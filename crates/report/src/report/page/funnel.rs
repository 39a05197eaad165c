//! The funnel: how many runs reached each step, and why the others went no further.

use std::borrow::Cow;

use maud::{Markup, html};

use super::definitions::class_link;
use crate::fold::{FoldedSession, FunnelStep};
use rushhour_core::event::FailureClass;
use rushhour_core::profile::{DispatchMethod, Profile};

/// One row of the funnel.
struct Row {
    name: Cow<'static, str>,
    runs: u64,
    losses: Vec<(Loss, u64)>,
    waited_for: bool,
}

/// Why runs went no further.
enum Loss {
    Failed(FailureClass),
    Skipped,
    NotStarted,
    Open,
}

/// The funnel of all runs, those of unmeasured stages too.
pub(super) fn funnel(folded: &FoldedSession) -> Markup {
    let rows = rows(folded);
    let planned = rows.first().map_or(0, |row| row.runs);
    if planned == 0 {
        return html! { p { "No run was planned or started." } };
    }
    html! {
        table class="funnel" {
            caption { "All runs of the session, those of unmeasured stages too." }
            thead { tr {
                th scope="col" { "step" } th scope="col" class="number" { "runs" }
                th scope="col" { "share of those planned" }
            } }
            tbody {
                @for row in &rows {
                    @let share = row.runs as f64 / planned as f64 * 100.0;
                    tr {
                        th scope="row" {
                            (row.name)
                            @if !row.waited_for { span class="aside" { " (not waited for)" } }
                            @for (loss, count) in &row.losses {
                                div class="loss" { (count) " went no further: " (words(loss)) }
                            }
                        }
                        td class="number" { (row.runs) }
                        td {
                            div class="of" {
                                span class=(if row.waited_for { "bar" } else { "bar beside" }) aria-hidden="true" {
                                    span style=(format!("width:{share:.1}%")) {}
                                }
                                span class="share" { (format!("{share:.1} %")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn words(loss: &Loss) -> Markup {
    html! {
        @match loss {
            Loss::Failed(class) => { (class_link(*class)) }
            Loss::Skipped => { "skipped, because no place was free" }
            Loss::NotStarted => { "not started, because the session was stopped" }
            Loss::Open => { "still open when the journal ends" }
        }
    }
}

fn rows(folded: &FoldedSession) -> Vec<Row> {
    let tally = &folded.tally;
    let profile = &folded.opening.profile;
    let planned = folded.opening.planned.unwrap_or(0).max(tally.planned());
    let mut before = vec![(Loss::Skipped, tally.skipped), (Loss::NotStarted, tally.not_started)];
    before.retain(|(_, count)| *count > 0);
    let mut rows =
        vec![Row { name: "planned".into(), runs: planned, losses: before, waited_for: true }];
    for step in folded.funnel.steps().iter().copied() {
        let runs = folded.funnel.reached(step);
        let losses: Vec<(Loss, u64)> = folded
            .funnel
            .stopped_at(step)
            .map(|(class, count)| (class.map_or(Loss::Open, Loss::Failed), count))
            .collect();
        if runs == 0 && !belongs(step, profile, folded) {
            continue;
        }
        rows.push(Row { name: step.name(), runs, losses, waited_for: waited_for(step, profile) });
    }
    rows
}

/// Whether a step that no run reached belongs to the session all the same.
fn belongs(step: FunnelStep, profile: &Profile, folded: &FoldedSession) -> bool {
    match step {
        FunnelStep::Dispatched => matches!(
            profile.livekit.dispatch.method(),
            DispatchMethod::Explicit | DispatchMethod::ExplicitFresh
        ),
        FunnelStep::AgentSeen => waits_for_agent(profile),
        FunnelStep::AgentReady => false,
        FunnelStep::Passed => folded.tally.judged_failed > 0,
        FunnelStep::Started
        | FunnelStep::RoomCreated
        | FunnelStep::Submitted
        | FunnelStep::Accepted
        | FunnelStep::Running
        | FunnelStep::CallerJoined
        | FunnelStep::Assigned
        | FunnelStep::Greeted
        | FunnelStep::Turn(_)
        | FunnelStep::Completed => true,
    }
}

/// Our own callers cannot talk to an agent that is not there.
fn waits_for_agent(profile: &Profile) -> bool {
    profile.livekit.wait_for_agent || profile.evaluator.cekura().is_none()
}

/// Whether a run had to reach the step to go on.
fn waited_for(step: FunnelStep, profile: &Profile) -> bool {
    match step {
        FunnelStep::AgentSeen => waits_for_agent(profile),
        FunnelStep::AgentReady => false,
        _ => true,
    }
}
