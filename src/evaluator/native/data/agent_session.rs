//! What an agent built with LiveKit's framework tells of its own turns, on the byte stream `lk.agent.session`.

use livekit_protocol::agent as proto;
use prost::Message;

use crate::event::TurnParts;
use crate::units::Micros;

/// The topic of that stream.
pub const AGENT_SESSION_TOPIC: &str = "lk.agent.session";

/// One message of the stream that says: this was answered, and its parts took so long.
pub fn write_agent_session(id: &str, text: &str, times: &TurnParts) -> Vec<u8> {
    use proto::agent_session_event::{ConversationItemAdded, Event};
    use proto::agent_session_message::Message as Kind;
    use proto::chat_context::{ChatItem, chat_item::Item};
    use proto::chat_message::{ChatContent, chat_content::Payload};
    let seconds = |micros: Option<Micros>| micros.map(Micros::as_secs_f64);
    let message = proto::ChatMessage {
        id: id.to_owned(),
        role: proto::ChatRole::Assistant.into(),
        content: vec![ChatContent { payload: Some(Payload::Text(text.to_owned())) }],
        metrics: Some(proto::MetricsReport {
            transcription_delay: seconds(times.transcription),
            end_of_turn_delay: seconds(times.end_of_turn),
            llm_node_ttft: seconds(times.llm_first_token),
            tts_node_ttfb: seconds(times.tts_first_byte),
            e2e_latency: seconds(times.end_to_end),
            ..proto::MetricsReport::default()
        }),
        ..proto::ChatMessage::default()
    };
    let item = Some(ChatItem { item: Some(Item::Message(message)) });
    let event = Some(Event::ConversationItemAdded(ConversationItemAdded { item }));
    let event = proto::AgentSessionEvent { event, ..proto::AgentSessionEvent::default() };
    proto::AgentSessionMessage { message: Some(Kind::Event(event)) }.encode_to_vec()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let times = TurnParts {
            end_of_turn: Some(Micros::from_millis(250)),
            llm_first_token: Some(Micros(12_345)),
            end_to_end: Some(Micros::from_secs(2)),
            ..TurnParts::default()
        };
        assert_eq!(
            read_agent_session(&write_agent_session("item-1", "Hello.", &times)),
            Some(times)
        );
        let nothing = TurnParts::default();
        assert_eq!(read_agent_session(&write_agent_session("item-1", "Hello.", &nothing)), None);
    }
}
