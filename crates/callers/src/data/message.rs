//! Answers that are no data streams: the packets of LiveKit's own chat box, of agents before streams, and of Pipecat.

use serde_json::Value;

/// The topic of the user packets that LiveKit's own chat box reads and writes.
const LEGACY_CHAT_TOPIC: &str = "lk-chat-topic";
/// The label of Pipecat's messages (RTVI), and the type of those that hold a sentence of the agent.
const RTVI_LABEL: &str = "rtvi-ai";
const RTVI_SENTENCE: &str = "bot-transcription";

/// The text that a user packet says, if it says any; most tell a user interface something else.
pub(super) fn text_of_user_packet(topic: Option<&str>, payload: &[u8]) -> Option<String> {
    let topic = topic.unwrap_or_default();
    if !topic.is_empty() && topic != LEGACY_CHAT_TOPIC {
        return None;
    }
    let message: Value = serde_json::from_slice(payload).ok()?;
    let text = if topic == LEGACY_CHAT_TOPIC {
        // `ignoreLegacy`: the same text comes on a stream.
        let is_repeated = message.get("ignoreLegacy").is_some_and(|flag| flag == true);
        message.get("message").filter(|_| !is_repeated)?
    } else {
        let is = |key: &str, word: &str| message.get(key).is_some_and(|value| value == word);
        let is_sentence = is("label", RTVI_LABEL) && is("type", RTVI_SENTENCE);
        message.get("data").filter(|_| is_sentence)?.get("text")?
    };
    text.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packets_that_say_something_are_texts() {
        let chat = Some(LEGACY_CHAT_TOPIC);
        for (topic, payload, text) in [
            (chat, r#"{"id": "1", "message": "Yes."}"#, Some("Yes.")),
            (chat, r#"{"message": "Yes.", "ignoreLegacy": true}"#, None),
            (chat, "Yes.", None),
            (Some("cart"), r#"{"message": "Yes."}"#, None),
            (
                None,
                r#"{"label": "rtvi-ai", "type": "bot-transcription", "data": {"text": "Yes."}}"#,
                Some("Yes."),
            ),
            (None, r#"{"label": "rtvi-ai", "type": "metrics", "data": {"text": "Yes."}}"#, None),
            (None, r#"{"label": "rtvi-ai", "type": "bot-ready", "data": {}}"#, None),
            (None, "\u{0}\u{1}", None),
        ] {
            let found = text_of_user_packet(topic, payload.as_bytes());
            assert_eq!(found.as_deref(), text, "{payload}");
        }
    }
}
