//! What an agent built with LiveKit's framework tells of its own turns, on the byte stream `lk.agent.session`.

use livekit_protocol::agent as proto;
use prost::Message;

use crate::event::TurnParts;
use crate::units::Micros;

/// The topic of that stream.
pub const AGENT_SESSION_TOPIC: &str = "lk.agent.session";

/// Reads one message of the stream; gives the times of an answer that it tells, if it tells any.
pub fn read_agent_session(bytes: &[u8]) -> Option<TurnParts> {
    use proto::agent_session_event::Event;
    use proto::agent_session_message::Message as Kind;
    use proto::chat_context::chat_item::Item;
    let message = proto::AgentSessionMessage::decode(bytes).ok()?;
    let Kind::Event(event) = message.message? else { return None };
    let Event::ConversationItemAdded(added) = event.event? else { return None };
    let Item::Message(message) = added.item?.item? else { return None };
    let metrics = message.metrics?;
    let micros = |seconds: Option<f64>| {
        seconds.filter(|s| (0.0..3600.0).contains(s)).map(Micros::from_secs_f64)
    };
    let times = TurnParts {
        transcription: micros(metrics.transcription_delay),
        end_of_turn: micros(metrics.end_of_turn_delay),
        llm_first_token: micros(metrics.llm_node_ttft),
        tts_first_byte: micros(metrics.tts_node_ttfb),
        end_to_end: micros(metrics.e2e_latency),
    };
    (times != TurnParts::default()).then_some(times)
}
