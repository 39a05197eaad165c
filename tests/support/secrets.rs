//! A search for keys, secrets and tokens in everything that is printed and written, in every form they may take.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::bytes::Regex;

/// Every key and secret that a test uses: none may be printed or written anywhere.
const SECRETS: &[&str] = &[
    "key-of-the-tests-4711",
    "secret-of-the-tests-with-more-than-32-characters",
    "cekura-key-of-the-tests-0815",
    "livekit-secret-of-the-tests-of-enough-characters",
    "sandbox-secret-of-at-least-32-characters",
    "sandbox-cekura-key",
];

/// The start of every token: a header with `typ` and `alg` in either order, in base64url.
const TOKEN_HEADERS: &[&str] =
    &["eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"];

static ALL: LazyLock<Regex> = LazyLock::new(|| pattern(&[SECRETS, TOKEN_HEADERS].concat()));
static TOKENS: LazyLock<Regex> = LazyLock::new(|| pattern(TOKEN_HEADERS));

/// The position of the first secret or token in `bytes`.
pub(super) fn find_secret(bytes: &[u8]) -> Option<usize> {
    ALL.find(bytes).map(|found| found.start())
}

/// The position of the first token in `bytes`; keys of the sandbox may be there.
pub(super) fn find_token(bytes: &[u8]) -> Option<usize> {
    TOKENS.find(bytes).map(|found| found.start())
}

/// Asserts that no file below a folder holds a secret, except those for which `is_expected` holds.
#[track_caller]
pub(super) fn assert_none_below(folder: &Path, is_expected: &dyn Fn(&Path) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if is_expected(&path) {
            continue;
        }
        if path.is_dir() {
            assert_none_below(&path, is_expected);
        } else if let Ok(bytes) = fs::read(&path)
            && let Some(at) = find_secret(&bytes)
        {
            panic!("a secret is in {}, at byte {at}", path.display());
        }
    }
}

/// Matches these texts as they are, in hexadecimal, and in base64 at any offset.
fn pattern(texts: &[&str]) -> Regex {
    let forms: Vec<String> =
        texts.iter().flat_map(|text| forms(text)).map(|form| regex::escape(&form)).collect();
    Regex::new(&format!("(?-u){}", forms.join("|"))).expect("literals are a pattern")
}

fn forms(text: &str) -> Vec<String> {
    let hexadecimal: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![text.to_owned(), hexadecimal];
    for shift in 0..3 {
        let bytes = [&vec![0; shift], text.as_bytes()].concat();
        for engine in [STANDARD, URL_SAFE] {
            // Characters that share bits with the bytes before or after are left out.
            let (from, to) = ((shift * 8).div_ceil(6), bytes.len() * 8 / 6);
            forms.push(engine.encode(&bytes)[from..to].to_owned());
        }
    }
    forms
}

#[test]
fn planted_secrets_are_found_in_every_form() {
    for secret in SECRETS.iter().chain(TOKEN_HEADERS) {
        for shift in 0..5 {
            let plain = format!("{}{secret} and more", "x".repeat(shift));
            let hexadecimal: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
            for planted in
                [&plain, &STANDARD.encode(&plain), &URL_SAFE.encode(&plain), &hexadecimal]
            {
                assert!(find_secret(planted.as_bytes()).is_some(), "{secret}: {planted}");
            }
        }
    }
    assert_eq!(find_secret(b"{\"token_lifetime\":900,\"key_file\":\"livekit.key\"}"), None);
}

#[test]
#[should_panic(expected = "a secret is in")]
fn a_token_in_a_session_folder_fails_the_test_that_wrote_it() {
    let dir = super::TestDir::new();
    let folder = dir.path().join("reports/planted");
    fs::create_dir_all(&folder).expect("a folder can be created");
    let line = format!("{{\"token\":\"{}.e30.c2ln\"}}", TOKEN_HEADERS[1]);
    fs::write(folder.join("journal.jsonl"), line).expect("a file can be written");
}
