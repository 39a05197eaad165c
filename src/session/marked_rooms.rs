//! LiveKit as a resumed session sees it: only rooms that carry its mark are deleted, whatever its journal says.

use std::sync::Arc;

use rushhour_core::BoxFuture;
use rushhour_core::units::{AgentName, DispatchId, Identity, RoomName, SessionId};
use rushhour_livekit::{
    ControlPlane, CreateDispatchRequest, CreateRoomRequest, LiveKitClient, LiveKitError,
    LiveKitErrorKind, RoomParticipants, parse_room_owner,
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

    fn is_dispatch_assigned(
        &self,
        room: RoomName,
        agent: AgentName,
    ) -> BoxFuture<'_, Result<bool, LiveKitError>> {
        self.livekit.is_dispatch_assigned(room, agent)
    }

    fn delete_room(&self, room: RoomName) -> BoxFuture<'_, Result<(), LiveKitError>> {
        Box::pin(self.delete_if_marked(room))
    }
}
