//! Sessions made up for tests of reports: events as a driver would have recorded them.

use super::verdict::{Criterion, SessionVerdict};
use crate::fold::{Fold, FoldedSession};
use rushhour_core::event::{
    AcceptedRun, Event, EventKind, FORMAT_VERSION, FailureClass, Outcome, RunMapping, RunPhase,
    SessionHeader,
};
use rushhour_core::profile::testing::load_text;
use rushhour_core::units::{
    EvaluatorRunId, Identity, Micros, Mode, PairId, RoomName, RunIndex, SessionId, SessionTime,
};

/// Words that mean harm wherever they are taken for more than words.
pub(super) const HOSTILE: &str =
    "</td><script>alert('x')</script>]]>&amp;\u{0}\u{1b}[31m\u{202e}\"onload=\"x\" | `a`\n# b";

/// What becomes of a run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// It completes; each of its steps takes so long.
    Completes(Micros),
    /// It fails before anything was measured, in these words.
    Fails(&'static str),
    /// The journal ends before it does.
    Stays,
}

/// A session being made up.
pub(super) struct Made {
    fold: Fold,
    runs: u64,
    last: SessionTime,
}

impl Made {
    /// A session of a profile with these thresholds and other tables.
    pub(super) fn of(more: &str) -> Self {
        Self::in_mode("chat", more)
    }

    /// A paired session with these thresholds and other tables.
    pub(super) fn paired(more: &str) -> Self {
        Self::in_mode("paired", more)
    }

    fn in_mode(mode: &str, more: &str) -> Self {
        let text = format!(
            "mode = \"{mode}\"\n[livekit]\nurl = \"sandbox\"\nagent = \"front-desk\"\n[[scenario]]\nid = 30\nname = {name}\ncopies = 100000\n[[stage]]\nname = \"first\"\nrate = \"10/s\"\n{more}",
            name = serde_json::to_string("book a <b>table</b>").unwrap(),
        );
        let loaded = load_text(&text).expect("the profile is valid");
        let opening = SessionHeader {
            format: FORMAT_VERSION,
            rushhour: "0.0.0".into(),
            session: SessionId::new("made-up"),
            anchor: "2026-01-01T00:00:00Z".into(),
            profile: loaded.profile,
            profile_hash: "0123456789abcdef".into(),
            settings: loaded.settings,
            livekit_url: String::new(),
            evaluator_url: String::new(),
            planned: None,
            cores: 2,
        };
        let mut made = Self { fold: Fold::default(), runs: 0, last: SessionTime::START };
        made.add(SessionTime::START, EventKind::Opened(Box::new(opening)));
        made
    }

    fn add(&mut self, at: SessionTime, happening: EventKind) {
        self.last = self.last.max(at);
        self.fold.add(&Event { at, kind: happening }).expect("it is a session's");
    }

    /// A run that was meant to start at `intended` and is let in so much later.
    pub(super) fn run(&mut self, intended: SessionTime, late: Micros, fate: Fate) {
        self.run_of((Mode::Chat, None), intended, late, fate);
    }

    /// A pair whose runs are meant to start at `intended`, the spoken one first.
    pub(super) fn pair(&mut self, number: u64, intended: SessionTime, [voice, chat]: [Fate; 2]) {
        let pair = Some(PairId(number));
        self.run_of((Mode::Voice, pair), intended, Micros::ZERO, voice);
        self.run_of((Mode::Chat, pair), intended, Micros::ZERO, chat);
    }

    /// A run of a mode, and of a pair in a paired session.
    pub(super) fn run_of(
        &mut self,
        (mode, pair): (Mode, Option<PairId>),
        intended: SessionTime,
        late: Micros,
        fate: Fate,
    ) {
        let run = RunIndex(self.runs);
        self.runs += 1;
        let start = intended + late;
        let room = RoomName::new(format!("rushhour-made-{run}"));
        let started = EventKind::RunStarted {
            run,
            stage: 0,
            scenario: 0,
            copy: 0,
            mode,
            pair,
            intended,
            free: intended,
            room,
        };
        self.add(start, started);
        match fate {
            Fate::Completes(step) => self.completes(run, start, step),
            Fate::Fails(words) => {
                let outcome = Outcome::failed(FailureClass::SubmitRejected, words);
                let ended = EventKind::Ended {
                    run,
                    outcome,
                    after: start,
                    seen: start,
                    conversation_duration: None,
                };
                self.add(start, ended);
            }
            Fate::Stays => {}
        }
    }

    fn completes(&mut self, run: RunIndex, start: SessionTime, step: Micros) {
        let times: Vec<SessionTime> =
            std::iter::successors(Some(start), |at| Some(*at + step)).take(8).collect();
        let identity = Identity::new("agent");
        let entered = AcceptedRun { run, evaluator_run: EvaluatorRunId::new("9"), ready: times[3] };
        let word = || String::from("word");
        let judged = Outcome::Completed { judged: Some(true) };
        for (at, happening) in [
            (times[1], EventKind::RoomCreated { run, sent: times[0], answered: times[1] }),
            (
                times[2],
                EventKind::Dispatched { run, dispatch: None, sent: times[1], answered: times[2] },
            ),
            (
                times[3],
                EventKind::AgentSeen {
                    run,
                    identity,
                    after: times[3],
                    seen: times[3],
                    joined: None,
                },
            ),
            (times[3], EventKind::SubmitIntent { request: run.0, runs: vec![run] }),
            (
                times[4],
                EventKind::Submitted {
                    request: run.0,
                    admitted: times[3],
                    sent: times[3],
                    answered: times[4],
                    result: None,
                    accepted: vec![entered],
                    mapping: RunMapping::Proven,
                },
            ),
            (
                times[5],
                EventKind::PhaseSeen {
                    run,
                    phase: RunPhase::Running,
                    word: word(),
                    after: times[5],
                    seen: times[5],
                },
            ),
            (
                times[6],
                EventKind::PhaseSeen {
                    run,
                    phase: RunPhase::Judging,
                    word: word(),
                    after: times[5],
                    seen: times[6],
                },
            ),
            (
                times[7],
                EventKind::Ended {
                    run,
                    outcome: judged,
                    after: times[7],
                    seen: times[7],
                    conversation_duration: None,
                },
            ),
        ] {
            self.add(at, happening);
        }
    }

    /// What it comes to, where the session comes to its end.
    pub(super) fn closed(mut self) -> (FoldedSession, SessionVerdict) {
        self.add(self.last, EventKind::Closed);
        self.killed()
    }

    /// What it comes to, where the session is killed here.
    pub(super) fn killed(self) -> (FoldedSession, SessionVerdict) {
        let folded = self.fold.finish().expect("it was opened");
        let overall = SessionVerdict::of(&folded, Criterion::Interval);
        (folded, overall)
    }
}

/// A session of so many runs, ten a second, whose steps take from 100 to 199 ms.
pub(super) fn ordinary(runs: u64, more: &str) -> (FoldedSession, SessionVerdict) {
    let mut made = Made::of(more);
    for run in 0..runs {
        let step = Micros::from_millis(100 + run * 37 % 100);
        made.run(SessionTime(run * 100_000), Micros::ZERO, Fate::Completes(step));
    }
    made.closed()
}
