//! A valid profile, one file for each part of it.

pub(super) mod bill;
pub(super) mod caller;
pub(super) mod capacity;
pub(super) mod evaluator;
pub(super) mod judging;
mod judging_profile;
pub(super) mod limits;
pub(super) mod livekit;
pub(super) mod network;
pub(super) mod notify;
pub(super) mod prices;
pub(super) mod profile;
pub(super) mod recording;
pub(super) mod sandbox;
pub(super) mod scenario;
pub(super) mod script;
pub(super) mod session_mode;
pub(super) mod soak;
pub(super) mod stage;
pub(super) mod template;
pub(super) mod threshold;
pub(super) mod voice;
pub(super) mod workers;
