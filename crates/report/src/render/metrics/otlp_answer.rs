//! What a collector says of the metrics that it took: `ExportMetricsServiceResponse` of OTLP.

use prost::Message;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::otlp::OtlpEncoding;

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ExportAnswer {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    #[serde(deserialize_with = "number_or_text")]
    rejected_data_points: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// How many data points a collector did not take, and what it says of them; `None` where it took all of them, or where its
/// answer is another one.
pub fn rejected_points(answer: &[u8], encoding: OtlpEncoding) -> Option<(u64, String)> {
    let answer = match encoding {
        OtlpEncoding::Protobuf => ExportAnswer::decode(answer).ok()?,
        OtlpEncoding::Json => serde_json::from_slice(answer).ok()?,
    };
    let PartialSuccess { rejected_data_points, error_message } = answer.partial_success?;
    let points = u64::try_from(rejected_data_points).ok()?;
    (points > 0).then_some((points, error_message))
}

/// The JSON of protobuf has whole numbers of 64 bits as texts, and takes both.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| D::Error::custom("not a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_points_that_were_not_taken_are_told_of() {
        let rejected = Some((3, "too old".to_owned()));
        let json = |text: &str| rejected_points(text.as_bytes(), OtlpEncoding::Json);
        for points in ["3", "\"3\""] {
            let text = format!(
                r#"{{"partialSuccess":{{"rejectedDataPoints":{points},"errorMessage":"too old"}}}}"#
            );
            assert_eq!(json(&text), rejected);
        }
        for text in ["", "{}", "OK", r#"{"partialSuccess":{}}"#, r#"{"partialSuccess":null}"#] {
            assert_eq!(json(text), None, "{text}");
            assert_eq!(rejected_points(text.as_bytes(), OtlpEncoding::Protobuf), None, "{text}");
        }
        let warning = r#"{"partialSuccess":{"rejectedDataPoints":"0","errorMessage":"careful"}}"#;
        assert_eq!(json(warning), None);
        // Field 1, a message of 11 bytes: field 1 is the number 3, field 2 a text of 7 bytes.
        let bytes = b"\x0a\x0b\x08\x03\x12\x07too old";
        assert_eq!(rejected_points(bytes, OtlpEncoding::Protobuf), rejected);
    }
}
