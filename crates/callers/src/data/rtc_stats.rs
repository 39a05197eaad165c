//! The WebRTC statistics in a session's response: lists of objects as the framework's protocol has them, of which the audio
//! streams are read (`stats.proto` of LiveKit's client SDKs, as JSON).

use livekit_protocol::agent::session_response::GetRtcStatsResponse;
use serde_json::Value;

use rushhour_core::event::AgentRtcStats;
use rushhour_core::units::Micros;

/// Objects of a list that are read, at most; a session with one caller has some forty.
const MAX_OBJECTS: usize = 256;
/// Round trips of this many seconds or more are measurement errors.
const MAX_ROUND_TRIP_SECS: f64 = 60.0;

/// Sums over the audio streams; `None` where there are none, as with frameworks that answer with empty lists.
pub(super) fn audio_stats(response: &GetRtcStatsResponse) -> Option<AgentRtcStats> {
    let objects = || {
        let lists = [&response.publisher_stats, &response.subscriber_stats];
        let objects = lists.into_iter().flat_map(|list| list.iter().take(MAX_OBJECTS));
        objects.filter_map(|object| serde_json::to_value(object).ok())
    };
    let stats = objects().filter_map(|object| {
        let is_audio = |one: &&Value| one["stream"]["kind"] == "audio";
        let part = |name: &str| object.get(name).filter(is_audio);
        if let Some(one) = part("outboundRtp") {
            let sent = count(&one["sent"]["packetsSent"]);
            return Some(AgentRtcStats { sent, ..AgentRtcStats::default() });
        }
        if let Some(one) = part("remoteInboundRtp") {
            let sent_lost = count(&one["received"]["packetsLost"]);
            let round_trip = round_trip(&one["remoteInbound"]["roundTripTime"]);
            return Some(AgentRtcStats { sent_lost, round_trip, ..AgentRtcStats::default() });
        }
        let one = part("inboundRtp")?;
        let (received, inbound) = (&one["received"], &one["inbound"]);
        let concealed = count(&inbound["concealedSamples"]);
        Some(AgentRtcStats {
            received: count(&received["packetsReceived"]),
            received_lost: count(&received["packetsLost"]),
            samples: count(&inbound["totalSamplesReceived"]),
            concealed: concealed.saturating_sub(count(&inbound["silentConcealedSamples"])),
            ..AgentRtcStats::default()
        })
    });
    let all = stats.fold(AgentRtcStats::default(), |sum, one| sum.plus(&one));
    (all.sent + all.received > 0).then_some(all)
}

/// A count, which JSON of protobuf writes as text; 0 where it is none. Lost packets may be fewer than none, with duplicates.
fn count(value: &Value) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let whole = |number: f64| number as u64;
    match value {
        Value::String(text) => text.parse().unwrap_or(0),
        Value::Number(number) => number.as_f64().map_or(0, whole),
        _ => 0,
    }
}

/// A round trip; `None` where none was measured.
fn round_trip(value: &Value) -> Option<Micros> {
    let seconds = value.as_f64()?;
    (seconds > 0.0 && seconds < MAX_ROUND_TRIP_SECS).then(|| Micros::from_secs_f64(seconds))
}

/// Responses, for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A response with these objects, of the publisher and of the subscriber.
    pub(crate) fn response(publisher: &[Value], subscriber: &[Value]) -> GetRtcStatsResponse {
        let read = |objects: &[Value]| {
            let read = |object: &Value| serde_json::from_value(object.clone()).expect("an object");
            objects.iter().map(read).collect()
        };
        GetRtcStatsResponse { publisher_stats: read(publisher), subscriber_stats: read(subscriber) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::testing::response;
    use super::*;

    #[test]
    fn audio_is_summed_and_everything_else_is_left_out() {
        let audio = json!({"kind": "audio"});
        let publisher = [
            json!({"outboundRtp": {"stream": audio, "sent": {"packetsSent": "500"}}}),
            json!({"remoteInboundRtp": {"stream": audio, "received": {"packetsLost": "7"},
                "remoteInbound": {"roundTripTime": 0.012}}}),
            json!({"outboundRtp": {"stream": {"kind": "video"}, "sent": {"packetsSent": "9"}}}),
            json!({"codec": {}}),
        ];
        let subscriber = [
            json!({"inboundRtp": {"stream": audio,
                "received": {"packetsReceived": 400.0, "packetsLost": "-2"},
                "inbound": {"totalSamplesReceived": "96000", "concealedSamples": "960", "silentConcealedSamples": "480"}}}),
            json!({"inboundRtp": {"stream": audio, "received": {"packetsReceived": "100", "packetsLost": "3"}}}),
        ];
        let expected = AgentRtcStats {
            sent: 500,
            sent_lost: 7,
            received: 500,
            received_lost: 3,
            samples: 96_000,
            concealed: 480,
            round_trip: Some(Micros::from_millis(12)),
        };
        assert_eq!(audio_stats(&response(&publisher, &subscriber)), Some(expected));
    }

    #[test]
    fn empty_lists_and_nonsense_are_no_statistics() {
        assert_eq!(audio_stats(&response(&[], &[])), None);
        let audio = json!({"kind": "audio"});
        let nonsense = [
            json!({"outboundRtp": {"stream": audio, "sent": {"packetsSent": "many"}}}),
            json!({"outboundRtp": {"stream": audio, "sent": {"packetsSent": -1e300}}}),
            json!({"remoteInboundRtp": {"stream": audio, "remoteInbound": {"roundTripTime": 1e300}}}),
            json!({"inboundRtp": "none"}),
        ];
        assert_eq!(audio_stats(&response(&nonsense, &nonsense)), None);
    }
}
