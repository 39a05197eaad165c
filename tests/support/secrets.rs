//! A search for keys, secrets and tokens in everything that is printed and written, in every form they may take, whole and
//! cut at every length.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::bytes::Regex;

/// Keys and secrets that services repeat in part. Nothing else in what Rushhour prints looks like a part of one.
pub(crate) const PLANTED_CEKURA_KEY: &str = "Xq7vT2mK9wLp4RzN8sYc1HdF6gJb3AeU";
pub(crate) const PLANTED_API_SECRET: &str = "Zk3nB8uW5yQd2MtG7rXv9PfS4hCj6LaE";
pub(crate) const PLANTED_PASSWORD: &str = "Vh5xE1oR8iTu3KbD6mNq9JwZ2aYs7GcP";
const PLANTED: &[&str] = &[PLANTED_CEKURA_KEY, PLANTED_API_SECRET, PLANTED_PASSWORD];
/// The shortest part of one that counts, in bytes: Rushhour itself knows no shorter one.
const SHORTEST_PART: usize = 8;

/// Every other key and secret that a test uses: none may be printed or written anywhere.
const SECRETS: &[&str] = &[
    "key-of-the-tests-4711",
    "secret-of-the-tests-with-more-than-32-characters",
    "cekura-key-of-the-tests-0815",
    "livekit-secret-of-the-tests-of-enough-characters",
    "sandbox-secret-of-at-least-32-characters",
    "sandbox-cekura-key",
];

/// The shortest part of those that counts: they are made of words.
const SHORTEST_OF_WORDS: usize = 16;

/// The start of every token: a header with `typ` and `alg` in either order, in base64url.
const TOKEN_HEADERS: &[&str] =
    &["eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"];

static ALL: LazyLock<Regex> = LazyLock::new(|| {
    let planted = PLANTED.iter().flat_map(|secret| parts(secret, SHORTEST_PART));
    let others = SECRETS.iter().flat_map(|secret| parts(secret, SHORTEST_OF_WORDS));
    let parts: Vec<&str> = planted.chain(others).chain(TOKEN_HEADERS.iter().copied()).collect();
    pattern(&parts)
});
static TOKENS: LazyLock<Regex> = LazyLock::new(|| pattern(TOKEN_HEADERS));

/// All parts of a secret of this length: whatever is cut off, one of them is left.
fn parts(secret: &str, length: usize) -> impl Iterator<Item = &str> {
    (0..=secret.len() - length).map(move |at| &secret[at..at + length])
}

/// The position of the first secret, part of one or token in `bytes`.
pub(super) fn find_secret(bytes: &[u8]) -> Option<usize> {
    ALL.find(bytes).map(|found| found.start())
}

/// The position of the first token in `bytes`; keys of the sandbox may be there.
pub(super) fn find_token(bytes: &[u8]) -> Option<usize> {
    TOKENS.find(bytes).map(|found| found.start())
}

/// Asserts that no file below a folder holds a secret or a part of one, except those for which `is_expected` holds.
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
        } else {
            assert_none_in(&path);
        }
    }
}

#[track_caller]
fn assert_none_in(path: &Path) {
    // Sockets and pipes that peers left cannot be read.
    if path.is_file()
        && let Ok(bytes) = fs::read(path)
        && let Some(at) = find_secret(&bytes)
    {
        panic!("a secret is in {}, at byte {at}", path.display());
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

/// What the tests printed and left behind, in the files and folders that `SEARCHED` names, separated by colons; its own
/// folders are searched by each test. `tests/all` runs it last.
#[test]
#[ignore = "searches what the whole suite wrote"]
fn planted_secrets_are_found_in_no_output_of_the_whole_test_suite() {
    let searched = std::env::var("SEARCHED").expect("SEARCHED names files and folders");
    for path in searched.split(':').map(Path::new) {
        let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        if metadata.is_dir() {
            // Packages hold the binary, and that the keys of its own sandbox.
            assert_none_below(path, &|path| path.ends_with("packaging"));
        } else {
            assert_none_in(path);
        }
    }
}

#[test]
fn planted_secrets_are_found_however_they_are_cut() {
    for (secrets, shortest) in [(PLANTED, SHORTEST_PART), (SECRETS, SHORTEST_OF_WORDS)] {
        for secret in secrets {
            for length in shortest..=secret.len() {
                for part in parts(secret, length) {
                    assert!(find_secret(format!("bad key {part}.").as_bytes()).is_some(), "{part}");
                }
            }
        }
    }
    assert_eq!(find_secret(&PLANTED_CEKURA_KEY.as_bytes()[..SHORTEST_PART - 1]), None);
}

#[test]
fn planted_secrets_are_found_in_every_form() {
    for secret in PLANTED.iter().chain(SECRETS).chain(TOKEN_HEADERS) {
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
