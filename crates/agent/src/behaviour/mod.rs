//! How the agent behaves: delays, faults and growth, each drawn from the seed and from the room's name alone.

mod fault;
mod settings;

pub use fault::{JobFault, JobFaults, TooManyJobFaults, UnknownJobFault};
pub use settings::{AgentGreeting, Behaviour, JobCircumstances};
