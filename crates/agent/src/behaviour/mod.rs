//! How the agent behaves. Delays and faults depend only on the seed, the room's name and the turn.

mod fault;
mod settings;

pub use fault::{JobFault, JobFaults, TooManyJobFaults, UnknownJobFault};
pub(crate) use settings::AgentLoad;
pub use settings::{AgentFiller, AgentGreeting, AgentNoise, Behaviour, Breaks, HandOff, TalkOver};
