//! The judging of a session in plain sentences.

use super::figures::{JudgedFigures, WeightedShare};
use super::fold::Judged;

/// What the judging comes to, the figure first; one sentence or two in each.
pub fn judged_words(judged: &Judged) -> Vec<String> {
    let figures = &judged.figures;
    let mut words = vec![headline(figures)];
    if figures.judged() > 0 {
        words.push(format!(
            "The judged runs were held again afterwards, at most {} at once: they judge the conversation, not how it goes under the load, and not that same conversation.",
            figures.in_flight
        ));
    }
    words.extend(failures(figures));
    words.extend(differences(figures));
    if figures.apart > 0 {
        words.push(format!(
            "{} other measured runs say nothing of the conversation, and are in none of these shares.",
            figures.apart
        ));
    }
    if !figures.without_verdict.is_empty() {
        let list: Vec<String> =
            figures.without_verdict.iter().map(|(why, count)| format!("{why} {count}")).collect();
        let count: u64 = figures.without_verdict.values().sum();
        words.push(format!("{count} chosen runs have no verdict: {}.", list.join(", ")));
    }
    if !figures.closed {
        words.push(
            "The judging did not come to its end: `rushhour resume` on the folder `judged` takes it up."
                .to_owned(),
        );
    }
    words.extend(judged.bill.iter().map(|bill| format!("The judging: {}", lower(bill))));
    words
}

fn headline(figures: &JudgedFigures) -> String {
    let (passed, failed) = (&figures.passed, &figures.failed);
    let found = match &figures.success {
        Some(share) => format!("success {}, weighted back", with_interval(share)),
        None => "nothing can be said".to_owned(),
    };
    format!(
        "{} runs by our callers; {} judged by {} ({} of {} that passed, {} of {} that failed): {found}.",
        figures.in_all(),
        figures.judged(),
        figures.by,
        passed.judged,
        passed.in_all,
        failed.judged,
        failed.in_all,
    )
}

/// Failures that come back without the load are the agent's; those that do not may be the load's.
fn failures(figures: &JudgedFigures) -> Option<String> {
    let failed = &figures.failed;
    (failed.judged > 0).then(|| {
        format!(
            "{} of {} failures did not come back alone, {} did.",
            failed.judged_passed,
            failed.judged,
            failed.judged_failed()
        )
    })
}

fn differences(figures: &JudgedFigures) -> Option<String> {
    let agreement = figures.agreement.as_ref()?;
    let both = figures
        .success_with_both
        .as_ref()
        .map_or(String::new(), |share| format!("; with both, {} succeed", with_interval(share)));
    let passed = &figures.passed;
    Some(format!(
        "Of {} that our callers passed, {} failed {}. Both say the same of {}{both}.",
        passed.judged,
        figures.by,
        passed.judged_failed(),
        with_interval(agreement),
    ))
}

/// A share and its interval, in percent.
pub(in crate::report) fn with_interval(share: &WeightedShare) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    let (low, high) = (percent(share.low), percent(share.high));
    match share.share {
        Some(point) => format!("{} % [{low}, {high}]", percent(point)),
        None => format!(
            "between {low} and {high} % ({} % of the runs are of a kind of which none was judged)",
            percent(share.unseen)
        ),
    }
}

fn lower(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_lowercase().chain(characters).collect())
}
