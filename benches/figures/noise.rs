//! Error rates of voice activity detection in noise: `cargo bench -- noise` prints the table of docs/statistics.md.

#[path = "../../crates/callers/tests/support/noise_trial.rs"]
mod noise_trial;

pub(crate) fn figures() {
    let voices = noise_trial::Voices::read(env!("CARGO_MANIFEST_DIR"));
    println!("{}", noise_trial::table(&voices));
}
