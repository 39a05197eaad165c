//! What a session needs of the outside: LiveKit, the evaluator, the journal, and how to address them.

use std::sync::Arc;

use super::room_naming::RoomNaming;
use super::settings::DriverSettings;
use rushhour_core::evaluator::Evaluator;
use rushhour_core::event::EventSink;
use rushhour_core::profile::Profile;
use rushhour_core::units::SessionId;
use rushhour_livekit::{ControlPlane, TokenSigner};

/// The services of a session, and what requests to them are made of.
#[derive(Clone)]
pub struct Services {
    /// LiveKit's server API.
    pub control: Arc<dyn ControlPlane>,
    /// Who talks to the agent.
    pub evaluator: Arc<dyn Evaluator>,
    /// Signs the tokens with which the evaluator joins rooms.
    pub tokens: TokenSigner,
    /// Where events go.
    pub sink: Arc<dyn EventSink>,
    /// The LiveKit address that the evaluator joins.
    pub livekit_url: String,
    /// The session, for the metadata of rooms.
    pub session_id: SessionId,
    /// The profile, for the metadata of dispatches and the scenarios.
    pub profile: Arc<Profile>,
    /// Names the rooms and callers.
    pub naming: RoomNaming,
    /// The driver's settings.
    pub settings: Arc<DriverSettings>,
}
