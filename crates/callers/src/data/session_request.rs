//! Requests to an agent's session on the byte stream `lk.agent.session`, its responses, and its reports of tool calls
//! (LiveKit protocol, `agent/livekit_agent_session.proto`).

use livekit_protocol::agent as proto;
use prost::Message;
use proto::agent_session_event::Event;
use proto::agent_session_event::tool_execution_updated::Update;
use proto::agent_session_message::Message as SessionMessage;
use proto::chat_context::chat_item::Item;
use proto::session_request::{GetChatHistory, GetFrameworkInfo, GetRtcStats, Ping, Request};
use proto::session_response::Response;

use super::rtc_stats::audio_stats;
use rushhour_core::event::AgentRtcStats;

/// The longest name of a framework that is kept, in bytes.
const MAX_SDK: usize = 100;

/// What is asked of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionQuestion {
    /// Whether it is there.
    Ping,
    /// What it is built with.
    Framework,
    /// What was said and which tools were called.
    History,
    /// What its WebRTC stack counts.
    RtcStats,
}

impl SessionQuestion {
    /// The id of the request, by which the response is known.
    const fn id(self) -> &'static str {
        match self {
            Self::Ping => "rushhour-ping",
            Self::Framework => "rushhour-framework",
            Self::History => "rushhour-history",
            Self::RtcStats => "rushhour-rtc-stats",
        }
    }

    /// Encodes the request.
    pub(crate) fn encode(self) -> Vec<u8> {
        let request = match self {
            Self::Ping => Request::Ping(Ping {}),
            Self::Framework => Request::GetFrameworkInfo(GetFrameworkInfo {}),
            Self::History => Request::GetChatHistory(GetChatHistory {}),
            Self::RtcStats => Request::GetRtcStats(GetRtcStats {}),
        };
        let request_id = self.id().to_owned();
        let request = proto::SessionRequest { request_id, request: Some(request) };
        proto::AgentSessionMessage { message: Some(SessionMessage::Request(request)) }
            .encode_to_vec()
    }
}

/// What a session answers, or reports of its tool calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionReport {
    /// It is there.
    Pong,
    /// What it is built with, such as `python` or `js`.
    Framework(String),
    /// The history of the conversation: whether a tool that was called since the caller's last turn has given no
    /// result. `None` where the session cannot tell.
    History(Option<bool>),
    /// What its WebRTC stack has counted.
    RtcStats(AgentRtcStats),
    /// A tool began to run.
    ToolBegan {
        /// The call.
        call: String,
    },
    /// A tool no longer holds the answer back: it has ended, or goes on in the background.
    ToolOver {
        /// The call.
        call: String,
    },
    /// All tools of an answer have ended.
    ToolsOver,
}

impl SessionReport {
    /// Decodes a message; `None` if it is malformed or about something else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match proto::AgentSessionMessage::decode(bytes).ok()?.message? {
            SessionMessage::Response(response) => Self::of_response(response),
            SessionMessage::Event(event) => match event.event? {
                Event::FunctionToolsExecuted(_) => Some(Self::ToolsOver),
                Event::ToolExecutionUpdated(updated) => match updated.update? {
                    Update::Started(started) => {
                        Some(Self::ToolBegan { call: started.function_call?.call_id })
                    }
                    Update::Ended(ended) => Some(Self::ToolOver { call: ended.call_id }),
                    Update::CallUpdated(updated) => Some(Self::ToolOver { call: updated.call_id }),
                    Update::ReplyUpdated(_) => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    fn of_response(response: proto::SessionResponse) -> Option<Self> {
        let is_to = |question: SessionQuestion| response.request_id == question.id();
        match response.response {
            Some(Response::GetFrameworkInfo(info)) if is_to(SessionQuestion::Framework) => {
                Some(Self::Framework(rushhour_core::units::shortened(&info.sdk, MAX_SDK)))
            }
            Some(Response::GetChatHistory(history)) if is_to(SessionQuestion::History) => {
                Some(Self::History(Some(has_open_call(&history.items))))
            }
            Some(Response::GetRtcStats(stats)) if is_to(SessionQuestion::RtcStats) => {
                audio_stats(&stats).map(Self::RtcStats)
            }
            // A session that does not know a request says so in its error.
            _ if is_to(SessionQuestion::History) => Some(Self::History(None)),
            _ if is_to(SessionQuestion::Ping) => Some(Self::Pong),
            _ => None,
        }
    }
}

/// Whether a call since the user's last message has no result. One from before was interrupted.
fn has_open_call(items: &[proto::chat_context::ChatItem]) -> bool {
    let is_user = |item: &Item| matches!(item, Item::Message(message) if message.role() == proto::ChatRole::User);
    let items: Vec<&Item> = items.iter().filter_map(|item| item.item.as_ref()).collect();
    let since = items.iter().rposition(|item| is_user(item)).map_or(0, |index| index + 1);
    let has_result = |call: &str| {
        items
            .iter()
            .any(|item| matches!(item, Item::FunctionCallOutput(output) if output.call_id == call))
    };
    items[since..].iter().any(|item| match item {
        Item::FunctionCall(call) => !has_result(&call.call_id),
        _ => false,
    })
}

/// Messages of a session, for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use proto::agent_session_event::tool_execution_updated::{Ended, Started};
    use proto::chat_context::ChatItem;

    fn encode(message: SessionMessage) -> Vec<u8> {
        proto::AgentSessionMessage { message: Some(message) }.encode_to_vec()
    }

    fn response(question: SessionQuestion, response: Option<Response>) -> Vec<u8> {
        let request_id = question.id().to_owned();
        encode(SessionMessage::Response(proto::SessionResponse {
            request_id,
            response,
            ..proto::SessionResponse::default()
        }))
    }

    fn event(event: Event) -> Vec<u8> {
        let event = proto::AgentSessionEvent { event: Some(event), ..Default::default() };
        encode(SessionMessage::Event(event))
    }

    pub(crate) fn pong() -> Vec<u8> {
        response(SessionQuestion::Ping, None)
    }

    pub(crate) fn framework(sdk: &str) -> Vec<u8> {
        let info = proto::session_response::GetFrameworkInfoResponse {
            sdk: sdk.to_owned(),
            ..Default::default()
        };
        response(SessionQuestion::Framework, Some(Response::GetFrameworkInfo(info)))
    }

    /// A history in words: `user`, `agent`, and calls and results by their ids, as in `call 1` and `result 1`.
    pub(crate) fn history(words: &[&str]) -> Vec<u8> {
        let message = |role: proto::ChatRole| {
            Item::Message(proto::ChatMessage { role: role.into(), ..Default::default() })
        };
        let items = words.iter().map(|words| match words.split_once(' ') {
            Some(("call", id)) => Item::FunctionCall(proto::FunctionCall {
                call_id: id.to_owned(),
                ..Default::default()
            }),
            Some((_, id)) => Item::FunctionCallOutput(proto::FunctionCallOutput {
                call_id: id.to_owned(),
                ..Default::default()
            }),
            None if *words == "user" => message(proto::ChatRole::User),
            None => message(proto::ChatRole::Assistant),
        });
        let items = items.map(|item| ChatItem { item: Some(item) }).collect();
        let history = proto::session_response::GetChatHistoryResponse { items };
        response(SessionQuestion::History, Some(Response::GetChatHistory(history)))
    }

    pub(crate) fn no_history() -> Vec<u8> {
        response(SessionQuestion::History, None)
    }

    /// A WebRTC stack that has sent so many packets of audio.
    pub(crate) fn rtc_stats(sent: u64) -> Vec<u8> {
        let sent = serde_json::json!({"packetsSent": sent.to_string()});
        let stats = serde_json::json!({"outboundRtp": {"stream": {"kind": "audio"}, "sent": sent}});
        let stats = super::super::rtc_stats::testing::response(&[stats], &[]);
        response(SessionQuestion::RtcStats, Some(Response::GetRtcStats(stats)))
    }

    pub(crate) fn tools_over() -> Vec<u8> {
        event(Event::FunctionToolsExecuted(
            proto::agent_session_event::FunctionToolsExecuted::default(),
        ))
    }

    pub(crate) fn tool_updated(update: Update) -> Vec<u8> {
        let update = Some(update);
        event(Event::ToolExecutionUpdated(proto::agent_session_event::ToolExecutionUpdated {
            update,
        }))
    }

    pub(crate) fn tool_began(call: &str) -> Vec<u8> {
        let function_call =
            Some(proto::FunctionCall { call_id: call.to_owned(), ..Default::default() });
        tool_updated(Update::Started(Started { function_call }))
    }

    pub(crate) fn tool_ended(call: &str) -> Vec<u8> {
        tool_updated(Update::Ended(Ended { call_id: call.to_owned(), ..Default::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;

    #[test]
    fn responses_are_known_by_the_request() {
        let report = |bytes: &[u8]| SessionReport::decode(bytes);
        assert_eq!(report(&pong()), Some(SessionReport::Pong));
        assert_eq!(report(&framework("js")), Some(SessionReport::Framework("js".to_owned())));
        assert_eq!(report(&no_history()), Some(SessionReport::History(None)));
        let stats = AgentRtcStats { sent: 9, ..AgentRtcStats::default() };
        assert_eq!(report(&rtc_stats(9)), Some(SessionReport::RtcStats(stats)));
        assert_eq!(report(&rtc_stats(0)), None);
        let to_another =
            proto::SessionResponse { request_id: "x".to_owned(), ..Default::default() };
        let to_another =
            proto::AgentSessionMessage { message: Some(SessionMessage::Response(to_another)) };
        assert_eq!(report(&to_another.encode_to_vec()), None);
        assert_eq!(report(&SessionQuestion::Ping.encode()), None, "a request");
        assert_eq!(report(&[0xff; 9]), None);
    }

    #[test]
    fn tools_are_reported_when_they_begin_and_end() {
        let report = |bytes: &[u8]| SessionReport::decode(bytes);
        let call = "c1".to_owned();
        assert_eq!(
            report(&tool_began("c1")),
            Some(SessionReport::ToolBegan { call: call.clone() })
        );
        assert_eq!(report(&tool_ended("c1")), Some(SessionReport::ToolOver { call }));
        assert_eq!(report(&tools_over()), Some(SessionReport::ToolsOver));
    }

    #[test]
    fn a_call_without_a_result_since_the_last_turn_is_open() {
        for (words, is_open) in [
            (&["user", "agent"][..], false),
            (&["user", "agent", "call 1"], true),
            (&["user", "call 1", "result 1", "call 2"], true),
            (&["user", "call 1", "call 2", "result 2", "result 1"], false),
            (&["call 1"], true),
            (&["user", "call 1", "user", "agent"], false),
        ] {
            let report = SessionReport::decode(&history(words));
            assert_eq!(report, Some(SessionReport::History(Some(is_open))), "{words:?}");
        }
    }
}
