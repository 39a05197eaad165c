use super::*;
use crate::capacity::simulation::rules;

/// Runs a search with the verdicts that `agent` gives.
fn searched(
    settings: &str,
    mut agent: impl FnMut(&Trial, usize) -> LevelVerdict,
) -> (CapacitySearch, SearchEnd) {
    let mut search = CapacitySearch::new(rules(settings));
    let mut now = Micros::ZERO;
    loop {
        let trial = match search.next() {
            SearchStep::Try(trial) => trial,
            SearchStep::End(ending) => return (search, ending),
        };
        let verdict = agent(&trial, search.results().len());
        let start = now;
        now = now + trial.duration + Micros::from_secs(10);
        search.add(TrialResult {
            trial,
            verdict,
            extension: None,
            stalled: false,
            start,
            end: now,
        });
    }
}

fn trials(search: &CapacitySearch) -> Vec<(Purpose, u32)> {
    search.results().iter().map(|result| (result.trial.purpose, result.trial.in_flight)).collect()
}

fn passes_to(limit: u32) -> impl FnMut(&Trial, usize) -> LevelVerdict {
    move |trial, _| {
        if trial.in_flight <= limit { LevelVerdict::Passed } else { LevelVerdict::Failed }
    }
}

use LevelVerdict::{Failed, Generator, Passed, Undecided};
use Purpose::{Again, Bisect, Burst, Confirm, Recover, Step};

#[test]
fn it_steps_up_checks_recovery_bisects_confirms_and_bursts() {
    let (search, ending) = searched("start = 10\nmost = 100", passes_to(26));
    assert_eq!(ending, SearchEnd::Complete);
    let expected = [
        (Step, 10),
        (Step, 15),
        (Step, 23),
        (Step, 35),
        (Recover, 10),
        (Bisect, 29),
        (Bisect, 26),
        (Bisect, 27),
        (Confirm, 27),
        (Confirm, 26),
        (Burst, 26),
    ];
    // 29 is more than a tenth above 26.
    assert_eq!(trials(&search), expected);
    let ends = (search.level_verdicts().passed(), search.level_verdicts().failed());
    assert_eq!(ends, (Some(26), Some(27)));
}

#[test]
fn every_limit_is_found_within_the_width() {
    for limit in 1..=300 {
        let (search, ending) = searched("start = 5\nmost = 400", passes_to(limit));
        assert_eq!(ending, SearchEnd::Complete);
        let levels = search.level_verdicts();
        let (passed, failed) = (levels.passed().unwrap(), levels.failed().unwrap());
        assert!(passed <= limit && limit < failed, "{limit}: {passed} {failed}");
        assert!(search.rules().is_within_width(passed, failed), "{limit}: {passed} {failed}");
        assert!(levels.counts(passed).passed == 2 && levels.counts(failed).failed == 2);
        assert!(search.results().len() <= 22, "{limit}: {}", search.results().len());
    }
}

#[test]
fn if_the_first_level_fails_it_steps_down() {
    let (search, _) = searched("start = 40\nmost = 100\nburst = false", passes_to(3));
    let steps: Vec<u32> = search.results().iter().map(|result| result.trial.in_flight).collect();
    assert_eq!(
        steps,
        [40, 20, 10, 5, 2, 3, 4, 4, 3],
        "without a passed level there is no recovery"
    );
    let (search, ending) = searched("start = 4\nmost = 100", passes_to(0));
    assert_eq!(trials(&search), [(Step, 4), (Step, 2), (Step, 1), (Confirm, 1)]);
    assert_eq!((search.level_verdicts().passed(), ending), (None, SearchEnd::Complete));
}

#[test]
fn if_the_highest_level_allowed_passes_there_is_no_upper_end() {
    let (search, ending) = searched("start = 10\nmost = 20", passes_to(1_000));
    assert_eq!(trials(&search), [(Step, 10), (Step, 15), (Step, 20), (Confirm, 20), (Burst, 20)]);
    assert_eq!((search.level_verdicts().failed(), ending), (None, SearchEnd::Complete));
}

#[test]
fn the_limit_of_the_generator_is_never_a_failure_of_the_agent() {
    let (search, ending) =
        searched(
            "start = 10\nmost = 200",
            |trial, _| {
                if trial.in_flight > 30 { Generator } else { Passed }
            },
        );
    let expected =
        [(Step, 10), (Step, 15), (Step, 23), (Step, 35), (Step, 35), (Confirm, 23), (Burst, 23)];
    assert_eq!(trials(&search), expected);
    let levels = search.level_verdicts();
    assert_eq!((levels.failed(), levels.generator_limited()), (None, Some(35)));
    assert_eq!(ending, SearchEnd::Complete);
    // One bad moment is no limit.
    let (search, _) =
        searched("start = 10\nmost = 20", |_, index| if index == 1 { Generator } else { Passed });
    assert_eq!(search.level_verdicts().passed(), Some(20));
}

#[test]
fn an_undecided_level_runs_longer_and_is_then_left_undecided() {
    let (search, ending) =
        searched("start = 10\nmost = 100\nlasts = \"30s\"\nlongest = \"80s\"", |trial, _| {
            match trial.in_flight {
                ..=28 => Passed,
                29..=32 => Undecided,
                _ => Failed,
            }
        });
    assert_eq!(ending, SearchEnd::Complete);
    let of_29: Vec<u64> = search
        .results()
        .iter()
        .filter(|result| result.trial.in_flight == 29)
        .map(|result| result.trial.duration.0 / 1_000_000)
        .collect();
    assert_eq!(of_29, [30, 72, 80], "longer each time, up to the longest");
    let levels = search.level_verdicts();
    assert_eq!(levels.passed(), Some(27), "28 is close enough to 29 to be left out");
    assert!(levels.undecided().contains(&29));
    let failed = levels.failed().unwrap();
    assert!((33..=36).contains(&failed), "{failed}");
}

#[test]
fn a_third_session_decides_contradicting_verdicts() {
    // The first session of 15 fails by accident.
    let (search, _) = searched("start = 10\nmost = 20\nrecover = false", |trial, index| {
        if trial.in_flight == 15 && index == 1 { Failed } else { Passed }
    });
    let tail = &trials(&search)[1..];
    let of_15 = tail.iter().filter(|(purpose, level)| *level == 15 && *purpose != Burst).count();
    assert_eq!(of_15, 3, "{tail:?}");
    assert_eq!(search.level_verdicts().passed(), Some(20), "{tail:?}");
}

#[test]
fn recovery_is_probed_until_it_passes_or_time_is_up() {
    let probes = |recovers_after: usize, settings: &str| {
        let mut seen = 0;
        let (search, _) = searched(settings, |trial, _| {
            if trial.purpose == Recover {
                seen += 1;
                return if seen > recovers_after { Passed } else { Failed };
            }
            if trial.in_flight <= 20 { Passed } else { Failed }
        });
        search.results().iter().filter(|result| result.trial.purpose == Recover).count()
    };
    let settings = "start = 10\nmost = 100\nlasts = \"30s\"\nrecover_within = \"2m\"";
    assert_eq!(probes(0, settings), 1);
    assert_eq!(probes(2, settings), 3);
    assert_eq!(probes(1_000, settings), 3, "40 s each, and none starts after two minutes");
    assert_eq!(probes(0, "start = 10\nmost = 100\nrecover = false"), 0);
}

#[test]
fn limits_and_signals_end_the_search_with_what_is_known() {
    for (verdict, ending) in [
        (LevelVerdict::Stopped, SearchEnd::Stopped),
        (LevelVerdict::Budget, SearchEnd::Budget),
        (LevelVerdict::Broken, SearchEnd::Broken),
    ] {
        let (search, ended) =
            searched(
                "start = 10\nmost = 100",
                |_, index| {
                    if index == 2 { verdict } else { Passed }
                },
            );
        assert_eq!((search.results().len(), ended), (3, ending));
        assert_eq!(search.level_verdicts().passed(), Some(15));
    }
    let (search, ended) =
        searched("start = 10\nmost = 100\nlasts = \"1m\"\nwithin = \"3m\"", passes_to(50));
    assert_eq!((search.results().len(), ended), (3, SearchEnd::Time));
}

#[test]
fn the_search_ends_whatever_the_verdicts() {
    let verdicts = [Passed, Failed, Undecided, Generator];
    for seed in 0..400_usize {
        let (search, _) = searched("start = 7\nmost = 300", |trial, index| {
            verdicts[(seed * 31 + index * 17 + trial.in_flight as usize * 7)
                % (1 + seed % 4 + 1).min(4)]
        });
        assert!(search.results().len() <= MAX_TRIALS);
    }
}

/// Runs a search in which `stalls` says for each trial whether the dispatcher holds its dispatches back, which then fails.
fn stalled_search(settings: &str, stalls: impl Fn(&Trial, usize) -> bool) -> CapacitySearch {
    let mut search = CapacitySearch::new(rules(settings));
    while let SearchStep::Try(trial) = search.next() {
        let stalled = stalls(&trial, search.results().len());
        let verdict = if stalled || trial.in_flight > 12 { Failed } else { Passed };
        let (start, end) = (Micros::ZERO, Micros::from_secs(10));
        search.add(TrialResult { trial, verdict, extension: None, stalled, start, end });
    }
    search
}

#[test]
fn a_level_that_fails_while_the_dispatcher_holds_dispatches_back_is_held_again() {
    let settings = "start = 8\nmost = 12\nfactor = 1.5\nburst = false";
    let search = stalled_search(settings, |_, index| index == 0 || index == 3);
    let expected = [(Step, 8), (Again, 8), (Step, 12), (Confirm, 12), (Again, 12)];
    assert_eq!(trials(&search), expected);
    let levels = search.level_verdicts();
    assert_eq!((levels.passed(), levels.failed()), (Some(12), None));
    // What fails again without a stall, or within another one, is the agent's.
    let fails = stalled_search("start = 16\nmost = 16\nburst = false", |_, index| index < 2);
    assert_eq!(trials(&fails)[..2], [(Step, 16), (Again, 16)]);
    assert_eq!(fails.level_verdicts().failed(), Some(13), "bisected from 16");
}

#[test]
fn a_burst_that_the_dispatcher_held_back_is_held_again_once() {
    let is_burst = |trial: &Trial, _| matches!(trial.purpose, Burst | Purpose::BurstAgain);
    let search = stalled_search("start = 10\nmost = 10", is_burst);
    let expected = [(Step, 10), (Confirm, 10), (Burst, 10), (Purpose::BurstAgain, 10)];
    assert_eq!(trials(&search), expected);
}
