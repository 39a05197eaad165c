//! Which runs of a session are judged: drawn at random from the seed, the failures apart.

use std::collections::BTreeMap;

use super::rng::{PlanRng, RngStream};
use crate::profile::{
    CallersVerdict, JudgingCandidate, JudgingSelection, JudgingSettings, SelectedRun,
    SelectedScenario,
};
use crate::units::SessionId;

/// Draws the runs that are judged. Those that passed are sampled at `settings.sample`, rounded up; so
/// are those that failed, or all of them are taken where `settings.failures` says so. Where both
/// together would exceed `settings.most`, both give way in proportion, neither below one.
///
/// Within the passed and within the failed ones every run has the same chance, and the runs of each
/// scenario are in random order, so that any beginning of them is a random sample too. `candidates` may
/// come in any order; `apart` is how many runs could not be judged.
pub fn draw_selection(
    session: SessionId,
    seed: u64,
    settings: &JudgingSettings,
    (candidates, apart): (&[JudgingCandidate], u64),
) -> JudgingSelection {
    let of = |verdict: CallersVerdict| {
        let mut of: Vec<JudgingCandidate> =
            candidates.iter().filter(|candidate| candidate.verdict == verdict).copied().collect();
        of.sort_by_key(|candidate| candidate.run);
        of
    };
    let (mut passed, mut failed) = (of(CallersVerdict::Passed), of(CallersVerdict::Failed));
    // A share is no exact number: 7 % of 100 are 7, and a speck more.
    let sampled = |all: usize| (settings.sample.fraction() * all as f64 - 1e-9).ceil().max(0.0);
    let wanted = [
        sampled(passed.len()),
        if settings.failures { failed.len() as f64 } else { sampled(failed.len()) },
    ];
    let [from_passed, from_failed] = within_most(wanted, settings.most);
    let (all_passed, all_failed) = (passed.len() as u64, failed.len() as u64);
    let mut random = PlanRng::new(seed, RngStream::Judging);
    shuffle(&mut passed, &mut random);
    shuffle(&mut failed, &mut random);
    passed.truncate(from_passed);
    failed.truncate(from_failed);
    let mut drawn = [passed, failed].concat();
    shuffle(&mut drawn, &mut random);
    let mut chosen: BTreeMap<u32, Vec<SelectedRun>> = BTreeMap::new();
    for JudgingCandidate { run, scenario, verdict } in drawn {
        chosen.entry(scenario).or_default().push(SelectedRun { run, verdict });
    }
    let chosen =
        chosen.into_iter().map(|(scenario, runs)| SelectedScenario { scenario, runs }).collect();
    JudgingSelection { session, passed: all_passed, failed: all_failed, apart, chosen }
}

/// Whole numbers in the proportion of `wanted`, together `most` at the most.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and not more than all runs"
)]
fn within_most([passed, failed]: [f64; 2], most: u32) -> [usize; 2] {
    let (all, most) = (passed + failed, f64::from(most));
    if all <= most {
        return [passed as usize, failed as usize];
    }
    let least = if failed > 0.0 && passed > 0.0 && most >= 2.0 { 1.0 } else { 0.0 };
    let share = (most * failed / all).round().clamp(least, most - least);
    [(most - share) as usize, share as usize]
}

/// Every order is equally likely (R. Durstenfeld, Algorithm 235, Communications of the ACM 7 (1964), 420).
fn shuffle<T>(list: &mut [T], random: &mut PlanRng) {
    for left in (2..=list.len()).rev() {
        let drawn = usize::try_from(random.below(left as u64)).unwrap_or_default();
        list.swap(left - 1, drawn);
    }
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
        let lend = |_: &str| Ok(b"[[turn]]\nsay = \"Hello.\"\n".to_vec());
        let (file, bytes) = ("p.toml", text.as_bytes());
        load(ProfileInput { file, bytes, environment: &[], flags: &[], files: &lend })
            .unwrap_or_else(|refused| panic!("{:?}", refused.faults))
            .profile
            .judging
            .expect("it was asked for")
    }

    /// Two scenarios in turn; one run in so many failed.
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

    fn drawn(seed: u64, more: &str, of: &[JudgingCandidate]) -> (JudgingSelection, u64, u64) {
        let selection = draw_selection(SessionId::new("s"), seed, &settings(more), (of, 3));
        let count = |verdict| {
            let all = selection.chosen.iter().flat_map(|scenario| &scenario.runs);
            all.filter(|chosen| chosen.verdict == verdict).count() as u64
        };
        let (passed, failed) = (count(CallersVerdict::Passed), count(CallersVerdict::Failed));
        (selection, passed, failed)
    }

    #[test]
    fn a_share_of_what_passed_and_all_that_failed_are_drawn_and_none_twice() {
        let all = candidates(400, 40);
        let (selection, passed, failed) = drawn(1, "", &all);
        assert_eq!((selection.passed, selection.failed, selection.apart), (390, 10, 3));
        assert_eq!((passed, failed), (20, 10), "5 % of 390, rounded up, and all");
        let runs: HashSet<RunIndex> =
            selection.chosen.iter().flat_map(|s| s.runs.iter().map(|c| c.run)).collect();
        assert_eq!(runs.len(), 30);
        for scenario in &selection.chosen {
            for chosen in &scenario.runs {
                let was = all[usize::try_from(chosen.run.0).unwrap()];
                assert_eq!((was.scenario, was.verdict), (scenario.scenario, chosen.verdict));
            }
        }
        let (_, passed, _) = drawn(1, "sample = \"7%\"", &candidates(101, 101));
        assert_eq!(passed, 7, "of 100");
        let sampled = "failures = false\nsample = \"20%\"\nmost = 100";
        let (_, passed, failed) = drawn(1, sampled, &all);
        assert_eq!((passed, failed), (78, 2), "20 % of both");
    }

    #[test]
    fn what_is_more_than_most_gives_way_in_proportion() {
        let (_, passed, failed) = drawn(1, "most = 12", &candidates(400, 10));
        assert_eq!((passed, failed), (4, 8), "18 and 40 were wanted");
        let (_, passed, failed) = drawn(1, "most = 2", &candidates(10_000, 5_000));
        assert_eq!((passed, failed), (1, 1), "neither is left out");
        let (_, passed, failed) = drawn(1, "most = 1", &candidates(400, 40));
        assert_eq!(passed + failed, 1);
        let (selection, ..) = drawn(1, "", &[]);
        assert_eq!(selection.count(), 0);
    }

    #[test]
    fn the_seed_decides_and_not_the_order_in_which_runs_ended() {
        let all = candidates(400, 40);
        let backwards: Vec<JudgingCandidate> = all.iter().rev().copied().collect();
        let (selection, ..) = drawn(1, "", &all);
        assert_eq!(selection, drawn(1, "", &backwards).0);
        assert_ne!(selection, drawn(2, "", &all).0);
    }

    #[test]
    fn every_run_has_the_same_chance() {
        let (all, settings) = (candidates(40, 41), settings("sample = \"10%\""));
        let mut seen = [0_u32; 40];
        for seed in 0..4_000 {
            let selection = draw_selection(SessionId::new("s"), seed, &settings, (&all, 0));
            for chosen in selection.chosen.iter().flat_map(|scenario| &scenario.runs) {
                seen[usize::try_from(chosen.run.0).unwrap()] += 1;
            }
        }
        // Run 0 is the only one that failed, and is always drawn.
        assert_eq!(seen[0], 4_000);
        let mean = 4_000.0 * 4.0 / 39.0;
        assert!(
            seen[1..].iter().all(|&n| (f64::from(n) - mean).abs() < 5.0 * mean.sqrt()),
            "{seen:?}"
        );
    }
}
