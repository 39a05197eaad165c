//! Every parser on every input of the corpus, so that what the fuzzer found stays fixed.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::parsers::{PARSERS, SENT_BY_ROOMS};
use crate::support::SplitMix64;

#[test]
fn no_input_of_the_corpus_makes_a_parser_panic() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut folders: Vec<String> = fs::read_dir(&corpus)
        .expect("the corpus exists")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut parsers: Vec<&str> = PARSERS.iter().map(|(name, _)| *name).collect();
    parsers.sort_unstable();
    assert_eq!(folders, parsers, "every parser has a folder of inputs");
    for (name, parse) in PARSERS {
        let inputs: Vec<_> =
            fs::read_dir(corpus.join(name)).expect("every parser has a folder").collect();
        assert!(inputs.len() >= 2 || *name == "journal", "{name} has too few inputs");
        for input in inputs {
            let path = input.expect("it can be read").path();
            let bytes = fs::read(&path).expect("a file can be read");
            assert!(std::panic::catch_unwind(|| parse(&bytes)).is_ok(), "{}", path.display());
        }
    }
}

/// Changes an input a little: bytes flipped, repeated, removed, replaced by those of another.
fn mutated(rng: &mut SplitMix64, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = inputs[rng.index(inputs.len())].clone();
    for _ in 0..=rng.below(4) {
        let at = rng.index(bytes.len() + 1);
        match rng.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => {
                const EXTREMES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'9'];
                bytes[at] = EXTREMES[rng.index(EXTREMES.len())];
            }
            2 => bytes.truncate(at),
            3 if at < bytes.len() => {
                let end = (at + 1 + rng.index(16)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let other = &inputs[rng.index(inputs.len())];
                let from = rng.index(other.len() + 1);
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => bytes.insert(at, rng.next_u64().to_le_bytes()[0]),
        }
    }
    bytes.truncate(8_192);
    bytes
}

/// How long each parser is run.
#[derive(Clone, Copy)]
enum Effort {
    Inputs(u64),
    Time(Duration),
}

/// Runs every parser on mutated inputs of its corpus.
#[expect(clippy::print_stdout, reason = "figures for the reader of the test")]
fn mutate_the_corpus(seed: u64, effort: Effort) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for (name, parse) in PARSERS {
        let files = fs::read_dir(corpus.join(name)).expect("every parser has a folder");
        let mut paths: Vec<_> = files.map(|file| file.expect("it can be read").path()).collect();
        paths.sort();
        let inputs: Vec<Vec<u8>> =
            paths.iter().map(|path| fs::read(path).expect("it can be read")).collect();
        let (mut rng, mut number, start) = (SplitMix64::new(seed), 0, Instant::now());
        while match effort {
            Effort::Inputs(count) => number < count,
            Effort::Time(time) => start.elapsed() < time,
        } {
            let input = mutated(&mut rng, &inputs);
            if std::panic::catch_unwind(|| parse(&input)).is_err() {
                let kept = std::env::temp_dir().join(format!("{name}-{seed}-{number}"));
                fs::write(&kept, &input).expect("a file can be written");
                panic!("{name} panicked on {}", kept.display());
            }
            number += 1;
        }
        println!("{name}: {number} inputs in {:?}", start.elapsed());
    }
    println!("hostile rooms sent {} messages and packets", SENT_BY_ROOMS.load(Relaxed));
}

#[test]
fn no_parser_panics_on_a_mutated_input() {
    mutate_the_corpus(1, Effort::Inputs(300));
}

/// As long as `FUZZ_SECONDS` says for each parser. The fuzzer in `tests/fuzz` is guided by coverage.
#[test]
#[ignore = "takes minutes: ten seconds and more for each parser"]
fn no_parser_panics_on_very_many_mutated_inputs() {
    let number = |name, default| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let time = Duration::from_secs(number("FUZZ_SECONDS", 10));
    mutate_the_corpus(number("FUZZ_SEED", 2), Effort::Time(time));
}
