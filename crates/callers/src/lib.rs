//! LiveKit participants without libwebrtc, as many as the machine allows, and callers that have conversations by a
//! script.
//!
//! The crate is useful alone: [`engine::Engine`] joins participants to rooms, and a [`engine::ParticipantHandler`]
//! is what one of them does there. The example `join_room` is a complete program.
//!
//! ```text
//!             on tokio                       on threads of the engine, one tick every 5 ms
//!   ┌─────────────────────────────┐   ┌────────────────────────────────────────────────────────┐
//!   │ engine: signal_connection   │   │ engine: thread, slot, paths (UDP, TCP, TURN), socket   │
//!   │   WebSocket, pings          │   │   UDP in batches with kernel timestamps, clock, ticks  │
//!   └──────┬───────────▲──────────┘   └──┬──────────────▲──────────────────────────────────────┘
//!          │  signal   │                 │  datagrams   │ (network, sans-IO: loss, delay, jitter, where asked for)
//!   ┌──────▼───messages┴─────────────────▼──────────────┴───────┐
//!   │ participant (sans-IO): one peer connection (str0m), SDP   │
//!   │   data (sans-IO): data streams, agent metrics             │
//!   └──────┬────────────────────────────────────────▲───────────┘
//!          │ events, through ParticipantHandler     │ audio, texts, through ParticipantHandle
//!   ┌──────▼────────────────────────────────────────┴───────────┐
//!   │ caller (sans-IO): one conversation by a script            │    or any other handler,
//!   │   audio (sans-IO): clips and their pacing, Opus, voice    │    such as the calibration agent
//!   │   activity detection                                      │
//!   └──────┬────────────────────────────────────────────────────┘
//!          │ updates: joined, agent ready, turns with their times, outcome
//!   NativeCallers: all callers of a session, as an `Evaluator` of the driver
//! ```
//!
//! Sans-IO code reads no clock and no socket: it is given messages, datagrams and times, and returns messages,
//! datagrams, events and the next deadline. Only `engine` has threads, sockets and a clock. Each of its threads wakes
//! up for all of its participants at once, because waking up is a participant's largest cost.

pub mod audio;
pub mod caller;
pub mod data;
pub mod engine;
mod native_callers;
pub mod network;
pub mod participant;
mod recording_store;

pub use native_callers::NativeCallers;
pub use recording_store::{RecordedSide, RecordingSink, RecordingStore};
/// The units in this crate's interfaces.
pub use rushhour_core::units::{Identity, Micros, Secret, SessionTime};
