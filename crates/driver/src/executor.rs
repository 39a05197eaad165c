//! Doing what the session asks for: one short task an action, each answered exactly once.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::clock::SessionClock;
use super::effects::{RequestTiming, RoomPoll, SessionEffect, SessionInput};
use super::room_names::RoomNames;
use super::settings::DriverSettings;
use rushhour_core::evaluator::{
    CallerUpdate, ConversationRequest, Evaluator, PollError, SubmitError, SubmitErrorKind,
    UpdateKind,
};
use rushhour_core::event::EventSink;
use rushhour_core::plan::PlannedRun;
use rushhour_core::profile::{AgentDispatch, Profile};
use rushhour_core::units::{EvaluatorRunId, RunIndex, SessionId};
use rushhour_livekit::{
    ControlPlane, CreateDispatchRequest, CreateRoomRequest, LiveKitError, LiveKitErrorKind,
    RoomAgents, TokenRequest, TokenSigner, dispatch_metadata, room_metadata,
};

const PANICKED: &str = "a task of ours panicked; please report it";

/// The outside world of a session.
#[derive(Clone)]
pub struct Services {
    /// LiveKit's server side.
    pub control: Arc<dyn ControlPlane>,
    /// Who talks to the agent.
    pub evaluator: Arc<dyn Evaluator>,
    /// Signs the evaluator's tokens.
    pub mint: TokenSigner,
    /// Keeps the events.
    pub sink: Arc<dyn EventSink>,
    /// The LiveKit address that the evaluator is given.
    pub livekit_url: String,
    /// The session.
    pub session: SessionId,
    /// What is wanted.
    pub profile: Arc<Profile>,
    /// Names the rooms.
    pub names: RoomNames,
    /// How it is driven.
    pub settings: Arc<DriverSettings>,
}

/// An answer that is owed: given, or made up where its task ends without one.
struct ReplyGuard {
    inbox: UnboundedSender<SessionInput>,
    otherwise: Option<SessionInput>,
}

impl ReplyGuard {
    fn answer(mut self, input: SessionInput) {
        self.otherwise = None;
        // The session is gone where nobody listens any more, and the answer with it.
        let _ = self.inbox.send(input);
    }
}

impl Drop for ReplyGuard {
    fn drop(&mut self) {
        if let Some(input) = self.otherwise.take() {
            let _ = self.inbox.send(input);
        }
    }
}

/// Performs actions, and puts what comes of them into the inbox.
#[derive(Clone)]
pub(super) struct Executor {
    pub(super) outside: Services,
    pub(super) clock: SessionClock,
    pub(super) inbox: UnboundedSender<SessionInput>,
}

impl Executor {
    /// Performs one action; those that take time go on in a task of their own.
    pub(super) fn perform(&self, action: SessionEffect) {
        match action {
            SessionEffect::Record(event) => self.outside.sink.record(event),
            SessionEffect::Finish => {}
            SessionEffect::CreateRoom(planned) => self.make_room(planned),
            SessionEffect::Dispatch(planned) => self.dispatch(planned),
            SessionEffect::PollRoom(run) => self.look(run),
            SessionEffect::CheckDispatch(run) => self.ask_assigned(run),
            SessionEffect::Submit { request, runs } => self.submit(request, runs),
            SessionEffect::PollStatus { runs } => self.ask(runs),
            SessionEffect::EndCall { run, evaluator_run } => self.end_call(run, evaluator_run),
            SessionEffect::DeleteRoom(run) => self.delete_room(run),
        }
    }

    /// Tells the session if what happened can no longer be kept.
    pub(super) fn look_at_the_journal(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(error) = this.outside.sink.flush().await {
                let _ = this.inbox.send(SessionInput::JournalFailed { message: error.0 });
            }
        });
    }

    /// What an evaluator tells, with the server's times on the session's clock.
    pub(super) fn take_in(&self, told: CallerUpdate) -> SessionInput {
        let joined = match told.kind {
            UpdateKind::AgentJoined { joined_at_ms: Some(ms), .. } => self.clock.from_wall_ms(ms),
            _ => None,
        };
        SessionInput::CallerUpdated { update: told, joined }
    }

    fn owe(&self, otherwise: SessionInput) -> ReplyGuard {
        ReplyGuard { inbox: self.inbox.clone(), otherwise: Some(otherwise) }
    }

    fn metadata(&self, planned: PlannedRun) -> String {
        let profile = &self.outside.profile;
        let scenarios = profile.mix.scenarios();
        let scenario = scenarios[planned.scenario as usize];
        dispatch_metadata(&profile.livekit, &scenario.id, planned.mode)
    }

    fn make_room(&self, planned: PlannedRun) {
        let this = self.clone();
        let run = planned.index;
        let owed = self.owe(SessionInput::RoomCreated {
            run,
            timing: self.now(),
            result: Err(our_fault()),
        });
        tokio::spawn(async move {
            let agents = match &this.outside.settings.dispatch {
                AgentDispatch::Explicit { .. } => RoomAgents::Placeholder,
                AgentDispatch::ExplicitFresh { .. }
                | AgentDispatch::Token { .. }
                | AgentDispatch::None => RoomAgents::Absent,
                AgentDispatch::Room { agent } => {
                    RoomAgents::Agent(agent.clone(), this.metadata(planned))
                }
            };
            // Whoever takes the session up after a crash has to know of the room, and of the agent that its
            // configuration may send for.
            let kept = this.kept().await;
            let sent = this.clock.now();
            let request = CreateRoomRequest {
                room: this.outside.names.room(run),
                empty_timeout: this.outside.settings.room_lifetime,
                metadata: room_metadata(&this.outside.session, run),
                agents,
            };
            let result = match kept {
                Ok(()) => this.outside.control.create_room(request).await,
                Err(error) => Err(error),
            };
            let timing = RequestTiming { sent, answered: this.clock.now() };
            owed.answer(SessionInput::RoomCreated { run, timing, result });
        });
    }

    fn dispatch(&self, planned: PlannedRun) {
        let this = self.clone();
        let run = planned.index;
        let owed = self.owe(SessionInput::Dispatched {
            run,
            timing: self.now(),
            result: Err(our_fault()),
        });
        tokio::spawn(async move {
            let Some(agent) = this.outside.settings.dispatch.agent().cloned() else { return };
            let request = CreateDispatchRequest {
                room: this.outside.names.room(run),
                agent,
                metadata: this.metadata(planned),
            };
            let kept = this.kept().await;
            let sent = this.clock.now();
            let result = match kept {
                Ok(()) => this.outside.control.create_dispatch(request).await,
                Err(error) => Err(error),
            };
            let timing = RequestTiming { sent, answered: this.clock.now() };
            owed.answer(SessionInput::Dispatched { run, timing, result });
        });
    }

    fn look(&self, run: RunIndex) {
        let this = self.clone();
        let owed = self.owe(SessionInput::RoomPolled {
            run,
            timing: self.now(),
            result: Err(our_fault()),
        });
        tokio::spawn(async move {
            let sent = this.clock.now();
            let names = &this.outside.names;
            let result =
                this.outside.control.list_participants(names.room(run), names.caller(run)).await;
            let result = result.map(|present| RoomPoll {
                caller: present.caller,
                agent: present.agent.map(|sight| {
                    let joined = sight.joined_at_ms.and_then(|ms| this.clock.from_wall_ms(ms));
                    (sight, joined)
                }),
            });
            let timing = RequestTiming { sent, answered: this.clock.now() };
            owed.answer(SessionInput::RoomPolled { run, timing, result });
        });
    }

    fn ask_assigned(&self, run: RunIndex) {
        let this = self.clone();
        let owed = self.owe(SessionInput::DispatchChecked { run, result: Err(our_fault()) });
        tokio::spawn(async move {
            let result = match this.outside.settings.dispatch.agent().cloned() {
                Some(agent) => {
                    this.outside
                        .control
                        .is_dispatch_assigned(this.outside.names.room(run), agent)
                        .await
                }
                // Automatic dispatch has no name to be asked after.
                None => Ok(true),
            };
            owed.answer(SessionInput::DispatchChecked { run, result });
        });
    }

    fn submit(&self, request: u64, runs: Vec<PlannedRun>) {
        let this = self.clone();
        let unknown = SubmitError { kind: SubmitErrorKind::Unknown, message: PANICKED.to_owned() };
        let owed =
            self.owe(SessionInput::Submitted { request, timing: self.now(), result: Err(unknown) });
        tokio::spawn(async move {
            // What may cost money is on the disk before it is sent.
            if let Err(error) = this.outside.sink.flush().await {
                owed.answer(SessionInput::NotDurable { request, message: error.0 });
                return;
            }
            let entries: Result<Vec<ConversationRequest>, String> =
                runs.into_iter().map(|run| this.entry(run)).collect();
            let sent = this.clock.now();
            let result = match entries {
                Ok(entries) => this.outside.evaluator.submit(entries).await,
                Err(words) => Err(SubmitError { kind: SubmitErrorKind::Rejected, message: words }),
            };
            let timing = RequestTiming { sent, answered: this.clock.now() };
            owed.answer(SessionInput::Submitted { request, timing, result });
        });
    }

    fn entry(&self, planned: PlannedRun) -> Result<ConversationRequest, String> {
        let Services { names, settings, profile, .. } = &self.outside;
        let room = names.room(planned.index);
        let agent = match &settings.dispatch {
            AgentDispatch::Token { agent } => Some((agent.clone(), self.metadata(planned))),
            _ => None,
        };
        let request = TokenRequest {
            identity: names.caller(planned.index),
            room: room.clone(),
            lifetime: settings.token_lifetime,
            agent,
        };
        let token = self.outside.mint.mint(request).map_err(|error| error.to_string())?;
        let scenarios = profile.mix.scenarios();
        Ok(ConversationRequest {
            run: planned.index,
            scenario: scenarios[planned.scenario as usize].id.clone(),
            mode: planned.mode,
            livekit_url: self.outside.livekit_url.clone(),
            room,
            token,
        })
    }

    fn ask(&self, runs: Vec<(RunIndex, EvaluatorRunId)>) {
        let this = self.clone();
        let (indexes, names): (Vec<RunIndex>, Vec<EvaluatorRunId>) = runs.into_iter().unzip();
        let error =
            PollError { rate_limited: false, retry_after: None, message: PANICKED.to_owned() };
        let owed = self.owe(SessionInput::StatusPolled {
            runs: indexes.clone(),
            timing: self.now(),
            result: Err(error),
        });
        tokio::spawn(async move {
            let sent = this.clock.now();
            let result = this.outside.evaluator.poll(names).await;
            let timing = RequestTiming { sent, answered: this.clock.now() };
            owed.answer(SessionInput::StatusPolled { runs: indexes, timing, result });
        });
    }

    fn end_call(&self, run: RunIndex, evaluator_run: EvaluatorRunId) {
        let this = self.clone();
        let owed = self.owe(SessionInput::CallEnded { run });
        tokio::spawn(async move {
            // Whether it worked cannot be told from the answer, and the room's deletion ends the call anyway.
            let _ = this.outside.evaluator.end_call(evaluator_run).await;
            owed.answer(SessionInput::CallEnded { run });
        });
    }

    fn delete_room(&self, run: RunIndex) {
        let this = self.clone();
        let owed = self.owe(SessionInput::RoomDeleted { run, result: Err(our_fault()) });
        tokio::spawn(async move {
            let result = this.outside.control.delete_room(this.outside.names.room(run)).await;
            owed.answer(SessionInput::RoomDeleted { run, result });
        });
    }

    async fn kept(&self) -> Result<(), LiveKitError> {
        self.outside.sink.flush().await.map_err(|error| {
            // What cannot be kept now ends the session, also where the disk recovers before it is looked at again.
            let _ = self.inbox.send(SessionInput::JournalFailed { message: error.0.clone() });
            let words = format!("the journal could not keep it: {error}");
            LiveKitError::new(LiveKitErrorKind::OurFault, words)
        })
    }

    fn now(&self) -> RequestTiming {
        let now = self.clock.now();
        RequestTiming { sent: now, answered: now }
    }
}

fn our_fault() -> LiveKitError {
    LiveKitError::new(LiveKitErrorKind::OurFault, PANICKED)
}
