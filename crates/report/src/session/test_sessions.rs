//! Sessions for tests: events as a driver would record them.

use super::threshold::Criterion;
use super::verdict::SessionVerdict;
use crate::fold::{Fold, FoldedSession};
use rushhour_core::event::{
    AcceptedRun, AgentHealth, ConversationSummary, Event, EventKind, FORMAT_VERSION, FailureClass,
    Outcome, RunMapping, RunPhase, SessionHeader, SpeechQuality, TranscriptionErrors, Turn,
    TurnEnding, TurnTaking,
};
use rushhour_core::plan::PlannedRun;
use rushhour_core::profile::testing::load_text;
use rushhour_core::units::{
    EvaluatorRunId, Identity, Micros, Mode, PairId, RoomName, RunIndex, SessionId, SessionTime,
};

/// Text that does harm wherever it is not escaped.
pub(crate) const HOSTILE: &str =
    "</td><script>alert('x')</script>]]>&amp;\u{0}\u{1b}[31m\u{202e}\"onload=\"x\" | `a`\n# b";

/// How a run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// It completes. Each of its steps takes this long.
    Completes(Micros),
    /// It fails before anything is measured, with this message.
    Fails(&'static str),
    /// It is open when the journal ends.
    StaysOpen,
}

/// A voice conversation with one answer, in which the agent spoke for ten seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VoiceCall {
    /// When it began; the caller had spoken three seconds later, and it lasted for twenty.
    pub(crate) began: SessionTime,
    /// Gaps in the agent's speech.
    pub(crate) gaps: u32,
    /// Whether the agent took the turn badly, and so heard the caller; `None` where nobody knows.
    pub(crate) badly: Option<bool>,
}

/// A turn that interrupts the agent, and of which everything is known. An agent that takes it badly mishears a word in
/// ten, talks over the caller, is silent for three seconds rather than one, and does not yield.
fn take(turn: &mut Turn, badly: bool) {
    let wrong = u64::from(badly);
    turn.heard = Some(TranscriptionErrors {
        hits: 10 - wrong,
        substitutions: wrong,
        ..TranscriptionErrors::default()
    });
    turn.taking = Some(TurnTaking {
        dead_air: Micros::from_secs(if badly { 3 } else { 1 }),
        caller_speech: Micros::from_secs(2),
        overlap: Micros::from_millis(500 * wrong),
        talked_over: badly,
    });
    turn.yielded = (!badly).then_some(Micros::from_millis(300));
}

/// Builds a session.
pub(crate) struct SessionBuilder {
    fold: Fold,
    events: Vec<Event>,
    runs: u64,
    last: SessionTime,
}

impl SessionBuilder {
    /// A chat session; `more` is added to its profile.
    pub(crate) fn chat(more: &str) -> Self {
        Self::in_mode("chat", more)
    }

    /// A paired session; `more` is added to its profile.
    pub(crate) fn paired(more: &str) -> Self {
        Self::in_mode("paired", more)
    }

    /// A voice session.
    pub(crate) fn voice() -> Self {
        Self::in_mode("voice", "")
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
        let (fold, events) = (Fold::default(), Vec::new());
        let mut builder = Self { fold, events, runs: 0, last: SessionTime::START };
        builder.add(SessionTime::START, EventKind::Opened(Box::new(opening)));
        builder
    }

    fn add(&mut self, at: SessionTime, kind: EventKind) {
        self.last = self.last.max(at);
        let event = Event { at, kind };
        self.fold.add(&event).expect("the events are those of one session");
        self.events.push(event);
    }

    /// A chat run that starts `late` after its intended start.
    pub(crate) fn run(&mut self, intended: SessionTime, late: Micros, fate: Fate) {
        self.run_of(Mode::Chat, None, intended, late, fate);
    }

    /// A pair whose runs are intended to start at the same time, voice first.
    pub(crate) fn pair(&mut self, number: u64, intended: SessionTime, [voice, chat]: [Fate; 2]) {
        let pair = Some(PairId(number));
        self.run_of(Mode::Voice, pair, intended, Micros::ZERO, voice);
        self.run_of(Mode::Chat, pair, intended, Micros::ZERO, chat);
    }

    /// A run of a mode, and in a paired session of a pair.
    pub(crate) fn run_of(
        &mut self,
        mode: Mode,
        pair: Option<PairId>,
        intended: SessionTime,
        late: Micros,
        fate: Fate,
    ) {
        let start = intended + late;
        let (run, started) = self.starts(mode, pair, intended);
        self.add(start, started);
        match fate {
            Fate::Completes(step) => self.completes(run, start, step),
            Fate::Fails(message) => {
                let outcome = Outcome::failed(FailureClass::SubmitRejected, message);
                self.add(start, ends(run, outcome, start));
            }
            Fate::StaysOpen => {}
        }
    }

    /// The next run, and the event that starts it.
    fn starts(
        &mut self,
        mode: Mode,
        pair: Option<PairId>,
        intended: SessionTime,
    ) -> (RunIndex, EventKind) {
        let index = RunIndex(self.runs);
        self.runs += 1;
        let planned = PlannedRun {
            index,
            stage: 0,
            scenario: 0,
            copy: 0,
            mode,
            pair,
            network: None,
            redial_of: None,
            intended,
        };
        let room = RoomName::new(format!("rushhour-made-{index}"));
        (index, planned.started(intended, room))
    }

    /// Voice conversations, some of them at once.
    pub(crate) fn calls(&mut self, calls: &[VoiceCall]) {
        let mut events = Vec::new();
        for call in calls {
            let began = call.began;
            let (run, started) = self.starts(Mode::Voice, None, began);
            let (said, ended) = (began + Micros::from_secs(3), began + Micros::from_secs(20));
            let mut turn = Turn::new(1, said, TurnEnding::Answered);
            turn.sound = Some(SpeechQuality {
                speech: Micros::from_secs(10),
                starved: call.gaps,
                ..SpeechQuality::default()
            });
            if let Some(badly) = call.badly {
                take(&mut turn, badly);
                let summary = ConversationSummary {
                    ignored_interruptions: badly.into(),
                    backchannels: 2,
                    false_interruptions: badly.into(),
                    ..ConversationSummary::default()
                };
                events.push((said, EventKind::Conversation { run, summary }));
            }
            let end = ends(run, Outcome::Completed { judged: None }, ended);
            let turn = EventKind::Turn { run, turn: Box::new(turn) };
            events.extend([(began, started), (said, turn), (ended, end)]);
        }
        events.sort_by_key(|(at, _)| *at);
        for (at, kind) in events {
            self.add(at, kind);
        }
    }

    /// A poll that so many workers of the agent answered.
    pub(crate) fn agent_workers(&mut self, at: SessionTime, count: usize) {
        let health = AgentHealth::of_workers(vec![AgentHealth::default(); count]);
        self.add(at, EventKind::AgentHealth(health));
    }

    fn completes(&mut self, run: RunIndex, start: SessionTime, step: Micros) {
        let times: Vec<SessionTime> =
            std::iter::successors(Some(start), |at| Some(*at + step)).take(8).collect();
        let identity = Identity::new("agent");
        let entered = AcceptedRun {
            run,
            evaluator_run: EvaluatorRunId::new("9"),
            ready: times[3],
            worker: None,
        };
        let word = || String::from("word");
        let judged = Outcome::Completed { judged: Some(true) };
        for (at, kind) in [
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
                    status: word().into(),
                    after: times[5],
                    seen: times[5],
                },
            ),
            (
                times[6],
                EventKind::PhaseSeen {
                    run,
                    phase: RunPhase::Judging,
                    status: word().into(),
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
            self.add(at, kind);
        }
    }

    /// Changes what callers said at the end of their conversations.
    pub(crate) fn tell_of_conversations(
        &mut self,
        change: impl Fn(ConversationSummary) -> ConversationSummary,
    ) {
        for event in &mut self.events {
            if let EventKind::Conversation { summary, .. } = &mut event.kind {
                *summary = change(*summary);
            }
        }
        self.fold = Fold::default();
        for event in &self.events {
            self.fold.add(event).expect("the events are those of a session");
        }
    }

    /// The events so far.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// The session and its analysis, if the session finishes here.
    pub(crate) fn closed(mut self) -> (FoldedSession, SessionVerdict) {
        self.add(self.last, EventKind::Closed);
        self.killed()
    }

    /// The session and its analysis, if the session is killed here.
    pub(crate) fn killed(self) -> (FoldedSession, SessionVerdict) {
        let folded = self.fold.finish().expect("the session was opened");
        let verdict = SessionVerdict::of(&folded, Criterion::Interval);
        (folded, verdict)
    }
}

/// A session of completed runs, ten per second, whose steps take from 100 to 199 ms.
pub(crate) fn ordinary(runs: u64, more: &str) -> (FoldedSession, SessionVerdict) {
    let mut builder = SessionBuilder::chat(more);
    for run in 0..runs {
        let step = Micros::from_millis(100 + run * 37 % 100);
        builder.run(SessionTime(run * 100_000), Micros::ZERO, Fate::Completes(step));
    }
    builder.closed()
}

/// The event that ends a run at once.
const fn ends(run: RunIndex, outcome: Outcome, at: SessionTime) -> EventKind {
    EventKind::Ended { run, outcome, after: at, seen: at, conversation_duration: None }
}

/// Gaps of conversations in which there are few.
pub(crate) const FEW_GAPS: &[u32] = &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// A voice session of so many conversations at once for so many seconds, and the gaps in each of them.
pub(crate) fn spoken(stages: &[(u64, u64, &[u32])]) -> FoldedSession {
    let loads: Vec<(u64, u64)> =
        stages.iter().map(|(load, seconds, _)| (*load, *seconds)).collect();
    let builder = voice_session(&loads, |stage, number, began| {
        let gaps = stages[stage].2;
        VoiceCall { began, gaps: gaps[number % gaps.len()], badly: None }
    });
    builder.closed().0
}

/// A voice session of so many conversations at once for so many seconds, of which the agent takes one in so many badly;
/// none for 0.
pub(crate) fn taken(stages: &[(u64, u64, usize)]) -> SessionBuilder {
    let loads: Vec<(u64, u64)> =
        stages.iter().map(|(load, seconds, _)| (*load, *seconds)).collect();
    voice_session(&loads, |stage, number, began| {
        let one_in = stages[stage].2;
        VoiceCall { began, gaps: 0, badly: Some(one_in > 0 && number.is_multiple_of(one_in)) }
    })
}

/// Voice conversations at these loads, each for so many seconds; `call` is given the stage and the conversation's number.
fn voice_session(
    loads: &[(u64, u64)],
    call: impl Fn(usize, usize, SessionTime) -> VoiceCall,
) -> SessionBuilder {
    let (mut calls, mut begins) = (Vec::new(), 0);
    for (stage, (at_once, seconds)) in loads.iter().enumerate() {
        for round in 0..seconds / 20 {
            for one in 0..*at_once {
                let after = Micros::from_millis(1_000 * (begins + 20 * round) + 300 * one);
                calls.push(call(stage, calls.len(), SessionTime::START + after));
            }
        }
        begins += seconds;
    }
    let mut builder = SessionBuilder::voice();
    builder.calls(&calls);
    builder
}
