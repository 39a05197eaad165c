//! What an agent built with LiveKit's framework tells of its own turns, on the byte stream `lk.agent.session`.

use livekit_protocol::agent as proto;
use prost::Message;

use rushhour_core::event::{ModelUsage, TurnParts};
use rushhour_core::units::Micros;

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

/// One message of the stream that says what the models have taken so far.
pub fn write_agent_use(used: &ModelUsage) -> Vec<u8> {
    use proto::agent_session_event::{Event, SessionUsageUpdated};
    use proto::agent_session_message::Message as Kind;
    use proto::model_usage::Usage;
    let count = |count: Option<u64>| i32::try_from(count.unwrap_or(0)).unwrap_or(i32::MAX);
    let seconds = |time: Option<Micros>| time.map_or(0.0, Micros::as_secs_f64);
    let model = proto::LlmModelUsage {
        input_tokens: count(used.tokens_read),
        input_cached_tokens: count(used.tokens_cached),
        output_tokens: count(used.tokens_written),
        ..proto::LlmModelUsage::default()
    };
    let voice = proto::TtsModelUsage {
        characters_count: count(used.characters),
        audio_duration: seconds(used.spoken),
        ..proto::TtsModelUsage::default()
    };
    let ear = proto::SttModelUsage {
        audio_duration: seconds(used.heard),
        ..proto::SttModelUsage::default()
    };
    let model_usage = [
        used.tokens_read.map(|_| Usage::Llm(model)),
        used.characters.map(|_| Usage::Tts(voice)),
        used.heard.map(|_| Usage::Stt(ear)),
    ];
    let model_usage = model_usage.into_iter().flatten();
    let model_usage = model_usage.map(|usage| proto::ModelUsage { usage: Some(usage) }).collect();
    let usage = Some(proto::AgentSessionUsage { model_usage });
    let event = Some(Event::SessionUsageUpdated(SessionUsageUpdated { usage }));
    let event = proto::AgentSessionEvent { event, ..proto::AgentSessionEvent::default() };
    proto::AgentSessionMessage { message: Some(Kind::Event(event)) }.encode_to_vec()
}

/// Reads one message of the stream; gives what the models have taken so far, if it tells that.
pub fn read_agent_use(bytes: &[u8]) -> Option<ModelUsage> {
    use proto::agent_session_event::Event;
    use proto::agent_session_message::Message as Kind;
    use proto::model_usage::Usage;
    let message = proto::AgentSessionMessage::decode(bytes).ok()?;
    let Kind::Event(event) = message.message? else { return None };
    let Event::SessionUsageUpdated(updated) = event.event? else { return None };
    let mut used = ModelUsage::default();
    let add = |sum: &mut Option<u64>, count: i32| {
        *sum = Some(sum.unwrap_or(0).saturating_add(u64::try_from(count).unwrap_or(0)));
    };
    let last = |sum: &mut Option<Micros>, seconds: f64| {
        if (0.0..1e6).contains(&seconds) {
            *sum = Some(sum.unwrap_or(Micros::ZERO) + Micros::from_secs_f64(seconds));
        }
    };
    for model in updated.usage?.model_usage {
        match model.usage {
            Some(Usage::Llm(model)) => {
                add(&mut used.tokens_read, model.input_tokens);
                add(&mut used.tokens_cached, model.input_cached_tokens);
                add(&mut used.tokens_written, model.output_tokens);
            }
            Some(Usage::Tts(voice)) => {
                add(&mut used.characters, voice.characters_count);
                last(&mut used.spoken, voice.audio_duration);
            }
            Some(Usage::Stt(ear)) => last(&mut used.heard, ear.audio_duration),
            Some(Usage::Interruption(_) | Usage::Eot(_)) | None => {}
        }
    }
    (used != ModelUsage::default()).then_some(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_models_took_is_read_back_and_summed() {
        let used = ModelUsage {
            tokens_read: Some(1_200),
            tokens_cached: Some(800),
            tokens_written: Some(60),
            characters: Some(240),
            spoken: Some(Micros::from_secs(12)),
            heard: Some(Micros::from_secs(30)),
        };
        assert_eq!(read_agent_use(&write_agent_use(&used)), Some(used));
        let written = ModelUsage { characters: None, spoken: None, heard: None, ..used };
        assert_eq!(read_agent_use(&write_agent_use(&written)), Some(written));
        assert_eq!(read_agent_use(&write_agent_use(&ModelUsage::default())), None);
        let times = TurnParts { end_to_end: Some(Micros::from_secs(2)), ..TurnParts::default() };
        assert_eq!(read_agent_use(&write_agent_session("item-1", "Hello.", &times)), None);
        assert_eq!(read_agent_session(&write_agent_use(&used)), None);
    }

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
