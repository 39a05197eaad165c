//! The end of a soak in a few lines: how it was judged, and how its session ended.

use super::headline::soak_headline;
use crate::fold::FoldedSession;
use crate::render::sentences::session::session_notice;
use crate::session::{Criterion, OverallVerdict, SessionVerdict, ValidityRule};
use crate::soak::{SoakAnalysis, SoakVerdict};

/// What the session's own thresholds and conditions have against it, each a clause without its full stop.
pub(crate) fn session_faults(verdict: &SessionVerdict) -> impl Iterator<Item = String> {
    let failed = verdict.thresholds.iter().filter(|result| result.verdict.is_failure());
    let failed = failed.map(|result| {
        format!("threshold {} does not hold: measured {}", result.threshold, result.found)
    });
    failed.chain(verdict.validity.broken().map(ValidityRule::with_advice))
}

/// A soak's end in a few lines: its verdict and that of its session, the worse one first.
pub fn soak_notice(
    soak: &SoakAnalysis,
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> String {
    let of_soak = format!("{}: {}.", soak.verdict.label(), soak_headline(soak));
    let of_session = session_notice(folded, verdict, criterion);
    let session_is_well = matches!(
        OverallVerdict::of(verdict),
        OverallVerdict::Passed | OverallVerdict::NoThresholds
    );
    if soak.verdict == SoakVerdict::Steady && !session_is_well {
        format!("{of_session}\n{of_soak}")
    } else {
        format!("{of_soak}\n{of_session}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fold::Fold;
    use crate::render::{soak_and_session_parts, soak_page};
    use crate::session::test_sessions::{Fate, SessionBuilder};
    use crate::soak::{History, SoakBuilder, SoakCriteria};
    use rushhour_core::units::{Micros, SessionTime};

    /// A soak in which each step of run `n` takes this many milliseconds.
    fn soak(
        step: impl Fn(u64) -> u64,
        thresholds: &str,
    ) -> (SoakAnalysis, FoldedSession, SessionVerdict) {
        let mut builder = SessionBuilder::chat(&format!("[soak]\n[thresholds]\n{thresholds}"));
        for run in 0..600 {
            let completes = Fate::Completes(Micros::from_millis(step(run)));
            builder.run(SessionTime(run * 1_000_000), Micros::ZERO, completes);
        }
        let mut soak = SoakBuilder::default();
        let mut fold = Fold::default();
        let events = builder.events().to_vec();
        for event in &events {
            let ended = fold.add(event).expect("the events are those of one session");
            soak.add(event, &ended);
        }
        let (folded, verdict) = builder.closed();
        let criteria = SoakCriteria::of(folded.opening.profile.soak);
        let data = soak.finish(&folded);
        let soak = SoakAnalysis::of(data, &folded, criteria, true, &History::default());
        (soak, folded, verdict)
    }

    fn notice(step: impl Fn(u64) -> u64, thresholds: &str) -> String {
        let (soak, folded, verdict) = soak(step, thresholds);
        soak_notice(&soak, &folded, &verdict, Criterion::Interval)
    }

    #[test]
    fn a_steady_soak_whose_session_failed_is_not_shown_as_passed() {
        let bound = "\"agent_join p50\" = \"< 10ms\"\n";
        let (soak, folded, verdict) = soak(|_| 100, bound);
        let page = soak_page(&soak, &folded, &verdict, Criterion::Interval);
        assert!(page.contains("<header class=\"failed\">"), "{page}");
        assert!(page.contains("Threshold agent_join p50 &lt; 10.0ms does not hold: "), "{page}");
        // Those who watched see it above the session's own figures, each part once.
        let parts = soak_and_session_parts(&soak, &folded, &verdict, Criterion::Interval).parts;
        let ids: Vec<&str> = parts.iter().map(|part| part.id).collect();
        assert_eq!(ids[..5], ["header", "series", "leaks", "nightly", "thresholds"]);
        assert!(ids.contains(&"funnel") && ids.contains(&"definitions"), "{ids:?}");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }

    #[test]
    fn the_worse_verdict_comes_first() {
        let firsts = |text: &str| -> Vec<String> {
            let heads = text.lines().filter_map(|line| line.split_once(": "));
            // The profile is called `p`, and its line says what became of its runs.
            heads.map(|(label, _)| label.to_owned()).filter(|label| label != "p").collect()
        };
        let grows = |run| 100 + run;
        let drifting = notice(grows, "failed = \"< 5%\"\n");
        assert!(drifting.starts_with("Not steady: "), "{drifting}");
        assert_eq!(firsts(&drifting), ["Not steady", "Passed"], "{drifting}");
        assert!(drifting.ends_with("\nSession made-up"), "{drifting}");
        let (level, bound) = (|_| 100, "\"agent_join p50\" = \"< 10ms\"\n");
        assert_eq!(firsts(&notice(level, bound)), ["Failed", "Steady"]);
        assert_eq!(firsts(&notice(level, "failed = \"< 5%\"\n")), ["Steady", "Passed"]);
    }
}
