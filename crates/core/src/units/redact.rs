//! Keys and tokens in words: found wherever they stand, whole or in part, and replaced.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::secret::Secret;

/// What stands for a secret.
const REDACTED: &str = "[redacted]";
/// The shortest secret that is replaced; shorter ones are parts of ordinary words.
const SHORTEST_SECRET: usize = 4;
/// The shortest secret that is replaced in JSON: shorter ones may be names of fields.
const SHORTEST_SECRET_IN_JSON: usize = 12;
/// The shortest part of a secret that is replaced where nothing but its beginning or its end stands between other
/// characters: a service may show a key cut off.
const SHORTEST_PART: usize = 8;
/// The shortest part that is replaced wherever it stands.
const SHORTEST_PART_ANYWHERE: usize = 12;
/// The shortest token.
const SHORTEST_TOKEN: usize = 16;

/// The secrets of this process, so that words from outside can be redacted wherever they arrive.
static KNOWN: Mutex<Option<KnownSecrets>> = Mutex::new(None);

/// Remembers a secret, which [`redact`] replaces from now on.
pub fn remember_secret(secret: &Secret) {
    with_known(|known| known.add(secret));
}

fn with_known<R>(act: impl FnOnce(&mut KnownSecrets) -> R) -> R {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    act(known.get_or_insert_default())
}

/// Replaces everything that looks like a token (a JWT, RFC 7519: three parts of base64url, the first of
/// which begins with `eyJ`), every secret that this process remembers, and the given ones; also where only a part of one
/// is shown.
pub fn redact(text: &str, secrets: &[&Secret]) -> String {
    let mut given = KnownSecrets::default();
    for secret in secrets {
        given.add(secret);
    }
    let text = given.replace(text, SHORTEST_SECRET).unwrap_or_else(|| text.to_owned());
    let known = with_known(|known| known.replace(&text, SHORTEST_SECRET));
    replace_tokens(known.unwrap_or(text))
}

/// The same for JSON, which stays JSON. `None` where there is nothing to replace.
pub fn redact_json(text: &str) -> Option<String> {
    let known = with_known(|known| known.replace(text, SHORTEST_SECRET_IN_JSON));
    match known {
        None if !text.contains("eyJ") => None,
        known => Some(replace_tokens(known.unwrap_or_else(|| text.to_owned()))),
    }
}

/// Secrets, and where parts of them may begin.
#[derive(Default)]
struct KnownSecrets {
    secrets: Vec<Secret>,
    /// Every sequence of [`SHORTEST_PART`] bytes in a secret that is longer.
    windows: HashSet<[u8; SHORTEST_PART]>,
    /// The first two bytes of each, as bits: most places in a text need no more than a look here.
    pairs: Vec<bool>,
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

impl KnownSecrets {
    fn add(&mut self, secret: &Secret) {
        let text = secret.expose();
        if text.len() < SHORTEST_SECRET || self.secrets.iter().any(|one| one.expose() == text) {
            return;
        }
        self.pairs.resize(1 << 16, false);
        for window in text.as_bytes().windows(SHORTEST_PART) {
            self.pairs[pair(window)] = true;
            self.windows.insert(window.try_into().expect("it is a window of this length"));
        }
        self.secrets.push(secret.clone());
        // Of secrets that begin alike, the longest is looked for first.
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    }

    /// The text without secrets of at least `shortest` bytes and their parts; `None` if it has none.
    fn replace(&self, text: &str, shortest: usize) -> Option<String> {
        let mut replaced: Option<String> = None;
        for secret in self.secrets.iter().map(Secret::expose) {
            let shown = replaced.as_deref().unwrap_or(text);
            if secret.len() >= shortest && shown.contains(secret) {
                replaced = Some(shown.replace(secret, REDACTED));
            }
        }
        let shown = replaced.as_deref().unwrap_or(text);
        self.replace_parts(shown, shortest).or(replaced)
    }

    fn replace_parts(&self, text: &str, shortest: usize) -> Option<String> {
        if self.windows.is_empty() {
            return None;
        }
        let bytes = text.as_bytes();
        let (mut replaced, mut copied, mut at) = (String::new(), 0, 0);
        while let Some(window) = bytes.get(at..at + SHORTEST_PART) {
            let may_begin = self.pairs[pair(window)] && self.windows.contains(window);
            let length = if may_begin { self.part_at(text, at, shortest) } else { 0 };
            if length == 0 {
                at += 1;
                continue;
            }
            replaced.push_str(&text[copied..at]);
            replaced.push_str(REDACTED);
            at += length;
            copied = at;
        }
        (copied > 0).then(|| replaced + &text[copied..])
    }

    /// The length of the longest part of a secret that begins in a text at a position; 0 if there is none that must
    /// not be shown.
    fn part_at(&self, text: &str, at: usize, shortest: usize) -> usize {
        let bytes = text.as_bytes();
        let is_inside = |index: usize| {
            let byte = bytes.get(index);
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-_+/=".contains(byte))
        };
        let begins_alone = at == 0 || !is_inside(at - 1);
        let mut longest = 0;
        for secret in self.secrets.iter().map(|secret| secret.expose().as_bytes()) {
            let starts = secret.windows(SHORTEST_PART).enumerate();
            let starts = starts.filter(|(_, window)| bytes[at..].starts_with(window));
            for (start, _) in starts.filter(|_| secret.len() >= shortest) {
                let pairs = bytes[at..].iter().zip(&secret[start..]);
                let length = pairs.take_while(|(one, other)| one == other).count();
                let ends_alone = !is_inside(at + length);
                let is_beginning = start == 0 && begins_alone && ends_alone;
                let is_end = start + length == secret.len() && begins_alone && ends_alone;
                if (length >= SHORTEST_PART_ANYWHERE || is_beginning || is_end)
                    && text.is_char_boundary(at)
                    && text.is_char_boundary(at + length)
                {
                    longest = longest.max(length);
                }
            }
        }
        longest
    }
}

fn replace_tokens(text: String) -> String {
    if !text.contains("eyJ") {
        return text;
    }
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find("eyJ") {
        let end = rest[start..].find(|c| !is_token(c)).map_or(rest.len(), |length| start + length);
        shown.push_str(&rest[..start]);
        shown.push_str(if end - start >= SHORTEST_TOKEN { REDACTED } else { &rest[start..end] });
        rest = &rest[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_secrets_are_redacted_everywhere() {
        let key = Secret::new("key-1234");
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
        let text = format!("bad {{\"access_token\":\"{token}\"}} for key-1234 (eyJ is fine)");
        assert_eq!(
            redact(&text, &[&key]),
            "bad {\"access_token\":\"[redacted]\"} for [redacted] (eyJ is fine)"
        );
        assert_eq!(redact(token, &[]), "[redacted]");
        assert_eq!(redact("", &[&Secret::new("")]), "");
    }

    /// The longest part of a secret in a text.
    fn longest_part(text: &str, secret: &str) -> usize {
        let parts =
            (0..secret.len()).flat_map(|from| (from + 1..=secret.len()).map(move |to| (from, to)));
        let shown = parts.filter(|(from, to)| text.contains(&secret[*from..*to]));
        shown.map(|(from, to)| to - from).max().unwrap_or(0)
    }

    #[test]
    fn a_secret_that_is_cut_anywhere_is_redacted_in_every_surrounding() {
        let secret = "Xq7vT2mK9wLp4RzN8sYc1HdF6gJb3AeU";
        let known = Secret::new(secret);
        let surroundings: [fn(&str) -> String; 10] = [
            |part| part.to_owned(),
            |part| format!("the key {part} is not valid"),
            |part| format!("the key '{part}...' is not valid"),
            |part| format!("{part}…"),
            |part| format!("{part}****"),
            |part| format!("{{\"key\":\"{part}\"}}"),
            |part| format!("X-Api-Key: {part}\r\nHost: x"),
            |part| format!("https://user:{part}@proxy"),
            |part| format!("?api_key={part}&x=1").replace("api_key=", "k "),
            |part| format!("{}{part}", "é ".repeat(300)),
        ];
        for around in surroundings {
            for cut in 1..=secret.len() {
                for part in [&secret[..cut], &secret[secret.len() - cut..]] {
                    let shown = redact(&around(part), &[&known]);
                    let seen = longest_part(&shown, secret);
                    assert!(seen < SHORTEST_PART, "{cut}: {shown}");
                    if cut < SHORTEST_PART {
                        assert_eq!(shown, around(part), "a few characters are no secret");
                    }
                }
            }
        }
        // Glued to other characters, or cut at both ends.
        for from in 0..secret.len() {
            for to in from + 1..=secret.len() {
                let shown = redact(&format!("a{}b", &secret[from..to]), &[&known]);
                assert!(longest_part(&shown, secret) < SHORTEST_PART_ANYWHERE, "{shown}");
            }
        }
    }

    #[test]
    fn ordinary_words_that_a_secret_begins_with_stay() {
        let known = Secret::new("livekit-secret-of-a-careless-person");
        for text in
            ["livekit-server 1.13.5", "livekit-agents", "a careless person", "rushhour-livekit-s"]
        {
            assert_eq!(redact(text, &[&known]), text);
        }
    }

    #[test]
    fn a_token_that_is_cut_is_redacted() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
        for cut in SHORTEST_TOKEN..=token.len() {
            assert_eq!(redact(&format!("bad {}…", &token[..cut]), &[]), "bad [redacted]…");
        }
    }

    #[test]
    fn json_stays_json() {
        let secret = "a-secret-of-the-json-test";
        remember_secret(&Secret::new(secret));
        for cut in SHORTEST_PART..=secret.len() {
            let json = format!("{{\"identity\":\"x {}\"}}", &secret[..cut]);
            assert_eq!(redact_json(&json).as_deref(), Some("{\"identity\":\"x [redacted]\"}"));
        }
        assert_eq!(redact_json("{\"json\":1}"), None);
    }
}
