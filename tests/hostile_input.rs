//! Every parser on every input of the corpus, so that what the fuzzer found stays fixed.

use std::fs;
use std::path::Path;

use crate::parsers::PARSERS;

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
