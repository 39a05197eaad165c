//! What travels over the data channels: packets, text streams, and what an agent tells of its own session.

mod agent_session;
mod receiver;
mod sender;

pub use agent_session::{
    AGENT_SESSION_TOPIC, read_agent_session, read_agent_use, write_agent_session, write_agent_use,
};
pub use receiver::{DataEvent, DataReceiver};
pub use sender::DataSender;
