//! What recordings take on the disk while it is not known yet whether they are kept.

use crate::profile::{Profile, RecordingSettings};
use crate::units::Mode;

/// What a recording of both voices takes on the disk, in bytes a second, where one has 24 and the other 32 kbit/s.
const RECORDED_A_SECOND: f64 = 7_000.0;

/// What recordings of runs in flight take on the disk, in bytes, if each is about to end.
pub(super) fn unfinished_recordings(
    profile: &Profile,
    recording: &RecordingSettings,
    in_flight: f64,
) -> u64 {
    let recorded = if recording.records_all() { 1.0 } else { recording.sample.fraction() };
    let modes = profile.mode.modes();
    let voices = modes.iter().filter(|mode| **mode == Mode::Voice).count() as f64;
    let seconds = in_flight * profile.mix.mean_seconds(profile.mode);
    let bytes = seconds * RECORDED_A_SECOND * recorded * voices / modes.len() as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    {
        bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::testing::native_plan_of;
    use crate::plan::{Forecast, Plan, PlanWarning};
    use crate::profile::{Profile, SessionMode};

    #[test]
    fn recordings_of_runs_in_flight_that_may_be_too_large_are_a_warning() {
        let warned = |mode: SessionMode, recording: &str| {
            let plan = native_plan_of(
                &format!(
                    "[[scenario]]\nid = 1\nscript = \"s.toml\"\nlasts = \"60s\"\n[[stage]]\nhold = 100\nlasts = \"10m\"\n[recording]\n{recording}"
                ),
                "[[turn]]\nsay = \"Hello.\"\n",
            );
            let forecast = Forecast::new(&Plan::new(Profile { mode, ..plan.profile().clone() }));
            forecast.warnings.into_iter().find_map(|warning| match warning {
                PlanWarning::RecordingBytes { needed, limit } => Some((needed, limit)),
                _ => None,
            })
        };
        let failures = |most: &str| format!("keep = \"failures\"\nmax_bytes = \"{most}\"");
        let (voice, small) = (SessionMode::Voice, failures("41 MB"));
        assert_eq!(warned(voice, &small), Some((42_000_000, 41_000_000)));
        assert_eq!(warned(voice, &failures("42 MB")), None);
        assert_eq!(warned(SessionMode::Paired, &small), None, "half of them are in chat");
        assert_eq!(warned(SessionMode::Chat, &small), None);
        let sample = "sample = \"50%\"\nmax_bytes = \"20 MB\"";
        assert_eq!(warned(voice, sample), Some((21_000_000, 20_000_000)));
    }
}
