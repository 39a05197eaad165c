//! Many participants on few threads: the sockets, the clock and the beat that the cores beneath do without.
//!
//! `App` is what a participant is used for, a caller or an agent; `Hand` is what it can do.

mod app;

pub use app::{App, Hand, Left, Next};
