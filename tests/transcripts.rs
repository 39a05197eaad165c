//! Word and character error rates against jiwer, the usual library for them.

use rushhour_core::event::TranscriptionErrors;
use serde_json::{Value, json};

use crate::support::{Peers, SplitMix64, TestDir, python_facts};

/// What callers say, in five languages, one of them without spaces.
const SAID: [(&str, &[&str]); 5] = [
    (
        "English",
        &[
            "Good evening. I would like to book a table for four people.",
            "Tomorrow at seven o'clock, please; it's for Mr. Smith-Jones!",
            "No, that is all. Goodbye.",
        ],
    ),
    (
        "German",
        &[
            "Guten Abend, ich möchte gern einen Tisch für vier Personen.",
            "Können Sie das auf 8 Uhr ändern? Mein Name ist Müller.",
            "„Größe“ und Straße, das war’s.",
        ],
    ),
    (
        "Spanish",
        &["¿Puede cambiarlo a las ocho, por favor?", "¡Buenas noches! Mañana a las siete, señor."],
    ),
    (
        "Japanese",
        &["明日の7時に4人で予約をお願いします。", "名前はスミスです、ありがとうございます！"],
    ),
    ("Hindi", &["नमस्ते, मुझे चार लोगों के लिए मेज़ चाहिए।", "कल शाम सात बजे, धन्यवाद।"]),
];

/// What a recogniser may make of a text: words and characters lost, added, exchanged, in other cases.
fn misheard(rng: &mut SplitMix64, said: &str, other: &str) -> String {
    let mut words: Vec<String> = said.split(' ').map(str::to_owned).collect();
    let others: Vec<&str> = other.split(' ').collect();
    for _ in 0..rng.below(6) {
        let at = rng.index(words.len() + 1);
        match rng.below(7) {
            0 if at < words.len() => drop(words.remove(at)),
            1 => words.insert(at, others[rng.index(others.len())].to_owned()),
            2 if at < words.len() => others[rng.index(others.len())].clone_into(&mut words[at]),
            3 if at < words.len() => words[at] = words[at].to_uppercase(),
            4 if at < words.len() => {
                let length = words[at].chars().count();
                let gone = rng.index(length.max(1));
                let kept = words[at].chars().enumerate().filter(|(index, _)| *index != gone);
                words[at] = kept.map(|(_, c)| c).collect();
            }
            5 if at < words.len() => words[at].push_str([",", "...", " - ", "!?"][rng.index(4)]),
            6 if rng.below(10) == 0 => words.clear(),
            _ => {}
        }
    }
    words.join(" ")
}

#[test]
fn jiwer_computes_the_same_error_rates_of_a_thousand_pairs_in_five_languages() {
    let mut rng = SplitMix64::new(17);
    let mut pairs: Vec<Value> = Vec::new();
    for (language, texts) in SAID {
        for number in 0..200 {
            let said = if number == 0 { "..." } else { texts[rng.index(texts.len())] };
            let other = texts[rng.index(texts.len())];
            let heard = misheard(&mut rng, said, other);
            pairs.push(json!({
                "language": language,
                "said": said,
                "heard": heard,
                "words": TranscriptionErrors::by_word(said, &heard).and_then(|errors| errors.rate()),
                "characters": TranscriptionErrors::by_character(said, &heard).and_then(|errors| errors.rate()),
            }));
        }
    }
    let dir = TestDir::new();
    let file = dir.write("pairs.json", &json!(pairs).to_string());
    let ran = Peers::find().python("check_transcripts.py").arg(file).output();
    let facts = python_facts(&ran.expect("Python is installed"));
    assert_eq!(facts["pairs"], 1_000, "{facts}");
    assert_eq!((&facts["languages"]["Hindi"], &facts["none"]), (&json!(200), &json!(5)), "{facts}");
    assert!(facts["above_one"].as_u64().expect("a count") > 0, "{facts}");
}
