//! A running session's page and metrics, over HTTP.
//!
//! One thread of its own folds the session's events (`view`), draws the page at most once a second and only for
//! somebody who watches, and serves it (`server`, `routes`). `access` says who may ask. Nothing here can change a
//! session, slow it down or keep the process from ending: the session hands its events over without waiting (`feed`).
//! Metrics can be sent to somebody too (`push`).

mod access;
mod address;
mod feed;
mod page;
mod push;
mod routes;
mod server;
mod view;

pub use access::{PageToken, PageTokenError};
pub use address::{InvalidAddress, ListenAddress};
pub use feed::{LiveFeed, LiveSession};
pub use push::{MetricsPush, PushInProgress};
pub use server::{LingeringServer, LiveError, LiveOptions, LiveServer};
pub use view::Linger;
