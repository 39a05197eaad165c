//! LiveKit and Cekura as a resumed session sees them: only rooms that carry its mark are deleted, and only calls in such
//! rooms ended, whatever its journal says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rushhour_core::BoxFuture;
use rushhour_core::evaluator::{
    AcceptedSubmission, CallerUpdate, ConversationRequest, Evaluator, EvaluatorCapabilities,
    PollError, PollErrorKind, RunStatus, SubmitError,
};
use rushhour_core::event::{CallersHealth, Event, EventKind};
use rushhour_core::units::{
    AgentName, DispatchId, EvaluatorRunId, Identity, RoomName, RunIndex, SessionId,
};
use rushhour_livekit::{
    ControlPlane, CreateDispatchRequest, CreateRoomRequest, DispatchedJob, LiveKitClient,
    LiveKitError, LiveKitErrorKind, RoomInfo, RoomParticipants, parse_room_owner,
};

/// A client that deletes no room but those of one session.
pub(crate) struct MarkedRooms {
    livekit: Arc<LiveKitClient>,
    session: SessionId,
}

impl MarkedRooms {
    pub(crate) const fn new(livekit: Arc<LiveKitClient>, session: SessionId) -> Self {
        Self { livekit, session }
    }

    async fn delete_if_marked(&self, room: RoomName) -> Result<(), LiveKitError> {
        let listed = self.livekit.list_rooms(vec![room.as_str().to_owned()]).await?;
        let Some(found) = listed.rooms.into_iter().find(|found| found.room == room) else {
            return Ok(());
        };
        if parse_room_owner(&found.metadata).is_some_and(|owner| owner.session == self.session) {
            return self.livekit.delete_room(room).await;
        }
        Err(LiveKitError::new(
            LiveKitErrorKind::Forbidden,
            "the room does not carry the mark of this session, so it is left alone",
        ))
    }
}

impl ControlPlane for MarkedRooms {
    fn create_room(&self, request: CreateRoomRequest) -> BoxFuture<'_, Result<(), LiveKitError>> {
        self.livekit.create_room(request)
    }

    fn create_dispatch(
        &self,
        request: CreateDispatchRequest,
    ) -> BoxFuture<'_, Result<DispatchId, LiveKitError>> {
        self.livekit.create_dispatch(request)
    }

    fn list_participants(
        &self,
        room: RoomName,
        caller: Identity,
    ) -> BoxFuture<'_, Result<RoomParticipants, LiveKitError>> {
        self.livekit.list_participants(room, caller)
    }

    fn dispatched_job(
        &self,
        room: RoomName,
        agent: AgentName,
    ) -> BoxFuture<'_, Result<Option<DispatchedJob>, LiveKitError>> {
        self.livekit.dispatched_job(room, agent)
    }

    fn delete_room(&self, room: RoomName) -> BoxFuture<'_, Result<(), LiveKitError>> {
        Box::pin(self.delete_if_marked(room))
    }
}

/// The calls that a journal names, by run.
#[derive(Debug, Default)]
pub(crate) struct ClaimedCalls(HashMap<RunIndex, EvaluatorRunId>);

impl ClaimedCalls {
    /// Takes in the next event of the journal.
    pub(crate) fn add(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Submitted { accepted, .. } => {
                let calls = accepted.iter().map(|one| (one.run, one.evaluator_run.clone()));
                self.0.extend(calls);
            }
            EventKind::Ended { run, .. } => {
                self.0.remove(run);
            }
            _ => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are in no room with the mark of the session and their run. A call has no mark of its own.
    pub(crate) fn unproven(
        self,
        session: &SessionId,
        rooms: &[RoomInfo],
    ) -> HashSet<EvaluatorRunId> {
        let owners = rooms.iter().filter_map(|room| parse_room_owner(&room.metadata));
        let marked: HashSet<RunIndex> =
            owners.filter(|owner| owner.session == *session).map(|owner| owner.run).collect();
        let unproven = self.0.into_iter().filter(|(run, _)| !marked.contains(run));
        unproven.map(|(_, call)| call).collect()
    }
}

/// An evaluator that ends no call that only a journal claims. It follows them all the same.
pub(crate) struct MarkedCalls {
    evaluator: Arc<dyn Evaluator>,
    unproven: HashSet<EvaluatorRunId>,
}

impl MarkedCalls {
    pub(crate) const fn new(
        evaluator: Arc<dyn Evaluator>,
        unproven: HashSet<EvaluatorRunId>,
    ) -> Self {
        Self { evaluator, unproven }
    }
}

impl Evaluator for MarkedCalls {
    fn capabilities(&self) -> EvaluatorCapabilities {
        self.evaluator.capabilities()
    }

    fn submit(
        &self,
        entries: Vec<ConversationRequest>,
    ) -> BoxFuture<'_, Result<AcceptedSubmission, SubmitError>> {
        self.evaluator.submit(entries)
    }

    fn poll(&self, runs: Vec<EvaluatorRunId>) -> BoxFuture<'_, Result<Vec<RunStatus>, PollError>> {
        self.evaluator.poll(runs)
    }

    fn end_call(&self, run: EvaluatorRunId) -> BoxFuture<'_, Result<(), PollError>> {
        if self.unproven.contains(&run) {
            let message =
                "only the journal says that the call is of this session: it is left alone";
            return Box::pin(
                async move { Err(PollError::new(PollErrorKind::BadResponse, message)) },
            );
        }
        self.evaluator.end_call(run)
    }

    fn agent_is_hidden(&self, run: EvaluatorRunId) -> BoxFuture<'_, ()> {
        self.evaluator.agent_is_hidden(run)
    }

    fn next_update(&self) -> BoxFuture<'_, CallerUpdate> {
        self.evaluator.next_update()
    }

    fn health(&self) -> Option<CallersHealth> {
        self.evaluator.health()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::units::Micros;
    use rushhour_livekit::room_metadata;

    #[test]
    fn a_call_is_proven_by_a_room_with_the_mark_of_its_session_and_its_run() {
        let session = SessionId::new("a");
        let call = |run: u64| (RunIndex(run), EvaluatorRunId::new(run.to_string()));
        let claimed = ClaimedCalls((1..=4).map(call).collect());
        let room = |owner: &str, run| RoomInfo {
            room: RoomName::new("r"),
            metadata: room_metadata(&SessionId::new(owner), RunIndex(run)),
            created_at_ms: None,
            empty_timeout: Micros::ZERO,
            participants: 0,
        };
        let rooms = [room("a", 1), room("b", 2), room("a", 7)];
        let unproven = claimed.unproven(&session, &rooms);
        assert_eq!(unproven, [2, 3, 4].map(|run| call(run).1).into());
    }
}
