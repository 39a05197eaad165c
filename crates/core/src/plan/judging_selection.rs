//! Draws the runs of a session to judge: a random sample, and the failures.

use std::collections::BTreeMap;

use crate::profile::{
    CallersVerdict, JudgingCandidate, JudgingSelection, JudgingSettings, SelectedRun,
    SelectedScenario,
};
use crate::rng::{RngStream, SeededRng};
use crate::units::SessionId;

/// Draws the runs to judge: of those that passed a sample of `settings.sample`, rounded up; of those that
/// failed another such sample, or all of them with `settings.failures`. If both together exceed
/// `settings.most`, both shrink in proportion, neither below one.
///
/// Among the passed and among the failed runs, every run has the same probability. The runs of each
/// scenario are in random order, so that its first runs are a random sample too. `candidates` may be in
/// any order; `excluded` is the number of runs that cannot be judged.
pub fn draw_selection(
    session: SessionId,
    seed: u64,
    settings: &JudgingSettings,
    candidates: &[JudgingCandidate],
    excluded: u64,
) -> JudgingSelection {
    let with_verdict = |verdict: CallersVerdict| {
        let mut runs: Vec<JudgingCandidate> =
            candidates.iter().filter(|candidate| candidate.verdict == verdict).copied().collect();
        runs.sort_by_key(|candidate| candidate.run);
        runs
    };
    let mut passed = with_verdict(CallersVerdict::Passed);
    let mut failed = with_verdict(CallersVerdict::Failed);
    // Rounding errors must not count as another run: 7% of 100 is slightly above 7.
    let sampled = |all: usize| (settings.sample.fraction() * all as f64 - 1e-9).ceil().max(0.0);
    let from_failed = if settings.failures { failed.len() as f64 } else { sampled(failed.len()) };
    let (from_passed, from_failed) = within_most(sampled(passed.len()), from_failed, settings.most);
    let (all_passed, all_failed) = (passed.len() as u64, failed.len() as u64);
    let mut rng = SeededRng::stream(seed, RngStream::Judging);
    rng.shuffle(&mut passed);
    rng.shuffle(&mut failed);
    passed.truncate(from_passed);
    failed.truncate(from_failed);
    let mut drawn = [passed, failed].concat();
    rng.shuffle(&mut drawn);
    let mut scenarios: BTreeMap<u32, Vec<SelectedRun>> = BTreeMap::new();
    for JudgingCandidate { run, scenario, verdict } in drawn {
        scenarios.entry(scenario).or_default().push(SelectedRun { run, verdict });
    }
    let scenarios =
        scenarios.into_iter().map(|(scenario, runs)| SelectedScenario { scenario, runs }).collect();
    JudgingSelection { session, passed: all_passed, failed: all_failed, excluded, scenarios }
}

/// Shrinks the two numbers in proportion to at most `most` together, and rounds them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and not more than all runs"
)]
fn within_most(passed: f64, failed: f64, most: u32) -> (usize, usize) {
    let (all, most) = (passed + failed, f64::from(most));
    if all <= most {
        return (passed as usize, failed as usize);
    }
    let least = if failed > 0.0 && passed > 0.0 && most >= 2.0 { 1.0 } else { 0.0 };
    let share = (most * failed / all).round().clamp(least, most - least);
    ((most - share) as usize, share as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::profile::{ProfileInput, load};
    use crate::units::RunIndex;

    fn settings(more: &str) -> JudgingSettings {
        let text = format!(
            "mode = \"chat\"\n[livekit]\nurl = \"ws://127.0.0.1:1\"\nagent = \"a\"\n[evaluator]\nkind = \"native\"\n[[scenario]]\nid = \"x\"\ncekura = 1\nscript = \"s.toml\"\n[[stage]]\nburst = 1\n[judging]\nby = \"sandbox\"\n{more}"
        );
        let input = ProfileInput {
            file: "p.toml",
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &|_| Ok(b"[[turn]]\nsay = \"Hello.\"\n".to_vec()),
        };
        let loaded = load(input).unwrap_or_else(|error| panic!("{:?}", error.diagnostics));
        loaded.profile.judging.expect("the profile has [judging]")
    }

    /// Alternates two scenarios; one run in `one_in` failed.
    fn candidates(runs: u64, one_in: u64) -> Vec<JudgingCandidate> {
        let verdict = |run: u64| {
            if run.is_multiple_of(one_in) { CallersVerdict::Failed } else { CallersVerdict::Passed }
        };
        (0..runs)
            .map(|run| JudgingCandidate {
                run: RunIndex(run),
                scenario: u32::from(run % 2 == 1),
                verdict: verdict(run),
            })
            .collect()
    }

    /// Also returns how many runs were selected that passed, and that failed.
    fn select(
        seed: u64,
        more: &str,
        candidates: &[JudgingCandidate],
    ) -> (JudgingSelection, u64, u64) {
        let session = SessionId::new("s");
        let selection = draw_selection(session, seed, &settings(more), candidates, 3);
        let count = |verdict| {
            let all = selection.scenarios.iter().flat_map(|scenario| &scenario.runs);
            all.filter(|selected| selected.verdict == verdict).count() as u64
        };
        let (passed, failed) = (count(CallersVerdict::Passed), count(CallersVerdict::Failed));
        (selection, passed, failed)
    }

    #[test]
    fn a_sample_of_the_passed_and_all_failed_runs_are_selected_once() {
        let all = candidates(400, 40);
        let (selection, passed, failed) = select(1, "", &all);
        assert_eq!((selection.passed, selection.failed, selection.excluded), (390, 10, 3));
        assert_eq!((passed, failed), (20, 10), "5 % of 390, rounded up, and all");
        let runs: HashSet<RunIndex> =
            selection.scenarios.iter().flat_map(|s| s.runs.iter().map(|c| c.run)).collect();
        assert_eq!(runs.len(), 30);
        for scenario in &selection.scenarios {
            for selected in &scenario.runs {
                let candidate = all[usize::try_from(selected.run.0).unwrap()];
                let expected = (scenario.scenario, selected.verdict);
                assert_eq!((candidate.scenario, candidate.verdict), expected);
            }
        }
        let (_, passed, _) = select(1, "sample = \"7%\"", &candidates(101, 101));
        assert_eq!(passed, 7, "of 100");
        let sampled = "failures = false\nsample = \"20%\"\nmost = 100";
        let (_, passed, failed) = select(1, sampled, &all);
        assert_eq!((passed, failed), (78, 2), "20 % of both");
    }

    #[test]
    fn a_selection_above_the_maximum_shrinks_in_proportion() {
        let (_, passed, failed) = select(1, "most = 12", &candidates(400, 10));
        assert_eq!((passed, failed), (4, 8), "of 18 and 40");
        let (_, passed, failed) = select(1, "most = 2", &candidates(10_000, 5_000));
        assert_eq!((passed, failed), (1, 1), "at least one of each");
        let (_, passed, failed) = select(1, "most = 1", &candidates(400, 40));
        assert_eq!(passed + failed, 1);
        let (selection, ..) = select(1, "", &[]);
        assert_eq!(selection.count(), 0);
    }

    #[test]
    fn the_selection_depends_on_the_seed_and_not_on_the_order_of_the_candidates() {
        let all = candidates(400, 40);
        let backwards: Vec<JudgingCandidate> = all.iter().rev().copied().collect();
        let (selection, ..) = select(1, "", &all);
        assert_eq!(selection, select(1, "", &backwards).0);
        assert_ne!(selection, select(2, "", &all).0);
    }

    #[test]
    fn every_run_has_the_same_probability() {
        let (all, settings) = (candidates(40, 41), settings("sample = \"10%\""));
        let mut seen = [0_u32; 40];
        for seed in 0..4_000 {
            let selection = draw_selection(SessionId::new("s"), seed, &settings, &all, 0);
            for selected in selection.scenarios.iter().flat_map(|scenario| &scenario.runs) {
                seen[usize::try_from(selected.run.0).unwrap()] += 1;
            }
        }
        // Run 0 is the only one that failed, and is always selected.
        assert_eq!(seen[0], 4_000);
        let mean = 4_000.0 * 4.0 / 39.0;
        assert!(
            seen[1..].iter().all(|&n| (f64::from(n) - mean).abs() < 5.0 * mean.sqrt()),
            "{seen:?}"
        );
    }

    #[test]
    fn a_selection_is_the_same_in_every_release() {
        let (selection, ..) = select(1, "sample = \"20%\"\nmost = 12", &candidates(60, 7));
        let runs: Vec<Vec<u64>> = selection
            .scenarios
            .iter()
            .map(|scenario| scenario.runs.iter().map(|selected| selected.run.0).collect())
            .collect();
        assert_eq!(runs, [vec![42, 0, 38, 30], vec![35, 5, 25, 49, 27, 21, 31, 45]]);
    }
}
