//! A session in Markdown, short enough for a pull request. The verdict comes first.

use std::fmt::Write;

use crate::fold::FoldedSession;
use crate::render::sentences::bill::bill_sentence;
use crate::render::sentences::judging::judging_sentences;
use crate::render::sentences::paired::paired_notes;
use crate::render::sentences::session::{outcome_sentence, verdict_sentence, warnings};
use crate::render::table::escaped;
use crate::render::tables::failures::failure_table;
use crate::render::tables::latencies::latency_table;
use crate::render::tables::paired::difference_table;
use crate::render::tables::thresholds::threshold_table;
use crate::session::{BillTotals, Criterion, OverallVerdict, SessionVerdict};

/// The session with tables of its thresholds, latencies and failures.
pub fn session_markdown(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> String {
    let mut text = format!(
        "### {}: {}\n\n{}\n",
        OverallVerdict::of(verdict).label(),
        escaped(&verdict_sentence(folded, verdict, criterion)),
        escaped(&outcome_sentence(folded))
    );
    for warning in warnings(folded) {
        let _ = write!(text, "\n> {}\n", escaped(&warning));
    }
    for rule in verdict.validity.broken() {
        let _ = write!(text, "\n- {}", escaped(&rule.with_advice()));
    }
    if !verdict.validity.holds() {
        text.push('\n');
    }
    let mut table = |table: String| {
        let _ = write!(text, "\n{table}");
    };
    if !verdict.thresholds.is_empty() {
        table(threshold_table(verdict, criterion).markdown());
    }
    let latencies = latency_table(folded);
    if !latencies.is_empty() {
        table(latencies.markdown());
    }
    if !folded.tally.failed.is_empty() {
        table(failure_table(folded).markdown());
    }
    let mut paragraph = |sentence: &str| {
        let _ = write!(text, "\n{}\n", escaped(sentence));
    };
    if let Some(bill) = BillTotals::of(folded) {
        paragraph(&bill_sentence("The session", &bill));
    }
    if let Some(comparison) = &verdict.pairs {
        let _ = write!(text, "\n**{}**\n", escaped(&comparison.answer.to_string()));
        if !comparison.differences.is_empty() {
            let _ = write!(text, "\n{}", difference_table(comparison).markdown());
        }
        for note in paired_notes(comparison) {
            let _ = write!(text, "\n{}\n", escaped(&note));
        }
    }
    for sentence in verdict.judged.iter().flat_map(judging_sentences) {
        let _ = write!(text, "\n{}\n", escaped(&sentence));
    }
    let opening = &folded.opening;
    let _ = write!(
        text,
        "\n<sub>Seed {}, profile {}, dispatched by `{}`, Rushhour {}.</sub>\n",
        opening.profile.seed,
        escaped(opening.profile_hash.get(..12).unwrap_or(&opening.profile_hash)),
        opening.profile.livekit.dispatch.method(),
        escaped(&opening.rushhour)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::{Fate, HOSTILE, SessionBuilder, ordinary};
    use rushhour_core::units::{Micros, SessionTime};

    #[test]
    fn the_verdict_comes_first_and_every_table_keeps_its_columns() {
        let thresholds = "[thresholds]\n\"agent_join p95\" = \"< 2s\"\n";
        let (folded, verdict) = ordinary(400, thresholds);
        let text = session_markdown(&folded, &verdict, Criterion::Interval);
        assert!(
            text.starts_with("### Passed: the one threshold holds, with 95 % confidence"),
            "{text}"
        );
        assert!(text.contains("| `agent_join` | 400 |"), "{text}");
        let mut builder = SessionBuilder::chat(thresholds);
        builder.run(SessionTime(0), Micros::ZERO, Fate::Fails(HOSTILE));
        let (folded, verdict) = builder.closed();
        let text = session_markdown(&folded, &verdict, Criterion::Interval);
        let row = text.lines().find(|line| line.contains("`submit_rejected`")).unwrap();
        let edges = row.replace("\\|", "").matches('|').count();
        assert_eq!(edges, 6, "{row}");
        assert!(!text.contains("<script>"));
    }
}
