//! What is different between two profiles, setting by setting.

use serde_json::Value;

use rushhour_core::profile::Profile;

/// Differences told at the most; the rest is counted.
const MOST: usize = 12;

/// Each setting that differs, with both its values: `limits.in_flight: 50, then 100`.
pub(super) fn differences(baseline: &Profile, candidate: &Profile) -> Vec<String> {
    let json = |profile| serde_json::to_value(profile).unwrap_or(Value::Null);
    let mut found = Vec::new();
    collect(&json(baseline), &json(candidate), "", &mut found);
    if found.len() > MOST {
        let more = found.len() - MOST;
        found.truncate(MOST);
        found.push(format!("and {more} more"));
    }
    found
}

fn collect(from: &Value, to: &Value, path: &str, found: &mut Vec<String>) {
    if from == to {
        return;
    }
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (from, to) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let value = |of: &serde_json::Map<String, Value>| {
                    of.get(key).cloned().unwrap_or(Value::Null)
                };
                collect(&value(one), &value(other), &below(key), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (from, to)) in one.iter().zip(other).enumerate() {
                collect(from, to, &below(&index.to_string()), found);
            }
        }
        _ => found.push(format!("{path}: {}, then {}", short(from), short(to))),
    }
}

/// Values are one line, and not a long one.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= 40 {
        return text;
    }
    let begin: String = text.chars().take(37).collect();
    format!("{begin}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(from: &str, to: &str) -> Vec<String> {
        let json = |text| serde_json::from_str(text).unwrap();
        let mut found = Vec::new();
        collect(&json(from), &json(to), "", &mut found);
        found
    }

    #[test]
    fn each_difference_is_told_at_its_place() {
        let from = r#"{"seed":1,"limits":{"in_flight":50,"polls":"1/s"},"stages":[{"name":"a"}]}"#;
        let to = r#"{"seed":1,"limits":{"in_flight":99},"stages":[{"name":"b"}]}"#;
        assert_eq!(
            found(from, to),
            [
                "limits.in_flight: 50, then 99",
                "limits.polls: 1/s, then none",
                "stages.0.name: a, then b"
            ]
        );
        assert!(found(from, from).is_empty());
    }
}
