//! `judged.csv`: every run that was chosen to be judged, beside the run in which it was held again.

use std::io::Write;

use super::fold::{JudgedRun, JudgingResult, RunVerdict};
use rushhour_core::event::Outcome;

const HEADER: [&str; 17] = [
    "run",
    "scenario",
    "room",
    "outcome",
    "failure_class",
    "detail",
    "callers_verdict",
    "weight",
    "judged_run",
    "judged_room",
    "evaluator_run",
    "judged_outcome",
    "judged_failure_class",
    "judged_detail",
    "judges_verdict",
    "agree",
    "without_load",
];

/// Writes the chosen runs in the order of the judged session. `weight` is how many runs of our own
/// callers a verdict stands for; `without_load` tells of a failure whether it came back.
///
/// # Errors
/// Where the writer refuses.
pub fn judged_csv(judged: &JudgingResult, to: impl Write) -> csv::Result<()> {
    use rushhour_core::profile::CallersVerdict::{Failed, Passed};
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(HEADER)?;
    for run in &judged.runs {
        let stratum = match run.verdict {
            Passed => &judged.figures.passed,
            Failed => &judged.figures.failed,
        };
        let weight = run.judged.map_or(String::new(), |_| {
            format!("{:.3}", stratum.in_all as f64 / stratum.judged as f64)
        });
        let verdict = run.judged.map(|passed| if passed { Passed } else { Failed });
        let agree =
            verdict.map_or("", |verdict| if verdict == run.verdict { "true" } else { "false" });
        let ours = cells(Some(&run.ours));
        let again = cells(run.again.as_ref());
        let mut line: Vec<&str> = vec![&ours.run, &run.scenario, &ours.room];
        line.extend([&*ours.outcome, &*ours.class, &*ours.detail, run.verdict.name(), &*weight]);
        line.extend([&*again.run, &*again.room, &*again.evaluator_run]);
        line.extend([&*again.outcome, &*again.class, &*again.detail]);
        line.extend([verdict.map_or("", |verdict| verdict.name()), agree, came_back(run)]);
        csv.write_record(line)?;
    }
    csv.flush()?;
    Ok(())
}

/// Whether a failure came back without the load; nothing where there is none, or no verdict.
fn came_back(run: &JudgedRun) -> &'static str {
    match (run.verdict, run.judged) {
        (rushhour_core::profile::CallersVerdict::Failed, Some(true)) => "did not come back",
        (rushhour_core::profile::CallersVerdict::Failed, Some(false)) => "came back",
        _ => "",
    }
}

#[derive(Default)]
struct Cells {
    run: String,
    room: String,
    evaluator_run: String,
    outcome: String,
    class: String,
    detail: String,
}

fn cells(held: Option<&RunVerdict>) -> Cells {
    let Some(held) = held else { return Cells::default() };
    let detail = match &held.outcome {
        Some(Outcome::Failed { detail, .. }) => detail.clone(),
        _ => String::new(),
    };
    Cells {
        run: held.run.to_string(),
        room: held.room.as_ref().map_or(String::new(), ToString::to_string),
        evaluator_run: held.evaluator_run.as_ref().map_or(String::new(), ToString::to_string),
        outcome: held.outcome.as_ref().map_or("open", Outcome::name).to_owned(),
        class: held
            .outcome
            .as_ref()
            .and_then(Outcome::class)
            .map_or(String::new(), |class| class.name().to_owned()),
        detail,
    }
}
