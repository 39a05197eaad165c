//! The figures of a session that are metrics. Labels are few, and none of them grows with the runs.

use super::metric_set::{BUCKETS, Family, FamilyKind, FamilyUnit, Labels, Sample};
use crate::fold::{FoldedSession, Latencies, Scope};
use crate::live::LiveFold;
use crate::session::{Criterion, SessionVerdict, Verdict, start_rates};
use rushhour_core::event::{AgentHealth, FailureClass};
use rushhour_core::units::{Metric, Micros, Usd};

const MEASURED: &str =
    "of measured runs that ended, in buckets; percentiles of the report are exact";

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
const fn number(count: u64) -> f64 {
    count as f64
}

/// The families of a session; none before its first event.
pub(super) fn figures(live: &LiveFold, forecast: Option<u64>) -> Vec<Family> {
    let Some(folded) = live.so_far() else { return Vec::new() };
    let mut all = Vec::new();
    all.push(info(folded));
    all.push(missing(live));
    all.extend(runs(folded, forecast));
    all.extend(verdict(folded));
    all.extend(services(folded));
    all.extend(money(folded));
    all.extend(latencies(folded));
    all.extend(generator(live, folded));
    all.extend(workers(live, folded));
    all.extend(live.agent().into_iter().flat_map(agent));
    all.retain(|family| !family.samples.is_empty());
    all
}

fn info(folded: &FoldedSession) -> Family {
    let opening = &folded.opening;
    let labels = vec![
        ("session", opening.session.as_str().to_owned()),
        ("profile", opening.profile.name.clone()),
        ("mode", opening.profile.mode.to_string()),
        ("version", opening.rushhour.clone()),
    ];
    Family::gauge("info", "The session that runs; always 1").with(labels, 1.0)
}

/// Events that these figures lack: with some, counters are too low.
fn missing(live: &LiveFold) -> Family {
    Family::gauge("events_missing", "Events that came too fast for these metrics, which lack them")
        .of(number(live.missing()))
}

fn runs(folded: &FoldedSession, forecast: Option<u64>) -> Vec<Family> {
    let tally = &folded.tally;
    let ended = |outcome: &str, class: &str, party: &str| -> Labels {
        let label = |name, value: &str| (name, value.to_owned());
        vec![label("outcome", outcome), label("class", class), label("party", party)]
    };
    let mut outcomes = Family::counter(
        "runs_ended",
        "Runs with an outcome, and for failures their class and whose fault they can be",
    )
    .with(ended("completed", "", ""), number(tally.completed))
    .with(ended("skipped", "", ""), number(tally.skipped));
    // Those at zero too: a rate needs the sample before the first failure.
    for class in FailureClass::ALL {
        let count = tally.failed.get(class).copied().unwrap_or_default();
        let labels = ended("failed", class.name(), class.party().name());
        outcomes = outcomes.with(labels, number(count));
    }
    let rates = start_rates(folded);
    let rate = |kind: &str| vec![("kind", kind.to_owned())];
    let mut start_rate = Family::gauge(
        "start_rate",
        "Starts a second over the session so far, as the profile requests them and as they were delivered",
    );
    for (kind, value) in [("requested", rates.requested), ("delivered", rates.delivered)] {
        if let Some(value) = value {
            start_rate = start_rate.with(rate(kind), value);
        }
    }
    let limit = folded.opening.profile.limits.in_flight;
    vec![
        Family::gauge(
            "runs_planned",
            "Runs that the profile plans; an estimate where it holds runs",
        )
        .of_known(forecast.map(number)),
        Family::counter("runs_started", "Runs that started").of(number(tally.started)),
        outcomes,
        Family::counter("runs_not_started", "Planned runs that a stopped session did not start")
            .of(number(tally.not_started)),
        Family::gauge("runs_in_flight", "Runs in flight").of(number(tally.open())),
        Family::gauge("runs_in_flight_limit", "The most runs in flight that the profile allows")
            .of(limit),
        start_rate,
        Family::counter("marks", "Moments that somebody marked")
            .of(number(folded.marks.len() as u64)),
    ]
}

fn verdict(folded: &FoldedSession) -> Vec<Family> {
    let (validity, thresholds) = SessionVerdict::of_thresholds(folded, Criterion::Interval);
    let count = |wanted: fn(&Verdict) -> bool| {
        number(thresholds.iter().filter(|result| wanted(&result.verdict)).count() as u64)
    };
    let label = |verdict: &str| vec![("verdict", verdict.to_owned())];
    vec![
        Family::gauge(
            "thresholds",
            "Thresholds by their verdict so far, each with 95 % confidence",
        )
        .with(label("passed"), count(|verdict| *verdict == Verdict::Passed))
        .with(label("failed"), count(|verdict| *verdict == Verdict::Failed))
        .with(
            label("undecided"),
            count(|verdict| matches!(verdict, Verdict::Undecided { .. } | Verdict::NoSamples)),
        ),
        Family::gauge("valid", "Whether the load generator has delivered the load so far")
            .of(f64::from(u8::from(validity.holds()))),
    ]
}

fn services(folded: &FoldedSession) -> Vec<Family> {
    let health = &folded.health;
    let service = |name: &str| vec![("service", name.to_owned())];
    let rooms = |state: &str| vec![("state", state.to_owned())];
    vec![
        Family::counter("submissions", "Submissions that the evaluator accepted")
            .of(number(folded.submissions)),
        Family::counter("submission_attempts", "Attempts to submit, with those that failed")
            .of(number(folded.submission_attempts)),
        Family::counter("rate_limited", "Requests that a service refused by its rate limit")
            .with(service("evaluator"), number(health.throttled))
            .with(service("livekit"), number(health.livekit_throttled)),
        Family::counter("rooms", "Rooms that were created, deleted, or could not be deleted")
            .with(rooms("created"), number(folded.rooms_created))
            .with(rooms("deleted"), number(folded.rooms_deleted))
            .with(rooms("left"), number(folded.rooms_not_deleted)),
        Family::counter("reconnects", "Connections that callers lost and recovered")
            .of(number(folded.reconnects.count())),
    ]
}

fn money(folded: &FoldedSession) -> Vec<Family> {
    let profile = &folded.opening.profile;
    let is_charged = !folded.bill.rows.is_empty();
    let spent = is_charged.then(|| folded.bill.list().dollars());
    vec![
        Family::counter(
            "spend_usd",
            "The cost of the runs that ended, in US dollars at list prices",
        )
        .of_known(spent),
        Family::gauge("budget_usd", "The session's budget in US dollars")
            .of_known(profile.limits.budget.map(Usd::dollars)),
    ]
}

fn latencies(folded: &FoldedSession) -> Vec<Family> {
    let of_metric = |metric: Metric| {
        let name = metric.name().replace('.', "_");
        let definition = metric.definition().trim_end_matches('.');
        let help = format!("{definition}; {MEASURED}");
        let family = Family::new(FamilyKind::Histogram, name, help).in_unit(FamilyUnit::Seconds);
        let modes = folded.opening.profile.mode.modes().iter().copied();
        let modes = modes.filter(|mode| metric.mode().is_none_or(|only| only == *mode));
        // Those without a value too: a rate needs the sample before the first one.
        modes.fold(family, |family, mode| {
            let latencies = folded.latencies.get(metric, mode, Scope::Measured);
            let sample = latencies.map_or_else(|| histogram(&Latencies::default()), histogram);
            family.with_sample(vec![("mode", mode.name().to_owned())], sample)
        })
    };
    Metric::ALL.iter().copied().map(of_metric).collect()
}

fn histogram(latencies: &Latencies) -> Sample {
    let mut counts = vec![0; BUCKETS.len() + 1];
    let mut sum = 0.0;
    let histogram = latencies.histogram();
    for value in histogram.iter_recorded() {
        let count = value.count_since_last_iteration();
        let seconds = Micros(value.value_iterated_to()).as_secs_f64();
        let bucket = BUCKETS.partition_point(|end| *end < seconds);
        counts[bucket] += count;
        // As the mean has it, which would go through all of them again.
        sum += number(histogram.median_equivalent(value.value_iterated_to())) * number(count);
    }
    Sample::Histogram { sum: sum / 1e6, count: latencies.count(), counts }
}

fn generator(live: &LiveFold, folded: &FoldedSession) -> Vec<Family> {
    let (health, last) = (&folded.health, live.generator().map(|(_, last)| last));
    let callers = last.and_then(|last| last.callers);
    let has_callers = health.ticks > 0;
    vec![
        Family::counter("generator_cpu", "Processor time of this process")
            .in_unit(FamilyUnit::Seconds)
            .of(health.cpu.as_secs_f64()),
        Family::gauge("generator_memory", "Resident memory of this process")
            .in_unit(FamilyUnit::Bytes)
            .of_known(last.map(|last| number(last.memory))),
        Family::gauge(
            "generator_loop_lag",
            "The longest delay of the event loop in the last interval",
        )
        .in_unit(FamilyUnit::Seconds)
        .of_known(last.map(|last| last.loop_lag.as_secs_f64())),
        Family::gauge("callers", "Callers on this machine")
            .of_known(callers.map(|c| number(c.callers))),
        Family::counter("caller_ticks", "Ticks of the callers' threads on this machine")
            .of_known(has_callers.then(|| number(health.ticks))),
        Family::counter("caller_late_ticks", "Of these, those that began more than 5 ms late")
            .of_known(has_callers.then(|| number(health.late_ticks))),
    ]
}

fn workers(live: &LiveFold, folded: &FoldedSession) -> Vec<Family> {
    let mut all = [
        Family::gauge("worker_capacity", "The most callers that a worker is meant to hold"),
        Family::gauge("worker_callers", "The most callers that a worker held in its last interval"),
        Family::gauge("worker_callers_peak", "The most callers that a worker held"),
        Family::counter("worker_ticks", "Ticks of a worker's callers' threads"),
        Family::counter("worker_late_ticks", "Of these, those that began more than 5 ms late"),
        Family::gauge("worker_counted_on", "Whether a worker is counted on"),
        Family::gauge("worker_clock_width", "How far off a worker's clock may be")
            .in_unit(FamilyUnit::Seconds),
    ];
    for (id, worker) in folded.workers.iter() {
        let values = [
            Some(f64::from(worker.capacity)),
            live.workers().get(&id).map(|(_, last)| f64::from(last.callers)),
            Some(f64::from(worker.callers)),
            Some(number(worker.ticks)),
            Some(number(worker.late_ticks)),
            Some(f64::from(u8::from(worker.lost.is_none()))),
            worker.clock_within.map(Micros::as_secs_f64),
        ];
        all = std::array::from_fn(|index| {
            let family = all[index].clone();
            match values[index] {
                Some(value) => family.with(vec![("worker", id.to_string())], value),
                None => family,
            }
        });
    }
    all.into()
}

fn agent(health: &AgentHealth) -> Vec<Family> {
    let several = !health.workers.is_empty();
    let workers = health.workers.iter().filter(|worker| worker.error.is_none()).count();
    vec![
        Family::gauge("agent_jobs", "Jobs of the agent's worker, as it reports them")
            .of_known(health.jobs.map(number)),
        Family::gauge("agent_load_ratio", "Load of the agent's worker, as it reports it")
            .of_known(health.load),
        Family::gauge("agent_memory", "Resident memory of the agent's worker")
            .in_unit(FamilyUnit::Bytes)
            .of_known(health.memory.map(number)),
        Family::gauge("agent_workers", "Workers of the agent, where several are asked")
            .of_known(several.then(|| number(workers as u64))),
        Family::gauge("agent_answers", "Whether the agent's worker could be asked for its health")
            .of(f64::from(u8::from(health.error.is_none()))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::{Fate, SessionBuilder};
    use rushhour_core::units::SessionTime;

    /// The families of a session of which one run is in flight.
    fn just_begun(mut builder: SessionBuilder) -> Vec<Family> {
        builder.run(SessionTime(0), Micros::ZERO, Fate::StaysOpen);
        let mut live = LiveFold::default();
        for event in builder.events() {
            live.add(event).expect("the events are those of one session");
        }
        live.set_missing(7);
        figures(&live, None)
    }

    fn samples(families: &[Family], name: &str) -> Vec<(String, f64)> {
        let found = families.iter().find(|family| family.name == name);
        let samples = found.map_or(&[][..], |family| &family.samples);
        let labelled = samples.iter().map(|(labels, sample)| {
            let labels: Vec<&str> = labels.iter().map(|(_, value)| value.as_str()).collect();
            let value = match sample {
                Sample::Number(value) => *value,
                Sample::Histogram { count, .. } => number(*count),
            };
            (labels.join(" "), value)
        });
        labelled.collect()
    }

    #[test]
    fn series_are_there_before_anything_is_counted() {
        let families = just_begun(SessionBuilder::chat(""));
        let ended = samples(&families, "runs_ended");
        assert_eq!(ended.len(), 2 + FailureClass::ALL.len());
        assert!(ended.contains(&("failed agent_late agent".to_owned(), 0.0)), "{ended:?}");
        assert!(ended.iter().all(|(_, count)| *count == 0.0), "{ended:?}");
        assert_eq!(samples(&families, "agent_join"), [("chat".to_owned(), 0.0)]);
        assert_eq!(samples(&families, "turn_chat_done"), [("chat".to_owned(), 0.0)]);
        assert_eq!(samples(&families, "turn_voice"), [], "nobody speaks in a chat session");
        assert_eq!(samples(&families, "events_missing"), [(String::new(), 7.0)]);
        let paired = just_begun(SessionBuilder::paired(""));
        assert_eq!(samples(&paired, "turn_voice"), [("voice".to_owned(), 0.0)]);
        assert_eq!(samples(&paired, "agent_join").len(), 2);
    }
}
