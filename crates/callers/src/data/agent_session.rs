//! What an agent built with LiveKit's framework publishes about itself, on the byte stream `lk.agent.session`:
//! the latencies of each answer, and what its models have used (LiveKit protocol, `agent/livekit_agent_session.proto`).

use livekit_protocol::agent as proto;
use prost::Message;
use proto::agent_session_event::{ConversationItemAdded, Event};
use proto::agent_session_message::Message as SessionMessage;
use proto::chat_context::{ChatItem, chat_item::Item};
use proto::model_usage::Usage;

use rushhour_core::event::{ModelUsage, TurnParts};
use rushhour_core::units::Micros;

/// The topic of the stream.
pub const AGENT_SESSION_TOPIC: &str = "lk.agent.session";

/// Durations of an hour or more are measurement errors.
const MAX_LATENCY_SECS: f64 = 3600.0;
/// Audio of more seconds than this is a measurement error.
const MAX_AUDIO_SECS: f64 = 1e6;

/// Encodes the message that an answer was added to the conversation, with its latencies.
pub fn encode_turn_metrics(id: &str, text: &str, latencies: &TurnParts) -> Vec<u8> {
    encode_item_metrics(id, text, latencies, MeasuredItem::Answer)
}

/// The same for any message.
pub(crate) fn encode_item_metrics(
    id: &str,
    text: &str,
    latencies: &TurnParts,
    of: MeasuredItem,
) -> Vec<u8> {
    use proto::chat_message::{ChatContent, chat_content::Payload};
    let seconds = |latency: Option<Micros>| latency.map(Micros::as_secs_f64);
    let role = match of {
        MeasuredItem::Heard => proto::ChatRole::User,
        MeasuredItem::Answer | MeasuredItem::InterruptedAnswer => proto::ChatRole::Assistant,
    };
    let message = proto::ChatMessage {
        id: id.to_owned(),
        role: role.into(),
        content: vec![ChatContent { payload: Some(Payload::Text(text.to_owned())) }],
        interrupted: of == MeasuredItem::InterruptedAnswer,
        metrics: Some(proto::MetricsReport {
            transcription_delay: seconds(latencies.transcription),
            end_of_turn_delay: seconds(latencies.end_of_turn),
            llm_node_ttft: seconds(latencies.llm_first_token),
            tts_node_ttfb: seconds(latencies.tts_first_byte),
            e2e_latency: seconds(latencies.end_to_end),
            ..proto::MetricsReport::default()
        }),
        ..proto::ChatMessage::default()
    };
    let item = Some(ChatItem { item: Some(Item::Message(message)) });
    encode(Event::ConversationItemAdded(ConversationItemAdded { item }))
}

/// A message that was added to the conversation, with the latencies that the agent reports for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ItemMetrics {
    /// The latencies.
    pub(crate) parts: TurnParts,
    /// Whose they are.
    pub(crate) of: MeasuredItem,
}

/// Whose message latencies belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MeasuredItem {
    /// What the agent heard of the caller.
    Heard,
    /// What the agent answered.
    Answer,
    /// What the agent had answered until it was interrupted.
    InterruptedAnswer,
}

/// Decodes the latencies of a message of the conversation; `None` if the message is malformed or holds none.
pub(crate) fn decode_item_metrics(bytes: &[u8]) -> Option<ItemMetrics> {
    let Event::ConversationItemAdded(added) = decode(bytes)? else { return None };
    let Item::Message(message) = added.item?.item? else { return None };
    let of = match (message.role(), message.interrupted) {
        (proto::ChatRole::User, _) => MeasuredItem::Heard,
        (_, false) => MeasuredItem::Answer,
        (_, true) => MeasuredItem::InterruptedAnswer,
    };
    let metrics = message.metrics?;
    let micros = |seconds: Option<f64>| {
        seconds.filter(|s| (0.0..MAX_LATENCY_SECS).contains(s)).map(Micros::from_secs_f64)
    };
    let parts = TurnParts {
        transcription: micros(metrics.transcription_delay),
        end_of_turn: micros(metrics.end_of_turn_delay),
        llm_first_token: micros(metrics.llm_node_ttft),
        tts_first_byte: micros(metrics.tts_node_ttfb),
        end_to_end: micros(metrics.e2e_latency),
    };
    (parts != TurnParts::default()).then_some(ItemMetrics { parts, of })
}

/// Decodes the latencies of an answer; `None` if the message is malformed or holds none.
pub fn decode_turn_metrics(bytes: &[u8]) -> Option<TurnParts> {
    Some(decode_item_metrics(bytes)?.parts)
}

/// Encodes the message of what the models have used since the session began.
#[cfg(test)]
pub(crate) fn encode_model_usage(used: &ModelUsage) -> Vec<u8> {
    use proto::agent_session_event::SessionUsageUpdated;
    let count = |count: Option<u64>| i32::try_from(count.unwrap_or(0)).unwrap_or(i32::MAX);
    let seconds = |time: Option<Micros>| time.map_or(0.0, Micros::as_secs_f64);
    let llm = proto::LlmModelUsage {
        input_tokens: count(used.tokens_read),
        input_cached_tokens: count(used.tokens_cached),
        output_tokens: count(used.tokens_written),
        ..proto::LlmModelUsage::default()
    };
    let tts = proto::TtsModelUsage {
        characters_count: count(used.characters),
        audio_duration: seconds(used.spoken),
        ..proto::TtsModelUsage::default()
    };
    let stt = proto::SttModelUsage {
        audio_duration: seconds(used.heard),
        ..proto::SttModelUsage::default()
    };
    let usages = [
        used.tokens_read.map(|_| Usage::Llm(llm)),
        used.characters.map(|_| Usage::Tts(tts)),
        used.heard.map(|_| Usage::Stt(stt)),
    ];
    let usages = usages.into_iter().flatten();
    let model_usage = usages.map(|usage| proto::ModelUsage { usage: Some(usage) }).collect();
    let usage = Some(proto::AgentSessionUsage { model_usage });
    encode(Event::SessionUsageUpdated(SessionUsageUpdated { usage }))
}

/// Decodes what the models have used since the session began, summed over models; `None` if the message is
/// malformed or about something else.
pub(crate) fn decode_model_usage(bytes: &[u8]) -> Option<ModelUsage> {
    let Event::SessionUsageUpdated(updated) = decode(bytes)? else { return None };
    let mut used = ModelUsage::default();
    let add_count = |sum: &mut Option<u64>, count: i32| {
        *sum = Some(sum.unwrap_or(0).saturating_add(u64::try_from(count).unwrap_or(0)));
    };
    let add_audio = |sum: &mut Option<Micros>, seconds: f64| {
        if (0.0..MAX_AUDIO_SECS).contains(&seconds) {
            *sum = Some(sum.unwrap_or(Micros::ZERO) + Micros::from_secs_f64(seconds));
        }
    };
    for model in updated.usage?.model_usage {
        match model.usage {
            Some(Usage::Llm(llm)) => {
                add_count(&mut used.tokens_read, llm.input_tokens);
                add_count(&mut used.tokens_cached, llm.input_cached_tokens);
                add_count(&mut used.tokens_written, llm.output_tokens);
            }
            Some(Usage::Tts(tts)) => {
                add_count(&mut used.characters, tts.characters_count);
                add_audio(&mut used.spoken, tts.audio_duration);
            }
            Some(Usage::Stt(stt)) => add_audio(&mut used.heard, stt.audio_duration),
            Some(Usage::Interruption(_) | Usage::Eot(_)) | None => {}
        }
    }
    (used != ModelUsage::default()).then_some(used)
}

fn encode(event: Event) -> Vec<u8> {
    let event = proto::AgentSessionEvent { event: Some(event), ..Default::default() };
    proto::AgentSessionMessage { message: Some(SessionMessage::Event(event)) }.encode_to_vec()
}

fn decode(bytes: &[u8]) -> Option<Event> {
    let message = proto::AgentSessionMessage::decode(bytes).ok()?;
    let SessionMessage::Event(event) = message.message? else { return None };
    event.event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_usage_survives_the_round_trip() {
        let used = ModelUsage {
            tokens_read: Some(1_200),
            tokens_cached: Some(800),
            tokens_written: Some(60),
            characters: Some(240),
            spoken: Some(Micros::from_secs(12)),
            heard: Some(Micros::from_secs(30)),
        };
        assert_eq!(decode_model_usage(&encode_model_usage(&used)), Some(used));
        let llm_only = ModelUsage { characters: None, spoken: None, heard: None, ..used };
        assert_eq!(decode_model_usage(&encode_model_usage(&llm_only)), Some(llm_only));
        assert_eq!(decode_model_usage(&encode_model_usage(&ModelUsage::default())), None);
        let latencies =
            TurnParts { end_to_end: Some(Micros::from_secs(2)), ..TurnParts::default() };
        assert_eq!(decode_model_usage(&encode_turn_metrics("item-1", "Hello.", &latencies)), None);
        assert_eq!(decode_turn_metrics(&encode_model_usage(&used)), None);
    }

    #[test]
    fn turn_metrics_survive_the_round_trip() {
        let latencies = TurnParts {
            end_of_turn: Some(Micros::from_millis(250)),
            llm_first_token: Some(Micros(12_345)),
            end_to_end: Some(Micros::from_secs(2)),
            ..TurnParts::default()
        };
        assert_eq!(
            decode_turn_metrics(&encode_turn_metrics("item-1", "Hello.", &latencies)),
            Some(latencies)
        );
        for of in [MeasuredItem::Heard, MeasuredItem::Answer, MeasuredItem::InterruptedAnswer] {
            let bytes = encode_item_metrics("item-1", "Hello.", &latencies, of);
            assert_eq!(decode_item_metrics(&bytes), Some(ItemMetrics { parts: latencies, of }));
        }
        let none = TurnParts::default();
        assert_eq!(decode_turn_metrics(&encode_turn_metrics("item-1", "Hello.", &none)), None);
    }
}
