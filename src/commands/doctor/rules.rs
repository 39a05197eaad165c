//! The rules: what a measurement means for a session.

use super::finding::Finding;
use crate::session::forecast_text::{cloud_warning, quota_warning};
#[cfg(feature = "native")]
use rushhour_callers::participant::ServerDetails;
#[cfg(feature = "native")]
use rushhour_core::event::MediaPath;
use rushhour_core::plan::{CloudExcess, CloudQuotaExcess};
use rushhour_core::units::{Micros, Mode};
use rushhour_driver::cekura::PlanLimits;

/// The clock skew up to which tokens are valid: servers allow a minute.
const MOST_SKEW_MS: i64 = 55_000;

/// The clock skew from which the server's own times are of little use.
const NOTABLE_SKEW_MS: i64 = 5_000;

/// The resolution of a `Date` header.
const DATE_RESOLUTION_MS: i64 = 1_000;

/// Open files that a session needs apart from its runs: journal, reports, listeners, pools.
const FILES_BASE: u64 = 64;

/// The most open files of a run in flight: a request to LiveKit, and one to the evaluator.
const FILES_PER_RUN: u64 = 2;

/// Bytes on disk for each run: 1.5 kB in the journal, and as much again in reports.
const BYTES_PER_RUN: u64 = 3_000;

/// Bytes on disk for any session: reports of windows and histograms.
const BYTES_BASE: u64 = 10_000_000;

/// How far the server's clock is ahead of ours: `date_ms` is its `Date`, read between `sent_ms` and `received_ms` on our
/// clock. A difference within the header's resolution is zero.
pub(crate) fn clock_skew_ms(date_ms: i64, sent_ms: i64, received_ms: i64) -> i64 {
    if date_ms > received_ms {
        date_ms - received_ms
    } else if date_ms + DATE_RESOLUTION_MS < sent_ms {
        date_ms + DATE_RESOLUTION_MS - sent_ms
    } else {
        0
    }
}

/// Whether the clocks agree.
pub(crate) fn clock(check: &str, skew_ms: Option<i64>) -> Finding {
    let Some(skew) = skew_ms else {
        return Finding::not_checked(check, "the server's responses have no date");
    };
    let difference = Micros::from_millis(skew.unsigned_abs());
    let side = if skew > 0 { "behind" } else { "ahead of" };
    let message = format!("this machine's clock is {difference} {side} the server's");
    let hint = "set this machine's clock, for example with NTP";
    if skew.abs() > MOST_SKEW_MS {
        Finding::failed(
            check,
            format!("{message}: tokens will be refused as not yet valid or expired"),
            hint,
        )
    } else if skew.abs() > NOTABLE_SKEW_MS {
        Finding::warning(
            check,
            format!("{message}: `agent_join.server` will be off by as much"),
            hint,
        )
    } else {
        Finding::ok(check, "the clocks agree, to within a second")
    }
}

/// Whether enough files can be open for the plan at its peak.
pub(crate) fn open_files(limit: Option<u64>, in_flight: u64) -> Finding {
    let check = "open files";
    let needed = FILES_BASE + FILES_PER_RUN * in_flight;
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

/// Whether the disk has room for what the session will write; `recordings` is what its recordings may take at most.
pub(crate) fn disk_space(free: u64, runs: u64, recordings: u64) -> Finding {
    let check = "disk space";
    let needed = BYTES_BASE + BYTES_PER_RUN * runs + recordings;
    let (free_mb, needed_mb) = (free / 1_000_000, needed.div_ceil(1_000_000));
    let with = if recordings > 0 { ", recordings included" } else { "" };
    let message =
        format!("{free_mb} MB are free, and {runs} runs write about {needed_mb} MB{with}");
    let hint = "make room, or name another folder with --out";
    if free < needed {
        Finding::failed(check, message, hint)
    } else if free / 4 < needed {
        Finding::warning(check, message, hint)
    } else {
        Finding::ok(check, message)
    }
}

/// Whether the account's plan at Cekura allows as many conversations at once as ours needs.
pub(crate) fn cekura_plan(limits: &PlanLimits, mode: Mode, in_flight: f64) -> Finding {
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
                "it allows {limit} {mode} runs at once, and {needed:.0} are expected: the others will queue at Cekura{credits}"
            ),
            format!("set limits.in_flight to {limit}, or ask Cekura for more"),
        ),
        Some(limit) => Finding::ok(
            check,
            format!(
                "it allows {limit} {mode} runs at once, and {needed:.0} are expected; the organization's own setting may be lower{credits}"
            ),
        ),
        None => Finding::not_checked(
            check,
            format!("Cekura reports no limit of {mode} runs at once{credits}"),
        ),
    }
}

/// Whether and when an agent joined, after it was dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AgentArrival {
    Joined {
        /// From the dispatch until it was seen in the room.
        after: Micros,
        /// From the dispatch until it was seen to listen, if it was.
        listening_after: Option<Micros>,
    },
    /// It joined so long after the dispatch, and the server announces it to nobody.
    Hidden(Micros),
    /// A worker accepted the job, and no agent joined.
    NeverJoined {
        /// Within this time.
        waited: Micros,
        /// What became of the job, as the end of a sentence.
        why: String,
    },
    /// No worker accepted the job within this time.
    Unassigned(Micros),
}

/// Whether the agent joined within `agent_within`.
pub(crate) fn agent(name: &str, arrival: AgentArrival, agent_within: Micros) -> Finding {
    let check = "agent";
    match arrival {
        AgentArrival::Joined { after, listening_after } if after > agent_within => {
            Finding::warning(
                check,
                format!(
                    "{name} joined after {after}{}, later than livekit.agent_within ({agent_within}): runs would fail as agent_late",
                    listening(listening_after)
                ),
                "start more workers or prewarm them, or allow more with livekit.agent_within",
            )
        }
        AgentArrival::Joined { after, listening_after } => {
            Finding::ok(check, format!("{name} joined after {after}{}", listening(listening_after)))
        }
        AgentArrival::Hidden(after) => Finding::warning(
            check,
            format!(
                "{name} joined after {after}, and is hidden: the room announces no participant"
            ),
            HIDDEN_HINT,
        ),
        AgentArrival::NeverJoined { waited, why } => Finding::failed(
            check,
            format!("a worker accepted the job of {name}, which did not join within {waited}{why}"),
            "look into the worker's log: the job's process died, or cannot reach the server",
        ),
        AgentArrival::Unassigned(waited) => Finding::failed(
            check,
            format!(
                "no worker accepted the job of {name} within {waited}: none is registered under this name, or all are full"
            ),
            "start the worker, and compare its agent_name with livekit.agent",
        ),
    }
}

/// What to do about a hidden agent.
const HIDDEN_HINT: &str = "take `hidden` from the permissions of its worker, if it has not to be; our own callers converse with it all the same";

/// An agent that was heard or read, although the server announces nobody.
pub(crate) fn hidden_agent(name: &str) -> Finding {
    Finding::warning(
        "agent",
        format!(
            "{name} was heard or read, but no participant was announced: it is hidden, and when it joined cannot be measured"
        ),
        HIDDEN_HINT,
    )
}

fn listening(after: Option<Micros>) -> String {
    after.map_or_else(String::new, |after| format!(" and listened after {after}"))
}

/// Whether LiveKit has to agree to the load.
pub(crate) fn cloud_limits(excess: Option<&CloudExcess>) -> Option<Finding> {
    let excess = excess?;
    Some(Finding::warning(
        "livekit cloud",
        cloud_warning(excess),
        "ask LiveKit first, and then run with --accept-cloud-limits",
    ))
}

/// Whether the load needs more requests than LiveKit Cloud allows.
pub(crate) fn cloud_quota(excess: Option<&CloudQuotaExcess>) -> Option<Finding> {
    let excess = excess?;
    Some(Finding::warning(
        "livekit quota",
        quota_warning(excess),
        "lower the rates of the stages, or ask LiveKit for a higher quota",
    ))
}

/// How far the connection of a caller of our own with the server came.
#[cfg(feature = "native")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallerConnection {
    /// The server has not answered.
    None,
    /// It could not be made, or was lost.
    Failed(String),
    /// The server let the caller in; media and data are not connected.
    Joined(ServerDetails),
    /// Media and data are connected over this path, so long after the caller began to join.
    Open { server: ServerDetails, path: MediaPath, after: Micros },
}

/// What the connection of a caller says of the server; `tried` names the ways of media and data that were tried.
#[cfg(feature = "native")]
pub(crate) fn caller_connection(connection: &CallerConnection, tried: &str) -> Finding {
    let check = "livekit connection";
    let shown = |server: &ServerDetails| {
        let version = match server.version.as_str() {
            "" => "a server that tells no version".to_owned(),
            version => format!("livekit-server {version}"),
        };
        format!("{version}, signalling {}", server.protocol.name())
    };
    match connection {
        CallerConnection::None => Finding::failed(
            check,
            "the server did not answer a caller that wanted to join",
            "check whether a firewall or proxy is in the way of WebSockets",
        ),
        CallerConnection::Failed(why) => Finding::failed(
            check,
            format!("a caller could not join a room: {why}"),
            "every run would fail; check livekit.url, and what stands between this machine and the server",
        ),
        CallerConnection::Joined(server) => Finding::failed(
            check,
            format!("{}; a caller could not connect media and data: {tried}", shown(server)),
            "open UDP to the server, or TCP 7881, or give it a TURN server; livekit.transport chooses among them",
        ),
        CallerConnection::Open { server, path, after } => Finding::ok(
            check,
            format!("{}; media and data are connected over {path}, after {after}", shown(server)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::FindingState;
    use super::*;

    #[test]
    fn a_date_with_a_resolution_of_a_second_shows_no_skew_between_equal_clocks() {
        for now in 10_000..12_000 {
            assert_eq!(clock_skew_ms(now / 1_000 * 1_000, now, now + 30), 0, "{now}");
        }
        assert_eq!(clock_skew_ms(70_000, 10_000, 10_100), 59_900);
        assert_eq!(clock_skew_ms(10_000, 70_000, 70_100), -59_000);
    }

    #[test]
    fn clocks_within_the_servers_tolerance_pass() {
        let state = |skew| clock("clock", Some(skew)).state;
        assert_eq!(state(0), FindingState::Ok);
        assert_eq!(state(-20_000), FindingState::Warning);
        assert_eq!((state(59_000), state(-59_000)), (FindingState::Failed, FindingState::Failed));
        assert!(clock("clock", Some(90_000)).message.contains("behind"));
        assert_eq!(clock("clock", None).state, FindingState::NotChecked);
    }

    #[test]
    fn open_files_and_disk_space_are_compared_with_the_plan() {
        assert_eq!(open_files(Some(1_024), 100).state, FindingState::Ok);
        assert_eq!(open_files(Some(1_024), 500).hint.unwrap(), "raise the limit: ulimit -n 2048");
        assert_eq!(open_files(None, 100_000).state, FindingState::Ok);
        assert_eq!(disk_space(1_000_000_000, 1_000, 0).state, FindingState::Ok);
        assert_eq!(disk_space(1_000_000_000, 100_000, 0).state, FindingState::Warning);
        assert_eq!(disk_space(1_000_000_000, 1_000_000, 0).state, FindingState::Failed);
        assert_eq!(disk_space(1_000_000_000, 1, 999_000_000).state, FindingState::Failed);
    }

    #[test]
    fn cekuras_plan_is_compared_with_ours() {
        let limits = |voice, credits, active| PlanLimits { voice, chat: None, credits, active };
        let state = |limits: &PlanLimits, mode| cekura_plan(limits, mode, 49.2).state;
        assert_eq!(state(&limits(Some(50), Some(1.0), Some(true)), Mode::Voice), FindingState::Ok);
        assert_eq!(state(&limits(Some(49), None, None), Mode::Voice), FindingState::Warning);
        assert_eq!(state(&limits(Some(50), None, None), Mode::Chat), FindingState::NotChecked);
        assert_eq!(state(&limits(Some(50), Some(0.0), None), Mode::Voice), FindingState::Failed);
        assert_eq!(state(&limits(Some(50), None, Some(false)), Mode::Voice), FindingState::Failed);
    }

    #[test]
    fn an_agent_joins_in_time_late_or_never() {
        let (fast, slow) = (Micros::from_secs(1), Micros::from_secs(9));
        let state = |arrival| agent("echo", arrival, Micros::from_secs(5)).state;
        let joined = |after, listening_after| AgentArrival::Joined { after, listening_after };
        assert_eq!(state(joined(fast, None)), FindingState::Ok);
        assert_eq!(state(joined(slow, Some(slow))), FindingState::Warning);
        assert_eq!(state(AgentArrival::Hidden(fast)), FindingState::Warning);
        let why = ": its job failed: no key".to_owned();
        let absent = AgentArrival::NeverJoined { waited: slow, why };
        let found = agent("echo", absent, Micros::from_secs(5));
        assert_eq!(found.state, FindingState::Failed);
        assert!(found.message.ends_with("its job failed: no key"), "{}", found.message);
        assert_eq!(state(AgentArrival::Unassigned(slow)), FindingState::Failed);
    }
}
