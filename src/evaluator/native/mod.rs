//! Our own callers: voice and chat over WebRTC, as many as the machine allows, at no cost.

pub mod audio;
pub mod data;
pub mod engine;
pub mod participant;
