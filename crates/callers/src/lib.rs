//! Our own callers: voice and chat over WebRTC, as many as the machine allows, at no cost.
//!
//! From the wire up: `participant` (one LiveKit participant without IO), `data` and `audio` (what travels
//! over it), `engine` (many participants on few threads), `caller` (one conversation by its script), and
//! `native`, which makes an evaluator of them.

pub mod audio;
pub mod caller;
pub mod data;
pub mod engine;
mod evaluator;
pub mod participant;

pub use evaluator::NativeCallers;
