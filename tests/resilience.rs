//! Whatever breaks around Rushhour, every run has one outcome, nothing is paid twice, rooms are deleted, and what was
//! recorded stays.

mod disk;
mod faults;
#[cfg(feature = "native")]
mod handles;
#[cfg(feature = "native")]
mod servers;
mod signals;

use crate::support::{Session, TestDir};

/// A profile with short conversations of one scenario.
fn quick_profile(count: u32, rate: &str, more: &str) -> String {
    format!(
        r#"
name = "resilience"
mode = "chat"
[livekit]
url = "sandbox"
agent = "front-desk"
agent_within = "5s"
give_up_after = "6s"
[evaluator]
poll_every = "500ms"
[[scenario]]
id = 30
copies = {count}
lasts = "1s"
[[stage]]
rate = "{rate}"
[limits]
requests = "100/s"
polls = "20/s"
looks = "400/s"
in_flight = 200
run_timeout = "20s"
drain = "20s"
[sandbox]
agent_join = {{ median = "100ms" }}
submission = {{ median = "50ms" }}
queue = {{ median = "100ms" }}
conversation = {{ median = "1s" }}
judging = {{ median = "200ms" }}
{more}"#
    )
}

/// Opens the only session and compares it with the sandbox's log; no room may be left.
fn open_checked(dir: &TestDir, planned: u64) -> Session {
    let session = dir.session();
    session.check(planned);
    let left = session.truth().rooms_left();
    assert!(left.is_empty(), "rooms are left: {left:?}");
    session
}
