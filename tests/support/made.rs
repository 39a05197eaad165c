//! Sessions made up by a test: journals whose every duration the test knows.

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

/// A session to be made up: a run starts every half second.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) name: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) seed: u64,
    pub(crate) runs: u64,
    /// Everything takes this many times as long.
    pub(crate) factor: f64,
    /// By which part of itself everything takes longer from the first run to the last.
    pub(crate) drift: f64,
    /// Sessions of the same profile and seed differ by it.
    pub(crate) night: u64,
    /// Conversations longer than this are given up.
    pub(crate) give_up_after: f64,
    /// Seconds after the first minute of 2026 at which it began.
    pub(crate) began: u64,
    /// Lines for the profile.
    pub(crate) more: &'static str,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            name: "made",
            mode: "chat",
            seed: 1,
            runs: 400,
            factor: 1.0,
            drift: 0.0,
            night: 0,
            give_up_after: f64::INFINITY,
            began: 0,
            more: "",
        }
    }
}

impl Made {
    /// Writes its journal into a folder of its own.
    pub(crate) fn write(&self, within: &Path) -> PathBuf {
        let folder = within.join(self.name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        let journal = Journal::create(&folder.join("journal.jsonl")).expect("a new file");
        let mut events = self.events();
        events.sort_by_key(|event| event.at);
        let last = events.last().map_or(SessionTime::START, |event| event.at);
        let opened = EventKind::Opened(Box::new(self.opening()));
        journal.record(Event { at: SessionTime::START, kind: opened });
        for event in events {
            journal.record(event);
        }
        journal.record(Event { at: last, kind: EventKind::Closed });
        folder
    }

    fn opening(&self) -> SessionHeader {
        let text = format!(
            "mode = \"{}\"\nseed = {}\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 4\n[[scenario]]\nid = 31\ncopies = 4\n[[stage]]\nrate = \"2/s\"\n{}",
            self.mode, self.seed, self.more
        );
        let input = ProfileInput {
            file: "made",
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &no_files,
        };
        let loaded = load(input).unwrap_or_else(|_| panic!("the profile is valid: {text}"));
        SessionHeader {
            format: FORMAT_VERSION,
            rushhour: "made".into(),
            session: SessionId::new(self.name),
            anchor: format!("2026-01-01T00:{:02}:{:02}Z", self.began / 60, self.began % 60),
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
        let mut noise = Noise(self.seed ^ (self.night << 32));
        let mode = self.opening().profile.mode.representative();
        let mut events = Vec::new();
        for n in 0..self.runs {
            let run = RunIndex(n);
            let start = SessionTime(n * 500_000);
            let grown = 1.0 + self.drift * n as f64 / self.runs as f64;
            let mut seconds = |median: f64| self.factor * grown * median * noise.factor(0.5);
            let (join, queue, talk, judge) =
                (seconds(0.4), seconds(0.8), seconds(6.0), seconds(0.5));
            let after = |seconds: f64| start + Micros::from_secs_f64(seconds);
            let looked = |at: SessionTime| at - Micros(50_000);
            let mut event = |at, happening| events.push(Event { at, kind: happening });
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
                EventKind::AgentSeen { run, identity, after: looked(seen), seen, joined: None },
            );
            let (request, mapping, result) = (n, RunMapping::Proven, None);
            let evaluator_run = EvaluatorRunId::new(n.to_string());
            let entered = vec![AcceptedRun { run, evaluator_run, ready: seen }];
            let (admitted, sent, answered) = (seen, seen, seen + Micros(90_000 + n % 37 * 1_000));
            event(
                answered,
                EventKind::Submitted {
                    request,
                    admitted,
                    sent,
                    answered,
                    result,
                    accepted: entered,
                    mapping,
                },
            );
            let mut sighted = |sighting, seen| {
                let (word, after) = ("word".to_owned(), looked(seen));
                event(
                    seen,
                    EventKind::PhaseSeen { run, phase: sighting, status: word, after, seen },
                );
            };
            let begun = answered + Micros::from_secs_f64(queue) + Micros(50_000);
            sighted(RunPhase::Running, begun);
            let given_up = talk > self.give_up_after;
            let over = begun + Micros::from_secs_f64(talk.min(self.give_up_after));
            if !given_up {
                sighted(RunPhase::Judging, over);
            }
            let seen = over + Micros::from_secs_f64(judge) + Micros(50_000);
            let outcome = match (given_up, n % 20) {
                (true, _) => Outcome::failed(FailureClass::EvaluatorTimeout, "took too long"),
                (false, 7) => Outcome::failed(FailureClass::EvaluatorFailed, "no"),
                (false, tenth) => Outcome::Completed { judged: Some(tenth != 3) },
            };
            let after = if given_up { seen } else { looked(seen) };
            event(
                seen,
                EventKind::Ended { run, outcome, after, seen, conversation_duration: None },
            );
        }
        events
    }
}

/// Random numbers of the tests' own, the same everywhere (SplitMix64).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((n ^ (n >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Lognormal around 1.
    fn factor(&mut self, sigma: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.uniform()).sum();
        (sigma * (sum - 6.0)).exp()
    }
}
