//! Everything known of one run.

use super::connections::ConnectionsOfRun;
use super::conversations::{EndOfConversation, InterruptionCounts};
use rushhour_core::bill::{BillableTimes, RunUsage};
use rushhour_core::event::{
    EventKind, FramesSent, MediaPath, ModelUsage, Outcome, Reconnect, RunMapping, RunPhase, Turn,
};
use rushhour_core::plan::PlannedRun;
use rushhour_core::profile::{DispatchMethod, EvaluatorSettings, Profile};
use rushhour_core::units::{
    EvaluatorRunId, Micros, Mode, PairId, ResultId, RoomName, RunIndex, SessionTime, WorkerId,
};

/// Two moments of a request, sent and answered; or the two polls between which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// Sent, or the last poll before it.
    pub from: SessionTime,
    /// Answered, or the first poll after it.
    pub to: SessionTime,
}

impl TimeSpan {
    /// From one moment to the other.
    pub const fn length(self) -> Micros {
        self.to.since(self.from)
    }

    /// The moment in its middle.
    pub(super) fn middle(self) -> SessionTime {
        self.from + Micros(self.length().0 / 2)
    }
}

/// When the agent joined the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTimes {
    /// The last room poll without it, and the first with it.
    pub seen: TimeSpan,
    /// The join time that the server reports.
    pub joined: Option<SessionTime>,
}

/// How a run was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionTimes {
    /// The submission.
    pub request: u64,
    /// When the run was ready for it.
    pub ready: SessionTime,
    /// When the limiter admitted it.
    pub admitted: SessionTime,
    /// Its last attempt.
    pub span: TimeSpan,
    /// How often it was sent.
    pub attempts: u32,
    /// The evaluator's result, which groups runs.
    pub result: Option<ResultId>,
    /// The run at the evaluator.
    pub evaluator_run: EvaluatorRunId,
    /// Whether it is certain that this is that run.
    pub mapping: RunMapping,
    /// The worker that held its caller, where that was on another machine.
    pub worker: Option<WorkerId>,
}

/// How and when a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// How.
    pub outcome: Outcome,
    /// Last seen in progress, and first seen ended.
    pub seen: TimeSpan,
    /// The length of the conversation as the evaluator reports it.
    pub conversation_duration: Option<Micros>,
}

/// Everything known of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub run: RunIndex,
    /// Its stage's position in the profile.
    pub stage: u32,
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// How many runs of that scenario came before it.
    pub copy: u32,
    /// Voice or chat.
    pub mode: Mode,
    /// Its pair, in a paired session.
    pub pair: Option<PairId>,
    /// The position of its caller's network conditions in the profile, if it has any.
    pub network: Option<u32>,
    /// Whether its caller called again.
    pub is_redial: bool,
    /// The intended start.
    pub intended: SessionTime,
    /// When a slot was free for it; not before `intended`.
    pub slot_free: SessionTime,
    /// The actual start; none where it did not start.
    pub started: Option<SessionTime>,
    /// Its room.
    pub room: Option<RoomName>,
    /// The CreateRoom request.
    pub room_created: Option<TimeSpan>,
    /// The CreateDispatch request.
    pub dispatched: Option<TimeSpan>,
    /// When the request was sent that calls the agent into the room: CreateRoom, CreateDispatch or the submission,
    /// depending on the dispatch method.
    pub agent_requested: Option<SessionTime>,
    /// When the agent joined.
    pub agent: Option<AgentTimes>,
    /// When the agent's state was listening.
    pub agent_ready: Option<TimeSpan>,
    /// When it was about to be submitted.
    pub submit_intent: Option<SessionTime>,
    /// The submission.
    pub submission: Option<SubmissionTimes>,
    /// When the conversation began.
    pub running: Option<TimeSpan>,
    /// When judging began.
    pub judging: Option<TimeSpan>,
    /// The agent's first audio or text.
    pub greeted: Option<SessionTime>,
    /// The way of the caller's media and data, where it was ours and connected; the last, where it changed.
    pub media_path: Option<MediaPath>,
    /// The turns of the conversation, where the caller was ours.
    pub turns: Vec<Turn>,
    /// How often the caller lost its connection and came back, where it was ours.
    pub reconnects: Vec<Reconnect>,
    /// How LiveKit rated its connections, where the caller was ours.
    pub connections: ConnectionsOfRun,
    /// How the conversation ended, where the caller was ours and had something to say about it.
    pub conversation: Option<EndOfConversation>,
    /// How its caller cut in while the agent spoke, as the end of the conversation told it.
    pub interruptions: InterruptionCounts,
    /// The audio frames that our own caller sent.
    pub frames: Option<FramesSent>,
    /// The usage of models that the agent reported.
    pub model_usage: Option<ModelUsage>,
    /// The end; none while it is in flight.
    pub ending: Option<RunOutcome>,
    /// Periods in which nobody observed it, because the session's process was dead.
    pub unobserved: Vec<TimeSpan>,
}

impl RunRecord {
    /// The run that an event starts or skips, of which nothing more is known.
    pub(super) fn of_start(event: &EventKind) -> Option<Self> {
        PlannedRun::of_event(event).map(Self::planned)
    }

    const fn planned(run: PlannedRun) -> Self {
        Self {
            run: run.index,
            stage: run.stage,
            scenario: run.scenario,
            copy: run.copy,
            mode: run.mode,
            pair: run.pair,
            network: run.network,
            is_redial: run.redial_of.is_some(),
            intended: run.intended,
            slot_free: run.intended,
            started: None,
            room: None,
            room_created: None,
            dispatched: None,
            agent_requested: None,
            agent: None,
            agent_ready: None,
            submit_intent: None,
            submission: None,
            running: None,
            judging: None,
            greeted: None,
            media_path: None,
            turns: Vec::new(),
            reconnects: Vec::new(),
            connections: ConnectionsOfRun::NONE,
            conversation: None,
            interruptions: InterruptionCounts::NONE,
            frames: None,
            model_usage: None,
            ending: None,
            unobserved: Vec::new(),
        }
    }

    /// Adds an event between its start and its end; `method` is the session's dispatch method.
    pub(super) fn observe(&mut self, kind: &EventKind, method: DispatchMethod) {
        match kind {
            EventKind::RoomCreated { sent, answered, .. } => {
                self.room_created = Some(TimeSpan { from: *sent, to: *answered });
                if matches!(method, DispatchMethod::Room | DispatchMethod::None) {
                    self.agent_requested = Some(*sent);
                }
            }
            EventKind::Dispatched { sent, answered, .. } => {
                self.dispatched = Some(TimeSpan { from: *sent, to: *answered });
                self.agent_requested = Some(*sent);
            }
            // A resumed session may see the agent a second time.
            EventKind::AgentSeen { after, seen, joined, .. } => {
                let seen = TimeSpan { from: *after, to: *seen };
                self.agent.get_or_insert(AgentTimes { seen, joined: *joined });
            }
            EventKind::AgentReady { after, seen, .. } => {
                self.agent_ready.get_or_insert(TimeSpan { from: *after, to: *seen });
            }
            EventKind::Greeted { at, .. } => self.greeted = Some(*at),
            EventKind::Turn { turn, .. } => self.turns.push(**turn),
            EventKind::Reconnected { reconnect, .. } => self.reconnects.push(*reconnect),
            EventKind::Conversation { summary, .. } => {
                self.connections = ConnectionsOfRun::of(summary);
                self.conversation = Some(EndOfConversation::of(summary));
                self.interruptions = InterruptionCounts::at_end(summary);
            }
            EventKind::ModelUsage { usage, .. } => self.model_usage = Some(*usage),
            EventKind::AudioSent { frames, .. } => self.frames = Some(*frames),
            EventKind::PhaseSeen { phase, after, seen, .. } => {
                let span = Some(TimeSpan { from: *after, to: *seen });
                match phase {
                    RunPhase::Queued => {}
                    RunPhase::Running => self.running = span,
                    RunPhase::Judging => self.judging = span,
                }
            }
            _ => {}
        }
    }

    /// Its usage of everything that may be charged; of a run in flight, the usage until `until`.
    pub fn usage(&self, profile: &Profile, until: SessionTime) -> RunUsage {
        let own_callers = matches!(profile.evaluator, EvaluatorSettings::Native(_));
        let turns = u32::try_from(self.turns.len()).unwrap_or(u32::MAX);
        let times = BillableTimes {
            mode: self.mode,
            agent: self.agent.map(|agent| agent.seen.from),
            submitted: self.submit_intent,
            running: self.running.map(|running| running.from),
            judging: self.judging.map(|judging| judging.to),
            turns: own_callers.then_some(turns),
            model_usage: self.model_usage.unwrap_or_default(),
        };
        match &self.ending {
            Some(ending) => {
                times.usage(ending.seen.to, ending.outcome.class(), ending.conversation_duration)
            }
            None => times.usage(until, None, None),
        }
    }

    /// Adds a period in which nobody observed it. A run for which nothing had been sent yet starts later by that much,
    /// as all runs do that were still to start.
    pub(super) fn add_unobserved(&mut self, gap: TimeSpan, nothing_sent: bool) {
        self.unobserved.push(gap);
        if nothing_sent && self.room_created.is_none() && self.submit_intent.is_none() {
            self.intended += gap.length();
            self.slot_free += gap.length();
            self.started = self.started.map(|started| started + gap.length());
        }
    }

    /// Whether something that happened within `span` may have happened while nobody observed the run. Only a lower
    /// bound is known of a latency that it ends.
    pub(super) fn may_be_unobserved(&self, span: TimeSpan) -> bool {
        self.unobserved.iter().any(|gap| span.from <= gap.from && gap.to <= span.to)
    }

    /// Whether the run waited for a resumption between its intended start and `moment`. That is not service time.
    pub(super) fn waited_unobserved_until(&self, moment: SessionTime) -> bool {
        self.may_be_unobserved(TimeSpan { from: self.intended, to: moment })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const fn span(from: u64, to: u64) -> TimeSpan {
        TimeSpan { from: SessionTime(from), to: SessionTime(to) }
    }

    pub(crate) fn completed() -> RunRecord {
        RunRecord {
            run: RunIndex(0),
            stage: 0,
            scenario: 0,
            copy: 0,
            mode: Mode::Chat,
            pair: None,
            network: None,
            is_redial: false,
            intended: SessionTime(1_000),
            slot_free: SessionTime(1_500),
            started: Some(SessionTime(1_600)),
            room: None,
            room_created: Some(span(1_700, 1_900)),
            dispatched: Some(span(2_000, 2_300)),
            agent_requested: Some(SessionTime(2_000)),
            agent: Some(AgentTimes { seen: span(2_500, 2_700), joined: Some(SessionTime(2_600)) }),
            agent_ready: None,
            submit_intent: Some(SessionTime(2_800)),
            greeted: None,
            media_path: None,
            turns: Vec::new(),
            reconnects: Vec::new(),
            connections: ConnectionsOfRun::default(),
            conversation: None,
            interruptions: InterruptionCounts::default(),
            frames: None,
            model_usage: None,
            submission: Some(SubmissionTimes {
                request: 0,
                ready: SessionTime(2_700),
                admitted: SessionTime(2_800),
                span: span(2_900, 3_100),
                attempts: 1,
                result: None,
                evaluator_run: EvaluatorRunId::new("1"),
                mapping: RunMapping::Proven,
                worker: None,
            }),
            running: Some(span(4_000, 5_000)),
            judging: Some(span(8_000, 9_000)),
            ending: Some(RunOutcome {
                outcome: Outcome::Completed { judged: None },
                seen: span(10_000, 11_000),
                conversation_duration: None,
            }),
            unobserved: Vec::new(),
        }
    }

    #[test]
    fn a_run_that_had_not_begun_moves_with_the_plan_when_the_session_was_interrupted() {
        let mut waiting = RunRecord { room_created: None, submit_intent: None, ..completed() };
        waiting.add_unobserved(span(2_000, 5_000), true);
        assert_eq!((waiting.intended, waiting.slot_free), (SessionTime(4_000), SessionTime(4_500)));
        let mut begun = completed();
        begun.add_unobserved(span(10_000, 10_900), true);
        assert_eq!(begun.intended, SessionTime(1_000), "something had been sent for it");
    }
}
