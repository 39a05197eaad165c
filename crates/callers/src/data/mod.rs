//! What travels over the data channels: packets, text streams, and what an agent tells of its own session.

mod agent_session;
mod incoming;
mod outgoing;

pub use agent_session::{
    AGENT_SESSION_TOPIC, read_agent_session, read_agent_use, write_agent_session, write_agent_use,
};
pub use incoming::{DataEvent, DataReceiver};
pub use outgoing::DataSender;
