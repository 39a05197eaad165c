//! Finds and masks secrets in the text of a profile.

use std::ops::Range;

/// What the names of keys that hold a secret end with, in lower case and without `-`, `_` and a plural's `s`; `key` alone
/// is too common a word.
const SECRET_NAMES: [&str; 10] = [
    "apikey",
    "secret",
    "token",
    "password",
    "passwd",
    "accesskey",
    "secretkey",
    "privatekey",
    "credential",
    "authorization",
];

/// Whether a key's name says that it holds a secret, however it is spelt: `LIVEKIT_API_SECRET`, `API-Secret`, `tokens`.
pub fn is_secret_name(name: &str) -> bool {
    let letters = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    let name: String = letters.collect();
    let name = name.strip_suffix('s').unwrap_or(&name);
    SECRET_NAMES.iter().any(|secret| name.ends_with(secret))
}

/// The shortest text that counts as a token.
const SHORTEST_TOKEN: usize = 16;

/// The JSON Web Tokens in a text (RFC 7519: base64url of a JSON object, which begins with `eyJ`).
pub(super) fn tokens_in(text: &str) -> Vec<Range<usize>> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find("eyJ").map(|at| from + at) {
        let end = text[start..].find(|c| !is_token(c)).map_or(text.len(), |length| start + length);
        if end - start >= SHORTEST_TOKEN {
            found.push(start..end);
        }
        from = end;
    }
    found
}

/// Masks secrets without changing the length of the text: tokens, passwords in URLs, and the values of
/// keys that hold a secret, including the keys at `keys`.
pub(super) fn masked(text: &str, keys: &[Range<usize>]) -> String {
    let mut hidden = tokens_in(text);
    hidden.extend(passwords_in(text));
    hidden.extend(parameters_in(text));
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.trim_end_matches('\n').len();
        let here = |key: &Range<usize>| (at..end).contains(&key.start) && key.end <= end;
        let values = secret_keys_in(line)
            .map(|key| at + key.start..at + key.end)
            .chain(keys.iter().filter(|key| here(key)).cloned())
            .filter_map(|key| Some(key.end + value_after(text.get(key.end..end)?)?));
        hidden.extend(values.min().map(|value| value..end));
        at += line.len();
    }
    // Where a value is reported, and not its key, the value is the secret.
    let is_value = |key: &&Range<usize>| {
        text.get(key.end..).is_none_or(|rest| value_after(first_line(rest)).is_none())
    };
    hidden.extend(keys.iter().filter(is_value).cloned());
    hidden.sort_by_key(|range| range.start);
    let mut hidden = hidden.into_iter().peekable();
    let mut hide_until = 0;
    text.char_indices()
        .map(|(at, c)| {
            while let Some(range) = hidden.next_if(|range| range.start <= at) {
                hide_until = hide_until.max(range.end);
            }
            let hide = c != '\n' && at < hide_until;
            if hide { "*".repeat(c.len_utf8()) } else { c.to_string() }
        })
        .collect()
}

/// The secret keys in a line: words that are followed by a value.
fn secret_keys_in(line: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let continues_key = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + line[at..].find(continues_key)?;
        let end = line[start..].find(|c| !continues_key(c)).map_or(line.len(), |end| start + end);
        at = end;
        Some(start..end)
    })
    .filter(|key| is_secret_name(&line[key.clone()]))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Where the value begins in the text after a key, if a value is set.
fn value_after(rest: &str) -> Option<usize> {
    let gap = rest.find(|c: char| !c.is_whitespace() && !"\"'".contains(c))?;
    rest[gap..].starts_with(['=', ':']).then_some(gap + 1)
}

/// The values of parameters in addresses that are named like secrets.
fn parameters_in(text: &str) -> Vec<Range<usize>> {
    let ends = |c: char| c.is_whitespace() || "\"'&;#".contains(c);
    text.match_indices(['?', '&', ';', '#'])
        .filter_map(|(at, _)| {
            let start = at + 1;
            let end = text[start..].find(ends).map_or(text.len(), |length| start + length);
            let (name, _) = text[start..end].split_once('=')?;
            is_secret_name(name).then_some(start + name.len() + 1..end)
        })
        .collect()
}

/// The text between `://` and `@` in URLs.
fn passwords_in(text: &str) -> Vec<Range<usize>> {
    text.match_indices("://")
        .filter_map(|(at, _)| {
            let start = at + 3;
            let end = text[start..].find(|c: char| c.is_whitespace() || "\"'/@".contains(c))?;
            text[start + end..].starts_with('@').then_some(start..start + end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

    #[test]
    fn secrets_are_masked_and_the_length_stays() {
        for (text, shown) in [
            (
                format!("a = \"{TOKEN}\"\nb = 1"),
                format!("a = \"{}\"\nb = 1", "*".repeat(TOKEN.len())),
            ),
            ("api_secret = \"é\" # x\nb".to_owned(), format!("api_secret ={}\nb", "*".repeat(9))),
            ("{ \"token\" = 7 }".to_owned(), "{ \"token\" =****".to_owned()),
            ("livekit.secret=abc".to_owned(), "livekit.secret=***".to_owned()),
            ("LIVEKIT_API_SECRET = 'a'".to_owned(), "LIVEKIT_API_SECRET =****".to_owned()),
            ("API-Secret=abc".to_owned(), "API-Secret=***".to_owned()),
            ("\"tokens\" = [1]".to_owned(), "\"tokens\" =****".to_owned()),
            (
                "url = \"wss://h?api_key=pw&a=1\"".to_owned(),
                "url = \"wss://h?api_key=*******".to_owned(),
            ),
            ("url = \"wss://me:pw@h\"".to_owned(), "url = \"wss://*****@h\"".to_owned()),
        ] {
            assert_eq!(masked(&text, &[]), shown, "{text}");
            assert_eq!(masked(&text, &[]).len(), text.len());
        }
        let key = "key = \"abc\"";
        assert_eq!(masked(key, &[]), key);
        let range = 0..3;
        assert_eq!(masked(key, std::slice::from_ref(&range)), "key =******");
    }

    #[test]
    fn text_that_only_resembles_a_secret_is_shown() {
        for text in [
            "secret_file = \"livekit.secret\"",
            "token_lifetime = 3 # eyJ",
            "url = \"wss://host/@\"",
            "dispatch = \"token\"",
            "",
        ] {
            assert_eq!(masked(text, &[]), text);
        }
    }
}
