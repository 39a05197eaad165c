//! Figures beside their targets: `cargo bench` prints them all, `cargo bench -- schedule` those of one kind.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench measures in real time")]

mod compare;
mod hearing;
mod journal;
mod page;
mod plan;
mod schedule;
mod startup;
mod support;

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let kinds: [(&str, fn()); 8] = [
        ("startup", startup::figures),
        ("plan", plan::figures),
        ("journal", journal::figures),
        ("fold", journal::ten_million),
        ("page", page::figures),
        ("compare", compare::figures),
        ("schedule", schedule::figures),
        ("hearing", hearing::figures),
    ];
    for (kind, figures) in kinds {
        if wanted.is_empty() || wanted.iter().any(|word| word == kind) {
            figures();
        }
    }
}
