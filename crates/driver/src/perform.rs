//! Doing what the session asks for: one short task an action, each answered exactly once.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::action::{Action, Input, RoomSight, Timing};
use super::clock::SessionClock;
use super::names::Names;
use super::settings::Settings;
use rushhour_core::evaluator::{
    AskError, Entry, Evaluator, News, SubmitError, SubmitErrorKind, Told,
};
use rushhour_core::event::Sink;
use rushhour_core::plan::PlannedRun;
use rushhour_core::profile::{Dispatch, Profile};
use rushhour_core::units::{EvaluatorRunId, RunIndex, SessionId};
use rushhour_livekit::{
    ControlPlane, DispatchRequest, LiveKitError, LiveKitErrorKind, RoomAgents, RoomRequest,
    TokenMint, TokenRequest, dispatch_metadata, room_metadata,
};

const PANICKED: &str = "a task of ours panicked; please report it";

/// The outside world of a session.
#[derive(Clone)]
pub struct Outside {
    /// LiveKit's server side.
    pub control: Arc<dyn ControlPlane>,
    /// Who talks to the agent.
    pub evaluator: Arc<dyn Evaluator>,
    /// Signs the evaluator's tokens.
    pub mint: TokenMint,
    /// Keeps the events.
    pub sink: Arc<dyn Sink>,
    /// The LiveKit address that the evaluator is given.
    pub livekit_url: String,
    /// The session.
    pub session: SessionId,
    /// What is wanted.
    pub profile: Arc<Profile>,
    /// Names the rooms.
    pub names: Names,
    /// How it is driven.
    pub settings: Arc<Settings>,
}

/// An answer that is owed: given, or made up where its task ends without one.
struct Owed {
    inbox: UnboundedSender<Input>,
    otherwise: Option<Input>,
}

impl Owed {
    fn answer(mut self, input: Input) {
        self.otherwise = None;
        // The session is gone where nobody listens any more, and the answer with it.
        let _ = self.inbox.send(input);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(input) = self.otherwise.take() {
            let _ = self.inbox.send(input);
        }
    }
}

/// Performs actions, and puts what comes of them into the inbox.
#[derive(Clone)]
pub(super) struct Performer {
    pub(super) outside: Outside,
    pub(super) clock: SessionClock,
    pub(super) inbox: UnboundedSender<Input>,
}

impl Performer {
    /// Performs one action; those that take time go on in a task of their own.
    pub(super) fn perform(&self, action: Action) {
        match action {
            Action::Record(event) => self.outside.sink.take(event),
            Action::Finish => {}
            Action::MakeRoom(planned) => self.make_room(planned),
            Action::Dispatch(planned) => self.dispatch(planned),
            Action::Look(run) => self.look(run),
            Action::AskAssigned(run) => self.ask_assigned(run),
            Action::Submit { request, runs } => self.submit(request, runs),
            Action::Ask { runs } => self.ask(runs),
            Action::EndCall { run, evaluator_run } => self.end_call(run, evaluator_run),
            Action::DeleteRoom(run) => self.delete_room(run),
        }
    }

    /// Tells the session if what happened can no longer be kept.
    pub(super) fn look_at_the_journal(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(error) = this.outside.sink.kept().await {
                let _ = this.inbox.send(Input::JournalFailed { words: error.0 });
            }
        });
    }

    /// What an evaluator tells, with the server's times on the session's clock.
    pub(super) fn take_in(&self, told: Told) -> Input {
        let joined = match told.news {
            News::AgentCame { joined_at_ms: Some(ms), .. } => self.clock.from_wall_ms(ms),
            _ => None,
        };
        Input::Told { told, joined }
    }

    fn owe(&self, otherwise: Input) -> Owed {
        Owed { inbox: self.inbox.clone(), otherwise: Some(otherwise) }
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
        let owed = self.owe(Input::RoomMade { run, timing: self.now(), result: Err(our_fault()) });
        tokio::spawn(async move {
            let agents = match &this.outside.settings.dispatch {
                Dispatch::Explicit { .. } => RoomAgents::Placeholder,
                Dispatch::ExplicitFresh { .. } | Dispatch::Token { .. } | Dispatch::None => {
                    RoomAgents::Absent
                }
                Dispatch::Room { agent } => {
                    RoomAgents::Agent(agent.clone(), this.metadata(planned))
                }
            };
            // Whoever takes the session up after a crash has to know of the room, and of the agent that its
            // configuration may send for.
            let kept = this.kept().await;
            let sent = this.clock.now();
            let request = RoomRequest {
                room: this.outside.names.room(run),
                empty_timeout: this.outside.settings.room_lifetime,
                metadata: room_metadata(&this.outside.session, run),
                agents,
            };
            let result = match kept {
                Ok(()) => this.outside.control.create_room(request).await,
                Err(error) => Err(error),
            };
            let timing = Timing { sent, answered: this.clock.now() };
            owed.answer(Input::RoomMade { run, timing, result });
        });
    }

    fn dispatch(&self, planned: PlannedRun) {
        let this = self.clone();
        let run = planned.index;
        let owed =
            self.owe(Input::Dispatched { run, timing: self.now(), result: Err(our_fault()) });
        tokio::spawn(async move {
            let Some(agent) = this.outside.settings.dispatch.agent().cloned() else { return };
            let request = DispatchRequest {
                room: this.outside.names.room(run),
                agent,
                metadata: this.metadata(planned),
            };
            let kept = this.kept().await;
            let sent = this.clock.now();
            let result = match kept {
                Ok(()) => this.outside.control.dispatch(request).await,
                Err(error) => Err(error),
            };
            let timing = Timing { sent, answered: this.clock.now() };
            owed.answer(Input::Dispatched { run, timing, result });
        });
    }

    fn look(&self, run: RunIndex) {
        let this = self.clone();
        let owed = self.owe(Input::Looked { run, timing: self.now(), result: Err(our_fault()) });
        tokio::spawn(async move {
            let sent = this.clock.now();
            let names = &this.outside.names;
            let result = this.outside.control.look(names.room(run), names.caller(run)).await;
            let result = result.map(|present| RoomSight {
                caller: present.caller,
                agent: present.agent.map(|sight| {
                    let joined = sight.joined_at_ms.and_then(|ms| this.clock.from_wall_ms(ms));
                    (sight, joined)
                }),
            });
            let timing = Timing { sent, answered: this.clock.now() };
            owed.answer(Input::Looked { run, timing, result });
        });
    }

    fn ask_assigned(&self, run: RunIndex) {
        let this = self.clone();
        let owed = self.owe(Input::Assigned { run, result: Err(our_fault()) });
        tokio::spawn(async move {
            let result = match this.outside.settings.dispatch.agent().cloned() {
                Some(agent) => {
                    this.outside.control.assigned(this.outside.names.room(run), agent).await
                }
                // Automatic dispatch has no name to be asked after.
                None => Ok(true),
            };
            owed.answer(Input::Assigned { run, result });
        });
    }

    fn submit(&self, request: u64, runs: Vec<PlannedRun>) {
        let this = self.clone();
        let unknown = SubmitError { kind: SubmitErrorKind::Unknown, words: PANICKED.to_owned() };
        let owed = self.owe(Input::Submitted { request, timing: self.now(), result: Err(unknown) });
        tokio::spawn(async move {
            // What may cost money is on the disk before it is sent.
            if let Err(error) = this.outside.sink.kept().await {
                owed.answer(Input::NotKept { request, words: error.0 });
                return;
            }
            let entries: Result<Vec<Entry>, String> =
                runs.into_iter().map(|run| this.entry(run)).collect();
            let sent = this.clock.now();
            let result = match entries {
                Ok(entries) => this.outside.evaluator.submit(entries).await,
                Err(words) => Err(SubmitError { kind: SubmitErrorKind::Rejected, words }),
            };
            let timing = Timing { sent, answered: this.clock.now() };
            owed.answer(Input::Submitted { request, timing, result });
        });
    }

    fn entry(&self, planned: PlannedRun) -> Result<Entry, String> {
        let Outside { names, settings, profile, .. } = &self.outside;
        let room = names.room(planned.index);
        let agent = match &settings.dispatch {
            Dispatch::Token { agent } => Some((agent.clone(), self.metadata(planned))),
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
        Ok(Entry {
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
        let error = AskError { rate_limited: false, retry_after: None, words: PANICKED.to_owned() };
        let owed = self.owe(Input::Asked {
            runs: indexes.clone(),
            timing: self.now(),
            result: Err(error),
        });
        tokio::spawn(async move {
            let sent = this.clock.now();
            let result = this.outside.evaluator.ask(names).await;
            let timing = Timing { sent, answered: this.clock.now() };
            owed.answer(Input::Asked { runs: indexes, timing, result });
        });
    }

    fn end_call(&self, run: RunIndex, evaluator_run: EvaluatorRunId) {
        let this = self.clone();
        let owed = self.owe(Input::CallEnded { run });
        tokio::spawn(async move {
            // Whether it worked cannot be told from the answer, and the room's deletion ends the call anyway.
            let _ = this.outside.evaluator.end(evaluator_run).await;
            owed.answer(Input::CallEnded { run });
        });
    }

    fn delete_room(&self, run: RunIndex) {
        let this = self.clone();
        let owed = self.owe(Input::RoomDeleted { run, result: Err(our_fault()) });
        tokio::spawn(async move {
            let result = this.outside.control.delete_room(this.outside.names.room(run)).await;
            owed.answer(Input::RoomDeleted { run, result });
        });
    }

    async fn kept(&self) -> Result<(), LiveKitError> {
        self.outside.sink.kept().await.map_err(|error| {
            // What cannot be kept now ends the session, also where the disk recovers before it is looked at again.
            let _ = self.inbox.send(Input::JournalFailed { words: error.0.clone() });
            let words = format!("the journal could not keep it: {error}");
            LiveKitError::new(LiveKitErrorKind::OurFault, words)
        })
    }

    fn now(&self) -> Timing {
        let now = self.clock.now();
        Timing { sent: now, answered: now }
    }
}

fn our_fault() -> LiveKitError {
    LiveKitError::new(LiveKitErrorKind::OurFault, PANICKED)
}
