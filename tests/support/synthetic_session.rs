//! Journals of sessions that never ran: the test knows every duration in them.

use std::fs;
use std::path::{Path, PathBuf};

use rushhour_core::event::{
    AcceptedRun, Event, EventKind, EventSink, FORMAT_VERSION, FailureClass, Outcome, RunMapping,
    RunPhase, SessionHeader,
};
use rushhour_core::profile::{ProfileInput, load, no_files};
use rushhour_core::units::{
    EvaluatorRunId, Identity, Micros, RoomName, RunIndex, SessionId, SessionTime,
};
use rushhour_report::journal::Journal;

use super::rng::SplitMix64;

/// A session to write a journal of; a run starts every half second.
#[derive(Clone)]
pub(crate) struct SyntheticSession {
    pub(crate) name: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) seed: u64,
    pub(crate) runs: u64,
    /// Multiplies every duration.
    pub(crate) factor: f64,
    /// By how much durations grow from the first run to the last, as a share of themselves.
    pub(crate) drift: f64,
    /// Tells sessions of the same profile and seed apart: each has its own random durations.
    pub(crate) repetition: u64,
    /// Conversations longer than this many seconds end as `evaluator_timeout`.
    pub(crate) conversation_limit: f64,
    /// When the session started, in seconds since the start of 2026; less than an hour.
    pub(crate) start: u64,
    /// The version of the journal's format.
    pub(crate) format: u32,
    /// Lines to append to the profile.
    pub(crate) profile_lines: &'static str,
}

impl Default for SyntheticSession {
    fn default() -> Self {
        Self {
            name: "synthetic",
            mode: "chat",
            seed: 1,
            runs: 400,
            factor: 1.0,
            drift: 0.0,
            repetition: 0,
            conversation_limit: f64::INFINITY,
            start: 0,
            format: FORMAT_VERSION,
            profile_lines: "",
        }
    }
}

impl SyntheticSession {
    /// Writes the journal into a folder named after the session; returns the folder.
    pub(crate) fn write(&self, within: &Path) -> PathBuf {
        let folder = within.join(self.name);
        fs::create_dir_all(&folder).expect("a folder can be created");
        let journal = Journal::create(&folder.join("journal.jsonl")).expect("a new file");
        let mut events = self.events();
        events.sort_by_key(|event| event.at);
        let last = events.last().map_or(SessionTime::START, |event| event.at);
        let opened = EventKind::Opened(Box::new(self.header()));
        journal.record(Event { at: SessionTime::START, kind: opened });
        for event in events {
            journal.record(event);
        }
        journal.record(Event { at: last, kind: EventKind::Closed });
        folder
    }

    fn header(&self) -> SessionHeader {
        let text = format!(
            "mode = \"{}\"\nseed = {}\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 4\n[[scenario]]\nid = 31\ncopies = 4\n[[stage]]\nrate = \"2/s\"\n{}",
            self.mode, self.seed, self.profile_lines
        );
        let input = ProfileInput {
            file: "synthetic",
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &no_files,
        };
        let loaded = load(input).unwrap_or_else(|_| panic!("the profile is valid: {text}"));
        SessionHeader {
            format: self.format,
            rushhour: "synthetic".into(),
            session: SessionId::new(self.name),
            anchor: format!("2026-01-01T00:{:02}:{:02}Z", self.start / 60, self.start % 60),
            profile_hash: format!("{:064}", self.seed),
            profile: loaded.profile,
            settings: Vec::new(),
            livekit_url: String::new(),
            evaluator_url: String::new(),
            planned: Some(self.runs),
            cores: 2,
        }
    }

    fn events(&self) -> Vec<Event> {
        let mut rng = SplitMix64::new(self.seed ^ (self.repetition << 32));
        let mode = self.header().profile.mode.representative();
        let mut events = Vec::new();
        for n in 0..self.runs {
            let run = RunIndex(n);
            let start = SessionTime(n * 500_000);
            let growth = 1.0 + self.drift * n as f64 / self.runs as f64;
            let mut seconds = |median: f64| self.factor * growth * median * rng.lognormal(0.5);
            let (join, queue, conversation, judging) =
                (seconds(0.4), seconds(0.8), seconds(6.0), seconds(0.5));
            let after = |seconds: f64| start + Micros::from_secs_f64(seconds);
            let poll_before = |at: SessionTime| at - Micros(50_000);
            let mut event = |at, kind| events.push(Event { at, kind });
            let room = RoomName::new(format!("rushhour-{}-{}-{n}", self.name, self.seed));
            let (scenario, copy, pair) = (u32::from(n % 2 == 1), 0, None);
            let (stage, intended, free) = (0, start, start);
            event(
                start,
                EventKind::RunStarted {
                    run,
                    stage,
                    scenario,
                    copy,
                    mode,
                    pair,
                    network: None,
                    redial_of: None,
                    intended,
                    free,
                    room,
                },
            );
            let (sent, answered, dispatch) = (start, after(0.02), None);
            event(answered, EventKind::Dispatched { run, dispatch, sent, answered });
            let seen = after(join + 0.05);
            let identity = Identity::new("agent");
            event(
                seen,
                EventKind::AgentSeen {
                    run,
                    identity,
                    after: poll_before(seen),
                    seen,
                    joined: None,
                },
            );
            let (request, mapping, result) = (n, RunMapping::Proven, None);
            let evaluator_run = EvaluatorRunId::new(n.to_string());
            let accepted = vec![AcceptedRun { run, evaluator_run, ready: seen, worker: None }];
            let (admitted, sent, answered) = (seen, seen, seen + Micros(90_000 + n % 37 * 1_000));
            event(
                answered,
                EventKind::Submitted {
                    request,
                    admitted,
                    sent,
                    answered,
                    result,
                    accepted,
                    mapping,
                },
            );
            let mut phase_seen = |phase, seen| {
                let (status, after) = ("word".into(), poll_before(seen));
                event(seen, EventKind::PhaseSeen { run, phase, status, after, seen });
            };
            let running = answered + Micros::from_secs_f64(queue) + Micros(50_000);
            phase_seen(RunPhase::Running, running);
            let timed_out = conversation > self.conversation_limit;
            let ended = running + Micros::from_secs_f64(conversation.min(self.conversation_limit));
            if !timed_out {
                phase_seen(RunPhase::Judging, ended);
            }
            let seen = ended + Micros::from_secs_f64(judging) + Micros(50_000);
            let outcome = match (timed_out, n % 20) {
                (true, _) => Outcome::failed(FailureClass::EvaluatorTimeout, "took too long"),
                (false, 7) => Outcome::failed(FailureClass::EvaluatorFailed, "no"),
                (false, place) => Outcome::Completed { judged: Some(place != 3) },
            };
            let after = if timed_out { seen } else { poll_before(seen) };
            event(
                seen,
                EventKind::Ended { run, outcome, after, seen, conversation_duration: None },
            );
        }
        events
    }
}
