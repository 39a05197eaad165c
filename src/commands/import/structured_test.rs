//! What of a structured test of Cekura (`conditional_actions`) a script can do. Cekura's caller is a language model that
//! understands conditions and follows instructions; ours says words, when an expression matches.

use std::fmt::Write;

use serde_json::Value;

use rushhour_core::units::is_invisible;

/// The most conditions that are read: a script has at most as many rules.
const MOST_CONDITIONS: usize = 100;
/// The condition of what the caller says first.
const FIRST_MESSAGE: &str = "FIRST_MESSAGE";
/// How often a rule is followed: agents ask again.
const AT_MOST: u32 = 3;
/// Words of a condition that are looked for.
const MOST_WORDS: usize = 3;
/// Words of conditions that say nothing of what is heard.
const EMPTY_WORDS: [&str; 53] = [
    "a",
    "about",
    "after",
    "again",
    "agent",
    "agents",
    "ai",
    "an",
    "and",
    "any",
    "are",
    "as",
    "ask",
    "asked",
    "asking",
    "asks",
    "assistant",
    "bot",
    "caller",
    "do",
    "does",
    "for",
    "has",
    "have",
    "if",
    "in",
    "is",
    "it",
    "main",
    "of",
    "on",
    "once",
    "or",
    "request",
    "requests",
    "say",
    "says",
    "tell",
    "tells",
    "testing",
    "that",
    "the",
    "them",
    "they",
    "this",
    "to",
    "user",
    "want",
    "wants",
    "what",
    "when",
    "whether",
    "you",
];

/// A script, and what it lacks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ImportedScript {
    /// As TOML.
    pub(super) script: String,
    /// What of the test is not in it, in words.
    pub(super) left_out: Vec<String>,
}

/// Why nothing becomes of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ImportError {
    #[error("it holds several scenarios")]
    Several,
    #[error("it has no conditions: it is no structured test")]
    NoConditions,
    #[error("it has more than {MOST_CONDITIONS} conditions")]
    TooMany,
    #[error("it does not say word for word what the caller says first")]
    NoFirstMessage,
}

impl ImportError {
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Several => "import one at a time, such as with `jq '.results[0]'`",
            Self::NoConditions => {
                "only scenarios of the type `conditional_actions` can be imported; others are instructions for a language model"
            }
            Self::TooMany => "remove some of them",
            Self::NoFirstMessage => {
                "give it a condition FIRST_MESSAGE with a fixed message, or a `first_message`"
            }
        }
    }
}

/// The script of a structured test, as far as it fits.
pub(super) fn script_of(test: &Value) -> Result<ImportedScript, ImportError> {
    if test.is_array() || test.get("results").is_some_and(Value::is_array) {
        return Err(ImportError::Several);
    }
    let actions = test.get("conditional_actions").unwrap_or(test);
    let conditions = actions.get("conditions").and_then(Value::as_array);
    let conditions = conditions.filter(|all| !all.is_empty()).ok_or(ImportError::NoConditions)?;
    if conditions.len() > MOST_CONDITIONS {
        return Err(ImportError::TooMany);
    }
    let mut left_out = Vec::new();
    let mut rules = String::new();
    let mut first = text(test, "first_message").map(str::to_owned);
    for one in conditions {
        let condition = text(one, "condition").unwrap_or_default();
        let action = text(one, "action").unwrap_or_default();
        let reason = reason_to_leave_out(one, action);
        if condition == FIRST_MESSAGE {
            match reason {
                None => first = Some(action.to_owned()),
                Some(reason) => left_out.push(format!("the first message: {reason}")),
            }
            continue;
        }
        let words = telling_words(condition);
        let reason = reason.or_else(|| {
            words.is_empty().then(|| "no word of its condition tells what is heard".to_owned())
        });
        add_rule(&mut rules, condition, &words, action, reason.as_deref());
        if let Some(reason) = reason {
            left_out.push(format!("\u{201c}{condition}\u{201d}: {reason}"));
        }
    }
    let first = first.ok_or(ImportError::NoFirstMessage)?;
    for (key, what) in [
        ("role", "who the caller is, which only a language model can play"),
        ("expected_outcome_prompt", "the expected outcome: let Cekura judge, or write `expect`"),
        ("personality", "the caller's personality: see `voice` of a scenario"),
        ("metrics", "Cekura's metrics"),
        ("information_fields", "information for a language model"),
        ("test_profile", "the test profile: write its values into the script"),
    ] {
        let has = |value: &Value| {
            value.get(key).is_some_and(|value| !matches!(value, Value::Null) && !is_empty(value))
        };
        if has(test) || has(actions) {
            left_out.push(format!("`{key}`, {what}"));
        }
    }
    let mut script = String::from(
        "# From a structured test of Cekura. `hears` is a guess from its condition: correct it.\n",
    );
    let _ = write!(script, "\n[[turn]]\nsay = {}\n{rules}", quoted(&first));
    Ok(ImportedScript { script, left_out })
}

fn text<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    of.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn is_empty(value: &Value) -> bool {
    value.as_str().is_some_and(str::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Why a script cannot do what a condition has.
fn reason_to_leave_out(one: &Value, action: &str) -> Option<String> {
    let kind = text(one, "type").unwrap_or("standard");
    if kind != "standard" {
        return Some(format!("it is of the type `{kind}`"));
    }
    if action.is_empty() {
        return Some("it has no action".to_owned());
    }
    if one.get("fixed_message").and_then(Value::as_bool) != Some(true) {
        return Some(format!(
            "\u{201c}{action}\u{201d} is an instruction; write what the caller says"
        ));
    }
    if action.contains("{{") || action.contains('<') {
        return Some(format!("\u{201c}{action}\u{201d} has a placeholder or a tag"));
    }
    None
}

/// The words of a condition that the agent may say.
fn telling_words(condition: &str) -> Vec<String> {
    let words = condition.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    let telling = words.filter(|word| {
        word.chars().count() > 1 && !EMPTY_WORDS.contains(&word.as_str()) && word != "your"
    });
    telling.take(MOST_WORDS).collect()
}

/// A rule; one that is left out is a comment to complete.
fn add_rule(
    rules: &mut String,
    condition: &str,
    words: &[String],
    action: &str,
    reason: Option<&str>,
) {
    let hears = format!("(?i){}", words.join(".*"));
    let mark = if reason.is_some() { "# " } else { "" };
    // A comment has one line.
    let condition: String =
        condition.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = write!(
        rules,
        "\n# {condition}\n{mark}[[rule]]\n{mark}hears = {}\n{mark}say = {}\n{mark}at_most = {AT_MOST}\n",
        quoted(&hears),
        quoted(action),
    );
}

/// As a basic string of TOML, on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if is_invisible(c) => {
                let _ = match u32::from(c) {
                    code @ ..=0xFFFF => write!(quoted, "\\u{code:04X}"),
                    code => write!(quoted, "\\U{code:08X}"),
                };
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fixed_messages_become_turns_and_rules_and_the_rest_is_told() {
        let test = json!({
            "name": "Book",
            "scenario_type": "conditional_actions",
            "personality": 5,
            "metrics": [],
            "conditional_actions": {
                "role": "You are a patient calling to schedule an appointment",
                "conditions": [
                    {"id": 0, "condition": "FIRST_MESSAGE", "action": "Hi, I \"need\" an appointment",
                     "type": "standard", "fixed_message": true},
                    {"id": 1, "condition": "when the agent asks for your date of birth",
                     "action": "The first of May.\n1990", "type": "standard", "fixed_message": true},
                    {"id": 2, "condition": "when the agent asks for your name",
                     "action": "Provide your full name", "type": "standard", "fixed_message": false},
                    {"id": 3, "condition": "asks again", "action": "No.", "fixed_message": true},
                    {"id": 4, "condition": "goodbye", "action": "", "type": "end_call"},
                    {"id": 5, "condition": "order number", "action": "{{order}}", "fixed_message": true},
                ],
            },
        });
        let imported = script_of(&test).unwrap();
        let expected = r#"# From a structured test of Cekura. `hears` is a guess from its condition: correct it.

[[turn]]
say = "Hi, I \"need\" an appointment"

# when the agent asks for your date of birth
[[rule]]
hears = "(?i)date.*birth"
say = "The first of May.\n1990"
at_most = 3

# when the agent asks for your name
# [[rule]]
# hears = "(?i)name"
# say = "Provide your full name"
# at_most = 3

# asks again
# [[rule]]
# hears = "(?i)"
# say = "No."
# at_most = 3

# goodbye
# [[rule]]
# hears = "(?i)goodbye"
# say = ""
# at_most = 3

# order number
# [[rule]]
# hears = "(?i)order.*number"
# say = "{{order}}"
# at_most = 3
"#;
        assert_eq!(imported.script, expected);
        let left_out: Vec<&str> =
            imported.left_out.iter().map(|line| line.split([':', ',']).next().unwrap()).collect();
        assert_eq!(
            left_out,
            [
                "\u{201c}when the agent asks for your name\u{201d}",
                "\u{201c}asks again\u{201d}",
                "\u{201c}goodbye\u{201d}",
                "\u{201c}order number\u{201d}",
                "`role`",
                "`personality`",
            ]
        );
    }

    #[test]
    fn what_is_no_structured_test_is_told() {
        let error = |test| script_of(&test).unwrap_err();
        assert_eq!(error(json!({"instructions": "Book."})), ImportError::NoConditions);
        assert_eq!(error(json!([])), ImportError::Several);
        assert_eq!(error(json!({"results": [{}]})), ImportError::Several);
        assert_eq!(error(json!("text")), ImportError::NoConditions);
        let one = json!({"condition": "name", "action": "Smith.", "fixed_message": true});
        assert_eq!(error(json!({"conditions": [one]})), ImportError::NoFirstMessage);
        assert_eq!(error(json!({"conditions": vec![one.clone(); 101]})), ImportError::TooMany);
        let test = json!({"first_message": "Hello.", "conditional_actions": {"conditions": [one]}});
        assert!(script_of(&test).unwrap().script.contains("say = \"Hello.\""));
    }
}
