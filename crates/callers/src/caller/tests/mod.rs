//! Conversations of a caller without sockets, at simulated times; `scene` is the room and the agent in it.

mod agents;
mod beside_turns;
mod chat;
mod ends;
mod expectations;
mod greeting;
mod hand_offs;
mod hidden_agent;
mod outages;
mod quality;
mod recordings;
mod requests;
mod scene;
mod session;
mod thinking;
mod tools;
mod voice;
