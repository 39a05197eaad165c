//! Text that files keep as their first version had it, where reports are worded differently.

use std::fmt;

use crate::compare::FigureNote;
use crate::session::{StartRates, ValidityFigure, ValidityRule, limits};
use rushhour_core::units::Micros;

/// A value worded as in files.
pub(crate) struct FileWording<'a, T>(pub(crate) &'a T);

impl fmt::Display for FileWording<'_, FigureNote> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FigureNote::TooFewBlocks(few) => {
                write!(f, "{} groups of runs, needs {}", few.n, few.needs)
            }
            FigureNote::WithinPollingResolution { baseline_us, candidate_us } => {
                let micros = |us: &f64| Micros::from_secs_f64(us.round() / 1e6);
                let (baseline, candidate) = (micros(baseline_us), micros(candidate_us));
                write!(f, "looks were {baseline} and {candidate} apart: no finer than these differ")
            }
            note => note.fmt(f),
        }
    }
}

impl fmt::Display for FileWording<'_, ValidityRule> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.figure.name(), FileWording(&self.0.figure))
    }
}

impl fmt::Display for FileWording<'_, ValidityFigure> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| share * 100.0;
        match self.0 {
            ValidityFigure::DeliveredRate { share, requested, started, rates } => {
                write!(
                    f,
                    "{:.1} % of the asked rate was delivered ({requested} starts asked, {started} made",
                    percent(*share)
                )?;
                if let StartRates { requested: Some(requested), delivered: Some(delivered) } = rates
                {
                    write!(f, ", {requested:.3} a second asked, {delivered:.3} delivered")?;
                }
                write!(f, "); at least {:.0} % is needed", percent(limits::DELIVERED))
            }
            ValidityFigure::ScheduleLag { p99 } => write!(
                f,
                "99 in 100 starts came within {p99} of their time; {} is allowed",
                limits::SCHEDULE_LAG
            ),
            ValidityFigure::LimiterWait { share } => write!(
                f,
                "{:.1} % of the submissions waited longer than {} for limits.requests; {:.0} % is allowed",
                percent(*share),
                limits::LIMITER_WAIT,
                percent(limits::LIMITED)
            ),
            ValidityFigure::Throttling { throttled, requests } => write!(
                f,
                "{throttled} of {requests} requests to the evaluator were answered with 429; {:.0} % is allowed",
                percent(limits::THROTTLED)
            ),
            // They came later, and have one wording.
            figure @ (ValidityFigure::LiveKitThrottling { .. }
            | ValidityFigure::FailedPolls { .. }
            | ValidityFigure::WorkerTicks { .. }
            | ValidityFigure::LostWorkers { .. }) => figure.fmt(f),
            ValidityFigure::StatusPolls { longest_wait, interval } => write!(
                f,
                "a run that was due to be asked after waited {longest_wait} at the longest; {interval} is allowed"
            ),
            ValidityFigure::Processor { share, cores } => write!(
                f,
                "at most {:.0} % of {cores} cores was used; {:.0} % is allowed",
                percent(*share),
                percent(limits::CPU)
            ),
            ValidityFigure::CallerTicks { share, latest } => write!(
                f,
                "{:.2} % of our callers' beats began more than 5 ms late, the latest {latest}; {:.0} % is allowed",
                percent(*share),
                percent(limits::LATE_TICKS)
            ),
            ValidityFigure::AudioPace { share, sent } => write!(
                f,
                "{:.2} % of {sent} audio frames left more than 5 ms late or never; {:.0} % is allowed",
                percent(*share),
                percent(limits::LATE_FRAMES)
            ),
        }
    }
}
