//! Speech against noise: error rates of voice activity detection in seeded mixtures. `cargo bench -- noise` prints the
//! table of docs/statistics.md.

#[path = "support/noise_trial.rs"]
#[expect(dead_code, reason = "the whole table is printed by the bench")]
mod noise_trial;

use noise_trial::{Background, Mixture, Voices};

fn voices() -> Voices {
    Voices::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn steady_noise_hides_no_utterance_from_the_adaptive_rule() {
    let voices = voices();
    for background in [Background::Pink, Background::Hum] {
        let mixture = Mixture::new(&voices, background, 10.0, 2, 7);
        let [fixed, adaptive, _] = mixture.rates_by_rule();
        assert!(fixed.missed > 0.9 && fixed.false_speech > 0.9, "{background}: {fixed:?}");
        assert!(adaptive.missed < 0.1, "{background}: {adaptive:?}");
        // One start a mixture is the noise itself, before it is known.
        assert!(adaptive.false_starts_per_minute < 1.0, "{background}: {adaptive:?}");
        assert!(adaptive.false_speech < 0.06, "{background}: {adaptive:?}");
        assert!(adaptive.onset_error_ms.1 <= 120.0, "{background}: {adaptive:?}");
    }
}

#[test]
fn without_noise_both_rules_find_the_same() {
    let mixture = Mixture::new(&voices(), Background::Silence, 20.0, 2, 7);
    let [fixed, adaptive, _] = mixture.rates_by_rule();
    for rates in [&fixed, &adaptive] {
        assert!(rates.missed < 1e-9 && rates.false_starts_per_minute < 1e-9, "{rates:?}");
        assert!(rates.onset_error_ms.1 <= 20.0, "{rates:?}");
    }
    assert!(adaptive.decoded < fixed.decoded + 0.05, "{fixed:?} {adaptive:?}");
}

#[test]
fn key_strokes_are_no_speech_and_hide_none() {
    let voices = voices();
    for ratio in [0.0, 10.0] {
        let mixture = Mixture::new(&voices, Background::Keyboard, ratio, 2, 7);
        let [_, adaptive, _] = mixture.rates_by_rule();
        assert!(adaptive.false_starts_per_minute < 0.6, "{ratio} dB: {adaptive:?}");
        assert!(adaptive.missed < 1e-9 && adaptive.false_speech < 0.02, "{ratio} dB: {adaptive:?}");
        assert!(adaptive.onset_error_ms.1 <= 40.0, "{ratio} dB: {adaptive:?}");
    }
}

#[test]
fn an_agent_that_tells_its_state_is_heard_before_other_voices() {
    let mixture = Mixture::new(&voices(), Background::Babble, 10.0, 2, 7);
    let [_, adaptive, with_state] = mixture.rates_by_rule();
    assert!(adaptive.missed > 0.8, "no rule of levels alone: {adaptive:?}");
    assert!(with_state.missed < 0.2 && with_state.false_speech < 0.2, "{with_state:?}");
}
