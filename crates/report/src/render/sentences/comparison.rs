//! Two sessions compared.

use std::fmt;

use super::counted;
use super::session::stall_sentence;
use crate::compare::{ComparisonNote, FigureNote, ProfileDifference, Regression, RunsAtMark};
use rushhour_core::units::Micros;

impl fmt::Display for FigureNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewSamples(few) => write!(f, "{} samples, needs {}", few.n, few.needs),
            Self::TooFewBlocks(few) => write!(f, "{} blocks of runs, needs {}", few.n, few.needs),
            Self::TooFewRuns { n, needs } => write!(f, "{n} runs, needs {needs}"),
            Self::TooManyUnfinished => f.write_str("too many had not ended"),
            Self::ZeroBaseline => f.write_str("the baseline is zero"),
            Self::WithinPollingResolution { baseline_us, candidate_us } => write!(
                f,
                "polls were {} and {} apart, which explains a difference of this size",
                micros(*baseline_us),
                micros(*candidate_us)
            ),
        }
    }
}

fn micros(us: f64) -> Micros {
    Micros::from_secs_f64(us.round() / 1e6)
}

impl fmt::Display for ComparisonNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMeasuredRun { arm } => write!(f, "{arm} has no measured run."),
            Self::UnsharedScenarios { arm, scenarios, runs } => write!(
                f,
                "{arm} has {scenarios} scenarios of its own; their {runs} runs are left out."
            ),
            Self::NotFinished { arm, open } => write!(
                f,
                "{arm} did not finish: {open} runs without an outcome count as longer than the time observed."
            ),
            Self::DispatchStall { arm, stalled } => {
                write!(f, "{arm}: {}", stall_sentence(stalled))
            }
            Self::ScenarioMix { scenario, baseline, candidate } => write!(
                f,
                "Scenario {scenario} is {:.0} % of A's runs and {:.0} % of B's: part of the difference may be due to the mix.",
                baseline * 100.0,
                candidate * 100.0
            ),
            Self::DispatchMethods { baseline, candidate } => write!(
                f,
                "Agents were dispatched by `{baseline}` and by `{candidate}`: their joins are not compared."
            ),
            Self::Modes { baseline, candidate } => write!(
                f,
                "A is {baseline} and B is {candidate}: greetings and turns are not compared."
            ),
            Self::SameTime => f.write_str(
                "A and B are parts of one session that ran at the same time: the same blocks of time were resampled for both, and what slows one may slow the other.",
            ),
            Self::OneAfterTheOther => f.write_str(
                "A and B are parts of one session that ran one after the other: whatever else changed in between is part of the difference.",
            ),
            Self::InFlightAtMark { runs, failed_before } => {
                let RunsAtMark { in_flight, failed, left_out } = *runs;
                let share = failed as f64 / in_flight.max(1) as f64;
                write!(
                    f,
                    "Measured runs in flight at the mark belong to neither side: {failed} of {in_flight} failed ({:.1} %), against {:.1} % of those before them.",
                    share * 100.0,
                    failed_before * 100.0
                )?;
                if left_out > 0 {
                    write!(
                        f,
                        " Left out too: {} due at the same time that ended before the mark, as only short ones did.",
                        counted(left_out, "run")
                    )?;
                }
                Ok(())
            }
            Self::DifferentScenarios => f.write_str(
                "A and B are different scenarios: part of the difference is what was talked about.",
            ),
            Self::SameSession => f.write_str("A and B are the same session."),
        }
    }
}

impl fmt::Display for ProfileDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { path, baseline, candidate } => {
                write!(f, "{path}: {baseline}, then {candidate}")
            }
            Self::More(count) => write!(f, "and {count} more"),
        }
    }
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slower { metric, percentile, tolerance } => {
                write!(f, "{metric} {percentile} is slower by more than {tolerance}")
            }
            Self::MoreFailed => f.write_str("more runs failed"),
            Self::MoreJudgedFailed => f.write_str("more runs were judged as failed"),
            Self::MoreMisheard { measure } => {
                write!(f, "more of what callers said was misheard ({measure})")
            }
        }
    }
}
