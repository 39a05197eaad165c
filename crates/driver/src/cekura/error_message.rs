//! What a failed response says, as one short line for a report, and what the reader can do about its status.

use serde_json::Value;

use super::client::MAX_VALUES;
use super::json::parse_json;

use rushhour_core::units::ForeignText;
use rushhour_livekit::http::HttpResponse;

/// The most that is quoted of an answer, in bytes.
const MAX_QUOTED: usize = 300;

/// The message of a response, whatever its form, as one line.
pub fn error_message(response: &HttpResponse) -> ForeignText {
    if response.body.iter().all(u8::is_ascii_whitespace) {
        return ForeignText::from("an empty answer");
    }
    let text = if response.is_html() {
        let page = String::from_utf8_lossy(&response.body);
        let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        match title {
            Some((title, _)) => format!("a web page: {title}"),
            None => "a web page".to_owned(),
        }
    } else if let Ok(json) = parse_json(&response.body, MAX_VALUES) {
        let mut parts = Vec::new();
        collect(None, &json, &mut parts);
        parts.join("; ")
    } else {
        String::from_utf8_lossy(&response.body).into_owned()
    };
    quoted(&text)
}

/// What an answer says, on one line, to be quoted in a sentence.
pub(super) fn quoted(text: &str) -> ForeignText {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    ForeignText::at_most(&line, MAX_QUOTED)
}

/// The strings of a JSON error with their fields: `{"scenarios": ["…"]}`, `["…"]`, `{"detail": "…"}`, nested or not.
fn collect(field: Option<&str>, value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::String(text) => parts.push(match field {
            Some(field) if field != "detail" => format!("{field}: {text}"),
            _ => text.clone(),
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(field, item, parts)),
        Value::Object(fields) => {
            for (key, value) in fields {
                collect(Some(key), value, parts);
            }
        }
        Value::Null => {}
        other => parts.push(match field {
            Some(field) => format!("{field}: {other}"),
            None => other.to_string(),
        }),
    }
}

/// What the reader can do where the acceptance of a submission is unknown.
pub(super) const LOOK_FOR_THE_RUN: &str = "look for the run at Cekura before running it again";

/// What the reader can do about a status.
pub(super) const fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => {
            "set evaluator.url to the address it redirects to: requests are not redirected"
        }
        400 | 422 => {
            "check that the scenario ids are valid and the scenarios belong to the key's project"
        }
        401 | 403 => "check CEKURA_API_KEY",
        402 => "the account's balance does not cover it",
        404 | 405 => "check evaluator.url and the paths in [evaluator]",
        413 => "lower evaluator.entries_per_request",
        429 => "lower limits.requests",
        _ => LOOK_FOR_THE_RUN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> ForeignText {
        error_message(&HttpResponse {
            status: 400,
            retry_after: None,
            date: None,
            body: body.as_bytes().to_vec(),
            truncated: false,
        })
    }

    #[test]
    fn errors_of_every_form_become_one_line() {
        assert_eq!(message(r#"{"scenarios":["Invalid ids"]}"#), "scenarios: Invalid ids");
        assert_eq!(
            message(r#"["Invalid personalities provided."]"#),
            "Invalid personalities provided."
        );
        assert_eq!(message(r#"{"detail":"Insufficient balance"}"#), "Insufficient balance");
        assert_eq!(message(r#"{"errors":{"path":["a","b"]}}"#), "path: a; path: b");
        assert_eq!(message("<html><title>502 Bad Gateway</title>"), "a web page: 502 Bad Gateway");
        assert_eq!(message("plain\n text"), "plain text");
        assert_eq!(message(" "), "an empty answer");
        let long = message(&"x".repeat(5000));
        assert!(long.ends_with("x… (4700 bytes more)") && long.len() < 330, "{long}");
    }
}
