//! Secrets that were written into a profile all the same: found, and blotted out of what is shown of it.

use std::ops::Range;

/// Keys whose values are not shown, whatever is wrong with them; a lone `key` is too common a word.
const SECRET_WORDS: [&str; 7] =
    ["api_key", "api_secret", "cekura_api_key", "access_token", "secret", "token", "password"];
/// The shortest text that is taken for a token.
const SHORTEST_TOKEN: usize = 16;

/// Where a text holds JSON Web Tokens (RFC 7519: base64url of an object, so it begins with `eyJ`).
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

/// The text with its secrets blotted out, byte for byte as long as before: tokens, passwords in
/// addresses, and what is set by keys that would hold a secret, among them those at `keys`.
pub(super) fn masked(text: &str, keys: &[Range<usize>]) -> String {
    let mut hidden = tokens_in(text);
    hidden.extend(passwords_in(text));
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.trim_end_matches('\n').len();
        let here = |key: &Range<usize>| (at..end).contains(&key.start) && key.end <= end;
        let values = worded(line)
            .map(|key| at + key.start..at + key.end)
            .chain(keys.iter().filter(|key| here(key)).cloned())
            .filter_map(|key| Some(key.end + value_after(text.get(key.end..end)?)?));
        hidden.extend(values.min().map(|value| value..end));
        at += line.len();
    }
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

/// Where keys that hold secrets stand in a line.
fn worded(line: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    SECRET_WORDS
        .iter()
        .flat_map(move |word| line.match_indices(word).map(|(at, word)| at..at + word.len()))
        .filter(move |key| {
            !line[..key.start].ends_with(joins) && !line[key.end..].starts_with(joins)
        })
}

/// Where the value begins in what follows a key; none where nothing is set.
fn value_after(rest: &str) -> Option<usize> {
    let gap = rest.find(|c: char| !c.is_whitespace() && !"\"'".contains(c))?;
    rest[gap..].starts_with('=').then_some(gap + 1)
}

/// What stands between `://` and `@` in addresses.
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
    fn secrets_are_blotted_out_and_nothing_moves() {
        for (text, shown) in [
            (
                format!("a = \"{TOKEN}\"\nb = 1"),
                format!("a = \"{}\"\nb = 1", "*".repeat(TOKEN.len())),
            ),
            ("api_secret = \"é\" # x\nb".to_owned(), format!("api_secret ={}\nb", "*".repeat(9))),
            ("{ \"token\" = 7 }".to_owned(), "{ \"token\" =****".to_owned()),
            ("livekit.secret=abc".to_owned(), "livekit.secret=***".to_owned()),
            ("url = \"wss://me:pw@h\"".to_owned(), "url = \"wss://*****@h\"".to_owned()),
        ] {
            assert_eq!(masked(&text, &[]), shown, "{text}");
            assert_eq!(masked(&text, &[]).len(), text.len());
        }
        let key = "key = \"abc\"";
        assert_eq!(masked(key, &[]), key);
        let place = 0..3;
        assert_eq!(masked(key, std::slice::from_ref(&place)), "key =******");
    }

    #[test]
    fn what_only_resembles_a_secret_is_shown() {
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
