//! A service's complaint in words fit for a report: short, in one line, without tokens, with advice.

use serde_json::Value;

use rushhour_livekit::http::HttpResponse;

const LONGEST: usize = 300;

/// What the answer says, whatever its shape.
pub fn words_of(answer: &HttpResponse) -> String {
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return "an empty answer".to_owned();
    }
    let text = if answer.is_page() {
        let page = String::from_utf8_lossy(&answer.body);
        let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        match title {
            Some((title, _)) => format!("a web page: {title}"),
            None => "a web page".to_owned(),
        }
    } else if let Ok(json) = serde_json::from_slice::<Value>(&answer.body) {
        let mut parts = Vec::new();
        collect(None, &json, &mut parts);
        parts.join("; ")
    } else {
        String::from_utf8_lossy(&answer.body).into_owned()
    };
    shorten(&text)
}

/// Texts of a JSON complaint with the field they complain of: `{"scenarios": ["…"]}`, `["…"]`, `{"detail": "…"}`, nested or not.
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

/// One line of bounded length, without control characters.
pub(super) fn shorten(text: &str) -> String {
    let line: String =
        text.chars().take(4 * LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    let cut: String = line.chars().take(LONGEST).collect();
    format!("{cut}...")
}

/// What the reader may do about a status.
pub(super) const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => "set evaluator.url to the address it points to: a submission is never sent on",
        400 | 422 => {
            "check that the scenario ids are valid and the scenarios belong to the key's project"
        }
        401 | 403 => "check CEKURA_API_KEY",
        402 => "the account's balance does not cover it",
        404 | 405 => "check evaluator.url and the paths in [evaluator]",
        413 => "lower evaluator.entries_per_request",
        429 => "lower limits.requests",
        _ => "look for the run at Cekura before running it again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(body: &str) -> String {
        words_of(&HttpResponse {
            status: 400,
            retry_after: None,
            date: None,
            body: body.as_bytes().to_vec(),
            cut: false,
        })
    }

    #[test]
    fn complaints_read_as_one_line_in_every_shape() {
        assert_eq!(words(r#"{"scenarios":["Invalid ids"]}"#), "scenarios: Invalid ids");
        assert_eq!(
            words(r#"["Invalid personalities provided."]"#),
            "Invalid personalities provided."
        );
        assert_eq!(words(r#"{"detail":"Insufficient balance"}"#), "Insufficient balance");
        assert_eq!(words(r#"{"errors":{"path":["a","b"]}}"#), "path: a; path: b");
        assert_eq!(words("<html><title>502 Bad Gateway</title>"), "a web page: 502 Bad Gateway");
        assert_eq!(words("plain\n text"), "plain text");
        assert_eq!(words(" "), "an empty answer");
        assert_eq!(words(&"x".repeat(5000)).len(), 303);
    }
}
