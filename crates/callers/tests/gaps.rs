//! Gaps in speech: how many cuts are found in seeded mixtures of voices and engines, and how many pauses are taken for
//! cuts.

#[path = "support/gap_trial.rs"]
mod gap_trial;

use std::path::{Path, PathBuf};

use gap_trial::{Engine, Trial, voices};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/scripts/clips")
}

#[test]
fn pauses_are_no_gaps_and_cuts_are() {
    let voices = &voices(&shipped())[..3];
    for engine in [Engine::RoomTone, Engine::HardGate] {
        let trial = Trial::of(voices, engine, 1, 5);
        assert_eq!(trial.whole.gaps(), 0, "{engine:?}: {trial:?}");
        assert!(trial.loud.share() >= 0.85, "{engine:?}: {trial:?}");
        assert_eq!((trial.cut.late, trial.cut.lost), (0, 0), "{trial:?}");
        // One that a pause makes longer is found elsewhere.
        assert!(trial.elsewhere <= 1, "{trial:?}");
    }
}

/// Prints the table of docs/statistics.md, of the shipped clips or of those in the folder that `VOICES` names:
/// `cargo test -p rushhour-callers --test gaps -- --ignored --nocapture`.
#[test]
#[ignore = "it prints a table, in a minute or so"]
#[expect(clippy::print_stdout, reason = "it prints a table")]
fn table_of_gaps() {
    let folder = std::env::var_os("VOICES").map_or_else(shipped, PathBuf::from);
    let voices = voices(&folder);
    println!(
        "| voice | pauses taken for gaps, a minute | cuts | found | loud on both sides | found of these | share of their length found |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for engine in Engine::ALL {
        let trial = Trial::of(&voices, engine, 3, 5);
        println!(
            "| {} | {:.2} ({:.1} min) | {} | {:.0} % | {} | {:.0} % | {:.0} % |",
            engine.name(),
            trial.false_gaps(),
            trial.whole.speech.as_secs_f64() / 60.0,
            trial.all.cuts,
            trial.all.share() * 100.0,
            trial.loud.cuts,
            trial.loud.share() * 100.0,
            trial.loud.length_share() * 100.0,
        );
    }
}
