//! Executes a session's effects: one short task for each request, each answered exactly once.

use tokio::sync::mpsc::UnboundedSender;

use super::clock::SessionClock;
use super::services::Services;
use super::session_effect::SessionEffect;
use super::session_input::{DispatchCheck, PolledAgent, RequestTiming, RoomPoll, SessionInput};
use rushhour_core::evaluator::{
    CallerUpdate, ConversationRequest, PollError, PollErrorKind, SubmitError, SubmitErrorKind,
    UpdateKind,
};
use rushhour_core::plan::PlannedRun;
use rushhour_core::profile::{AgentDispatch, RunVariables};
use rushhour_core::units::{EvaluatorRunId, RunIndex};
use rushhour_livekit::{
    CreateDispatchRequest, CreateRoomRequest, LiveKitError, LiveKitErrorKind, RoomAgents,
    TokenDispatch, TokenError, TokenRequest, caller_claims, dispatch_metadata, room_metadata_with,
};

const PANICKED: &str = "a task panicked, which is a bug of Rushhour: please report it";

/// Sends exactly one reply: the task's, or the fallback where the task panics.
struct ReplyGuard {
    inbox: UnboundedSender<SessionInput>,
    fallback: Option<SessionInput>,
}

impl ReplyGuard {
    fn reply(mut self, input: SessionInput) {
        self.fallback = None;
        // Nobody listens once the session has ended.
        let _ = self.inbox.send(input);
    }
}

impl Drop for ReplyGuard {
    fn drop(&mut self) {
        if let Some(input) = self.fallback.take() {
            let _ = self.inbox.send(input);
        }
    }
}

/// Executes effects, and sends their results to the inbox.
#[derive(Clone)]
pub(super) struct Executor {
    pub(super) services: Services,
    pub(super) clock: SessionClock,
    pub(super) inbox: UnboundedSender<SessionInput>,
}

impl Executor {
    /// Executes one effect; requests run in tasks of their own.
    pub(super) fn execute(&self, effect: SessionEffect) {
        match effect {
            SessionEffect::Record(event) => self.services.sink.record(event),
            SessionEffect::Finish => {}
            SessionEffect::CreateRoom(planned) => self.create_room(planned),
            SessionEffect::Dispatch(planned) => self.dispatch(planned),
            SessionEffect::PollRoom(run) => self.poll_room(run),
            SessionEffect::CheckDispatch(run) => self.check_dispatch(run),
            SessionEffect::TellHiddenAgent(evaluator_run) => {
                let this = self.clone();
                tokio::spawn(async move {
                    this.services.evaluator.agent_is_hidden(evaluator_run).await;
                });
            }
            SessionEffect::HearCaller { run, evaluator_run } => {
                self.hear_caller(run, &evaluator_run);
            }
            SessionEffect::Submit { request, runs } => self.submit(request, runs),
            SessionEffect::PollStatus { runs } => self.poll_status(runs),
            SessionEffect::EndCall { run, evaluator_run } => self.end_call(run, evaluator_run),
            SessionEffect::DeleteRoom(run) => self.delete_room(run),
        }
    }

    /// Tells the session if the journal can no longer be written, and else the evaluator that the events of its first so
    /// many updates are in it.
    pub(super) fn check_journal(&self, updates: u64) {
        let this = self.clone();
        tokio::spawn(async move {
            match this.services.sink.flush().await {
                Ok(()) => this.services.evaluator.updates_are_durable(updates),
                Err(error) => {
                    let _ = this.inbox.send(SessionInput::JournalFailed { error });
                }
            }
        });
    }

    /// A pushed update as an input, with the server's time on the session's clock.
    pub(super) fn update_input(&self, update: CallerUpdate) -> SessionInput {
        let joined = match update.kind {
            UpdateKind::AgentJoined { joined_at_ms: Some(ms), .. } => self.clock.from_wall_ms(ms),
            _ => None,
        };
        SessionInput::CallerUpdated { update, joined }
    }

    fn reply_guard(&self, fallback: SessionInput) -> ReplyGuard {
        ReplyGuard { inbox: self.inbox.clone(), fallback: Some(fallback) }
    }

    /// What the placeholders of the profile stand for in a run.
    fn variables(&self, planned: PlannedRun) -> RunVariables<'_> {
        let profile = &self.services.profile;
        let scenario = profile.mix.scenarios()[planned.scenario as usize];
        RunVariables {
            run: planned.index.first_call(),
            scenario: &scenario.id,
            seed: profile.seed,
            mode: planned.mode,
        }
    }

    fn metadata(&self, planned: PlannedRun) -> String {
        dispatch_metadata(&self.services.profile.livekit, &self.variables(planned))
    }

    fn room_metadata(&self, planned: PlannedRun) -> String {
        let own = &self.services.profile.livekit.room_metadata;
        room_metadata_with(own, &self.services.session_id, &self.variables(planned))
    }

    fn create_room(&self, planned: PlannedRun) {
        let this = self.clone();
        let run = planned.index;
        let guard = self.reply_guard(SessionInput::RoomCreated {
            run,
            timing: self.timing_now(),
            result: Err(panicked()),
        });
        tokio::spawn(async move {
            let agents = match &this.services.settings.dispatch {
                AgentDispatch::Explicit { .. } => RoomAgents::Placeholder,
                AgentDispatch::ExplicitFresh { .. }
                | AgentDispatch::Token { .. }
                | AgentDispatch::None => RoomAgents::Absent,
                AgentDispatch::Room { agent } => {
                    RoomAgents::Agent(agent.clone(), this.metadata(planned))
                }
            };
            // A resumed session must know of the room, and of the agent that its configuration may dispatch.
            let durable = this.flush_journal().await;
            let sent = this.clock.now();
            let request = CreateRoomRequest {
                room: this.services.naming.room_name(run),
                empty_timeout: this.services.settings.room_lifetime,
                metadata: this.room_metadata(planned),
                agents,
            };
            let result = match durable {
                Ok(()) => this.services.control.create_room(request).await,
                Err(error) => Err(error),
            };
            let timing = RequestTiming { sent, answered: this.clock.now() };
            guard.reply(SessionInput::RoomCreated { run, timing, result });
        });
    }

    fn dispatch(&self, planned: PlannedRun) {
        let this = self.clone();
        let run = planned.index;
        let guard = self.reply_guard(SessionInput::Dispatched {
            run,
            timing: self.timing_now(),
            result: Err(panicked()),
        });
        tokio::spawn(async move {
            let Some(agent) = this.services.settings.dispatch.agent().cloned() else { return };
            let request = CreateDispatchRequest {
                room: this.services.naming.room_name(run),
                agent,
                metadata: this.metadata(planned),
            };
            let durable = this.flush_journal().await;
            let sent = this.clock.now();
            let result = match durable {
                Ok(()) => this.services.control.create_dispatch(request).await,
                Err(error) => Err(error),
            };
            let timing = RequestTiming { sent, answered: this.clock.now() };
            guard.reply(SessionInput::Dispatched { run, timing, result });
        });
    }

    fn poll_room(&self, run: RunIndex) {
        let this = self.clone();
        let guard = self.reply_guard(SessionInput::RoomPolled {
            run,
            timing: self.timing_now(),
            result: Err(panicked()),
        });
        tokio::spawn(async move {
            let sent = this.clock.now();
            let naming = &this.services.naming;
            let (room, caller) = (naming.room_name(run), naming.caller_identity(run));
            let result = this.services.control.list_participants(room, caller).await;
            let result = result.map(|present| RoomPoll {
                caller_present: present.caller_present,
                agent: present.agent.map(|participant| PolledAgent {
                    joined: participant.joined_at_ms.and_then(|ms| this.clock.from_wall_ms(ms)),
                    participant,
                }),
            });
            let timing = RequestTiming { sent, answered: this.clock.now() };
            guard.reply(SessionInput::RoomPolled { run, timing, result });
        });
    }

    fn check_dispatch(&self, run: RunIndex) {
        let this = self.clone();
        let fallback = SessionInput::DispatchChecked { run, result: Err(panicked()) };
        let guard = self.reply_guard(fallback);
        tokio::spawn(async move {
            let result = this.dispatch_check(run).await;
            guard.reply(SessionInput::DispatchChecked { run, result });
        });
    }

    async fn dispatch_check(&self, run: RunIndex) -> Result<DispatchCheck, LiveKitError> {
        let Services { naming, settings, control, .. } = &self.services;
        let (room, caller) = (naming.room_name(run), naming.caller_identity(run));
        // Automatic dispatch has no agent name to ask for.
        let agent = settings.dispatch.agent().cloned();
        let is_named = agent.is_some();
        let job = match agent {
            Some(agent) => control.dispatched_job(room.clone(), agent).await?,
            None => None,
        };
        if is_named && job.is_none() {
            return Ok(DispatchCheck::default());
        }
        // It says more about an agent that was not seen. Where it fails, the job is known all the same.
        let present = control.list_participants(room, caller).await.ok();
        let agent = present.as_ref().and_then(|present| present.agent.as_ref());
        let joined_at_ms = agent.and_then(|agent| agent.joined_at_ms);
        let joined = joined_at_ms.and_then(|ms| self.clock.from_wall_ms(ms));
        Ok(DispatchCheck { job, present, joined })
    }

    /// Answered at once, so that the updates from before are taken in before the answer is.
    fn hear_caller(&self, run: RunIndex, evaluator_run: &EvaluatorRunId) {
        let now = self.clock.now();
        let until = self.services.evaluator.heard_until(evaluator_run).unwrap_or(now);
        // Nobody listens once the session has ended.
        let _ = self.inbox.send(SessionInput::CallerHeard { run, until });
    }

    fn submit(&self, request: u64, runs: Vec<PlannedRun>) {
        let this = self.clone();
        let guard = self.reply_guard(SessionInput::Submitted {
            request,
            timing: self.timing_now(),
            result: Err(SubmitError::new(SubmitErrorKind::Unknown, PANICKED)),
        });
        tokio::spawn(async move {
            // What may cost money is on disk before it is sent.
            if let Err(error) = this.services.sink.flush().await {
                guard.reply(SessionInput::NotDurable { request, error });
                return;
            }
            let entries: Result<Vec<ConversationRequest>, TokenError> =
                runs.into_iter().map(|run| this.conversation_request(run)).collect();
            let sent = this.clock.now();
            let result = match entries {
                Ok(entries) => this.services.evaluator.submit(entries).await,
                Err(error) => Err(SubmitError::new(SubmitErrorKind::Rejected, error.to_string())
                    .with_source(error)),
            };
            let timing = RequestTiming { sent, answered: this.clock.now() };
            guard.reply(SessionInput::Submitted { request, timing, result });
        });
    }

    fn conversation_request(&self, planned: PlannedRun) -> Result<ConversationRequest, TokenError> {
        let Services { naming, settings, profile, .. } = &self.services;
        let room = naming.room_name(planned.index);
        let variables = self.variables(planned);
        let agent = match &settings.dispatch {
            AgentDispatch::Token { agent } => Some(TokenDispatch {
                agent: agent.clone(),
                metadata: self.metadata(planned),
                room_metadata: self.room_metadata(planned),
            }),
            _ => None,
        };
        let token = self.services.tokens.sign(TokenRequest {
            identity: naming.caller_identity(planned.index),
            room: room.clone(),
            lifetime: settings.token_lifetime,
            agent,
            participant: caller_claims(&profile.caller, &variables),
        })?;
        Ok(ConversationRequest {
            run: planned.index,
            scenario: variables.scenario.clone(),
            mode: planned.mode,
            network: planned.network,
            livekit_url: self.services.livekit_url.clone(),
            room,
            token,
        })
    }

    fn poll_status(&self, runs: Vec<(RunIndex, EvaluatorRunId)>) {
        let this = self.clone();
        let (indexes, ids): (Vec<RunIndex>, Vec<EvaluatorRunId>) = runs.into_iter().unzip();
        let guard = self.reply_guard(SessionInput::StatusPolled {
            runs: indexes.clone(),
            timing: self.timing_now(),
            result: Err(PollError::new(PollErrorKind::NoResponse, PANICKED)),
        });
        tokio::spawn(async move {
            let sent = this.clock.now();
            let result = this.services.evaluator.poll(ids).await;
            let timing = RequestTiming { sent, answered: this.clock.now() };
            guard.reply(SessionInput::StatusPolled { runs: indexes, timing, result });
        });
    }

    fn end_call(&self, run: RunIndex, evaluator_run: EvaluatorRunId) {
        let this = self.clone();
        let guard = self.reply_guard(SessionInput::CallEnded { run });
        tokio::spawn(async move {
            // The response does not say whether the call ended, and the deletion of its room ends it anyway.
            let _ = this.services.evaluator.end_call(evaluator_run).await;
            guard.reply(SessionInput::CallEnded { run });
        });
    }

    fn delete_room(&self, run: RunIndex) {
        let this = self.clone();
        let guard = self.reply_guard(SessionInput::RoomDeleted { run, result: Err(panicked()) });
        tokio::spawn(async move {
            let room = this.services.naming.room_name(run);
            let result = this.services.control.delete_room(room).await;
            guard.reply(SessionInput::RoomDeleted { run, result });
        });
    }

    async fn flush_journal(&self) -> Result<(), LiveKitError> {
        self.services.sink.flush().await.map_err(|error| {
            // The session ends even if the disk recovers before its next check.
            let _ = self.inbox.send(SessionInput::JournalFailed { error: error.clone() });
            let message = format!("not sent, because the run's events are not durable: {error}");
            LiveKitError::new(LiveKitErrorKind::Internal, message).with_source(error)
        })
    }

    fn timing_now(&self) -> RequestTiming {
        let now = self.clock.now();
        RequestTiming { sent: now, answered: now }
    }
}

fn panicked() -> LiveKitError {
    LiveKitError::new(LiveKitErrorKind::Internal, PANICKED)
}
