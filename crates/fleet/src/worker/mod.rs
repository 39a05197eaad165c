//! The worker: holds callers for one session at a time, and says what happens in their conversations.
//!
//! `event_loop` owns all state and all IO; `commands` does what the coordinator asks, and `beat` says once a second how the
//! worker is. `held_session` is what it knows of the session; `outbox` keeps updates until they are acknowledged, `lease`
//! says whether the coordinator still commands, and `watermark` until when callers were heard. `preparation` fetches scripts
//! and clips.

mod beat;
mod commands;
mod event_loop;
mod held_session;
mod hosts;
mod lease;
mod outbox;
mod preparation;
mod watermark;

pub use event_loop::{StopRequest, WorkerConfig, WorkerEvent, WorkerLifetime, run_worker};
pub use hosts::{AllowedHost, AllowedHosts, InvalidHost};
pub use preparation::{CallerFactory, NativeFactory, PreparedSession};
