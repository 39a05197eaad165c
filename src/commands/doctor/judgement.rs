//! The rules: what a measurement means for a session.

use super::finding::Finding;
use crate::forecast_text::cloud_words;
use rushhour_core::plan::CloudExcess;
use rushhour_core::units::{Micros, Mode};
use rushhour_driver::cekura::PlanLimits;

/// Clocks that differ by more than this make tokens fail: servers forgive a minute.
const MOST_SKEW_MS: i64 = 55_000;
/// Clocks that differ by more than this make the server's own times of little use.
const NOTED_SKEW_MS: i64 = 5_000;
/// The largest error of a `Date` header, which tells whole seconds.
const DATE_STEP_MS: i64 = 1_000;
/// Open files that a session needs beside those of its runs: journal, reports, listeners, pools.
const FILES_ASIDE: u64 = 64;
/// Open files for a run in flight at the most: a request to LiveKit and one to the evaluator.
const FILES_PER_RUN: u64 = 2;
/// Bytes on disk for a run: 1.5 kB in the journal, and as much again in reports.
const BYTES_PER_RUN: u64 = 3_000;
/// Bytes on disk for a session however short: reports of windows and histograms.
const BYTES_ASIDE: u64 = 10_000_000;

/// How far the server's clock is from ours: its `Date`, read between `sent_ms` and `received_ms` on ours.
/// Only what lies outside the header's own coarseness counts.
pub(crate) fn clock_skew_ms(date_ms: i64, sent_ms: i64, received_ms: i64) -> i64 {
    if date_ms > received_ms {
        date_ms - received_ms
    } else if date_ms + DATE_STEP_MS < sent_ms {
        date_ms + DATE_STEP_MS - sent_ms
    } else {
        0
    }
}

/// What the difference between the clocks means.
pub(crate) fn clock(check: &str, skew_ms: Option<i64>) -> Finding {
    let Some(skew) = skew_ms else {
        return Finding::not_checked(check, "the server's answers carry no date");
    };
    let apart = Micros::from_millis(skew.unsigned_abs());
    let which = if skew > 0 { "behind" } else { "ahead of" };
    let says = format!("this machine's clock is {apart} {which} the server's");
    let set = "set this machine's clock, with NTP for instance";
    if skew.abs() > MOST_SKEW_MS {
        Finding::failed(
            check,
            format!("{says}: tokens will be refused as not yet valid or expired"),
            set,
        )
    } else if skew.abs() > NOTED_SKEW_MS {
        Finding::warning(check, format!("{says}: `agent_join.server` will be off by as much"), set)
    } else {
        Finding::ok(check, "the clocks agree, as far as a date to the second tells")
    }
}

/// Whether as many files may be open as the plan needs at its peak.
pub(crate) fn open_files(limit: Option<u64>, in_flight: u64) -> Finding {
    let check = "open files";
    let needed = FILES_ASIDE + FILES_PER_RUN * in_flight;
    match limit {
        Some(limit) if limit < needed => Finding::failed(
            check,
            format!(
                "{limit} files may be open, and {in_flight} runs in flight need up to {needed}"
            ),
            format!("raise the limit: ulimit -n {}", needed.next_power_of_two()),
        ),
        Some(limit) => {
            Finding::ok(check, format!("{limit} may be open; up to {needed} are needed"))
        }
        None => Finding::ok(check, format!("there is no limit; up to {needed} are needed")),
    }
}

/// Whether the disk holds what the session will write.
pub(crate) fn disk(free: u64, runs: u64) -> Finding {
    let check = "disk space";
    let needed = BYTES_ASIDE + BYTES_PER_RUN * runs;
    let (free_mb, needed_mb) = (free / 1_000_000, needed.div_ceil(1_000_000));
    let says = format!("{free_mb} MB are free, and {runs} runs write about {needed_mb} MB");
    let advice = "make room, or name another folder with --out";
    if free < needed {
        Finding::failed(check, says, advice)
    } else if free / 4 < needed {
        Finding::warning(check, says, advice)
    } else {
        Finding::ok(check, says)
    }
}

/// Whether the evaluator's plan holds as many conversations at once as ours.
pub(crate) fn conversations(limits: &PlanLimits, mode: Mode, in_flight: f64) -> Finding {
    let check = "cekura plan";
    let needed = in_flight.ceil();
    let credits = limits
        .credits
        .map_or_else(String::new, |credits| format!("; {credits:.0} credits are left"));
    if limits.active == Some(false) {
        return Finding::failed(
            check,
            "the subscription is not active: runs would be refused",
            "renew it at Cekura",
        );
    }
    if limits.credits.is_some_and(|credits| credits <= 0.0) {
        return Finding::failed(
            check,
            "no credits are left: runs would be refused",
            "top up at Cekura",
        );
    }
    match limits.concurrency(mode) {
        Some(limit) if (limit as f64) < needed => Finding::warning(
            check,
            format!(
                "{limit} {mode} runs may be held at once and {needed:.0} are expected: the rest queues at Cekura{credits}"
            ),
            format!("set limits.in_flight to {limit}, or ask Cekura for more"),
        ),
        Some(limit) => Finding::ok(
            check,
            format!(
                "{limit} {mode} runs may be held at once, {needed:.0} are expected; the organization's own setting may be lower{credits}"
            ),
        ),
        None => Finding::not_checked(
            check,
            format!("the service names no limit of {mode} runs at once{credits}"),
        ),
    }
}

/// How an agent came into a room, after it was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentArrival {
    /// It was seen in the room this long after it was sent for, and listening after the second time.
    Joined(Micros, Option<Micros>),
    /// A worker took the job, and no agent came within this time.
    NeverJoined(Micros),
    /// No worker took the job within this time.
    Unassigned(Micros),
}

/// What it means for a session whether and how fast an agent came.
pub(crate) fn worker(agent: &str, coming: AgentArrival, within: Micros) -> Finding {
    let check = "agent";
    match coming {
        AgentArrival::Joined(after, listening) if after > within => Finding::warning(
            check,
            format!(
                "{agent} came after {after}{}, later than livekit.agent_within ({within}): runs would fail as agent_late",
                listening_words(listening)
            ),
            "start more workers or prewarm them, or allow more with livekit.agent_within",
        ),
        AgentArrival::Joined(after, listening) => {
            Finding::ok(check, format!("{agent} came after {after}{}", listening_words(listening)))
        }
        AgentArrival::NeverJoined(waited) => Finding::failed(
            check,
            format!("a worker took the job of {agent}, and it was not in the room after {waited}"),
            "look into the worker's log: the job's process died, or cannot reach the server",
        ),
        AgentArrival::Unassigned(waited) => Finding::failed(
            check,
            format!(
                "no worker took the job of {agent} within {waited}: none is registered under this name, or all are full"
            ),
            "start the worker, and compare its agent_name with livekit.agent",
        ),
    }
}

fn listening_words(listening: Option<Micros>) -> String {
    listening.map_or_else(String::new, |after| format!(" and was listening after {after}"))
}

/// Whether LiveKit Cloud's owner has to be asked.
pub(crate) fn cloud(excess: Option<&CloudExcess>) -> Option<Finding> {
    let excess = excess?;
    Some(Finding::warning(
        "livekit cloud",
        cloud_words(excess),
        "ask LiveKit first, then run with --accept-cloud-limits",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::finding::FindingState;
    use super::*;

    #[test]
    fn a_date_to_the_second_blames_no_clock_that_agrees() {
        for now in 10_000..12_000 {
            assert_eq!(clock_skew_ms(now / 1_000 * 1_000, now, now + 30), 0, "{now}");
        }
        assert_eq!(clock_skew_ms(70_000, 10_000, 10_100), 59_900);
        assert_eq!(clock_skew_ms(10_000, 70_000, 70_100), -59_000);
    }

    #[test]
    fn clocks_within_the_servers_patience_pass() {
        let state = |skew| clock("clock", Some(skew)).state;
        assert_eq!(state(0), FindingState::Ok);
        assert_eq!(state(-20_000), FindingState::Warning);
        assert_eq!((state(59_000), state(-59_000)), (FindingState::Failed, FindingState::Failed));
        assert!(clock("clock", Some(90_000)).says.contains("behind"));
        assert_eq!(clock("clock", None).state, FindingState::NotChecked);
    }

    #[test]
    fn files_and_space_are_held_against_the_plan() {
        assert_eq!(open_files(Some(1_024), 100).state, FindingState::Ok);
        assert_eq!(open_files(Some(1_024), 500).advice.unwrap(), "raise the limit: ulimit -n 2048");
        assert_eq!(open_files(None, 100_000).state, FindingState::Ok);
        assert_eq!(disk(1_000_000_000, 1_000).state, FindingState::Ok);
        assert_eq!(disk(1_000_000_000, 100_000).state, FindingState::Warning);
        assert_eq!(disk(1_000_000_000, 1_000_000).state, FindingState::Failed);
    }

    #[test]
    fn the_evaluators_plan_is_held_against_ours() {
        let limits = |voice, credits, active| PlanLimits { voice, chat: None, credits, active };
        let state = |limits: &PlanLimits, mode| conversations(limits, mode, 49.2).state;
        assert_eq!(state(&limits(Some(50), Some(1.0), Some(true)), Mode::Voice), FindingState::Ok);
        assert_eq!(state(&limits(Some(49), None, None), Mode::Voice), FindingState::Warning);
        assert_eq!(state(&limits(Some(50), None, None), Mode::Chat), FindingState::NotChecked);
        assert_eq!(state(&limits(Some(50), Some(0.0), None), Mode::Voice), FindingState::Failed);
        assert_eq!(state(&limits(Some(50), None, Some(false)), Mode::Voice), FindingState::Failed);
    }

    #[test]
    fn an_agent_comes_in_time_late_or_never() {
        let (fast, slow) = (Micros::from_secs(1), Micros::from_secs(9));
        let state = |coming| worker("echo", coming, Micros::from_secs(5)).state;
        assert_eq!(state(AgentArrival::Joined(fast, None)), FindingState::Ok);
        assert_eq!(state(AgentArrival::Joined(slow, Some(slow))), FindingState::Warning);
        assert_eq!(state(AgentArrival::NeverJoined(slow)), FindingState::Failed);
        assert_eq!(state(AgentArrival::Unassigned(slow)), FindingState::Failed);
    }
}
