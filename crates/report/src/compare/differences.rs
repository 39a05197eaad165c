//! The differences between two profiles, setting by setting.

use serde_json::Value;

use rushhour_core::profile::Profile;

/// The most differences that are listed; the remaining ones are counted.
const MOST_LISTED: usize = 12;
/// The most characters of a value.
const LONGEST_VALUE: usize = 40;

/// One difference between two profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileDifference {
    /// A setting with different values.
    Setting {
        /// The setting's path, such as `limits.in_flight`.
        path: String,
        /// The baseline's value, shortened.
        baseline: String,
        /// The candidate's value, shortened.
        candidate: String,
    },
    /// This many more settings differ.
    More(usize),
}

pub(super) fn differences(baseline: &Profile, candidate: &Profile) -> Vec<ProfileDifference> {
    let json = |profile| serde_json::to_value(profile).unwrap_or(Value::Null);
    let mut found = Vec::new();
    collect(&json(baseline), &json(candidate), "", &mut found);
    if found.len() > MOST_LISTED {
        let more = found.len() - MOST_LISTED;
        found.truncate(MOST_LISTED);
        found.push(ProfileDifference::More(more));
    }
    found
}

fn collect(from: &Value, to: &Value, path: &str, found: &mut Vec<ProfileDifference>) {
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
        _ => found.push(ProfileDifference::Setting {
            path: path.to_owned(),
            baseline: shortened(from),
            candidate: shortened(to),
        }),
    }
}

fn shortened(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST_VALUE {
        return text;
    }
    let start: String = text.chars().take(LONGEST_VALUE - 3).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(from: &str, to: &str) -> Vec<String> {
        let json = |text| serde_json::from_str(text).unwrap();
        let mut found = Vec::new();
        collect(&json(from), &json(to), "", &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_difference_names_its_setting() {
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
