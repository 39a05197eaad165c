//! Resolves `[recording]`.

use super::resolver::Resolver;
use crate::profile::raw::RawProfile;
use crate::profile::settings::recording::{KeepRecordings, RecordingSettings};
use crate::profile::settings::session_mode::SessionMode;
use crate::units::{ByteSize, Mode, Percent};

/// The most runs that a session keeps: its page has a part for each.
const MOST_RUNS: u32 = 1_000;

/// `None` if nothing is recorded.
pub(super) fn resolve_recording(
    raw: &RawProfile,
    native: bool,
    mode: SessionMode,
    resolver: &mut Resolver<'_>,
) -> Option<RecordingSettings> {
    let at = raw.recording.as_ref()?;
    let table = &at.value;
    let settings = RecordingSettings {
        keep: resolver.or_default("recording.keep", table.keep.as_ref(), KeepRecordings::None),
        slowest: resolver.or_default("recording.slowest", table.slowest.as_ref(), 0),
        choppiest: resolver.or_default("recording.choppiest", table.choppiest.as_ref(), 0),
        sample: resolver.or_default("recording.sample", table.sample.as_ref(), Percent::ZERO),
        max_runs: resolver.at_least("recording.max_runs", table.max_runs.as_ref(), 1, 200),
        max_bytes: resolver.or_default(
            "recording.max_bytes",
            table.max_bytes.as_ref(),
            ByteSize::megabytes(1_000),
        ),
    };
    for number in [&table.slowest, &table.choppiest, &table.max_runs].into_iter().flatten() {
        if number.value > MOST_RUNS {
            resolver.diagnostics.invalid(
                &number.span,
                format!("{} recordings are too many for one page", number.value),
                format!("write at most {MOST_RUNS}"),
            );
        }
    }
    if let Some(choppiest) = table.choppiest.as_ref().filter(|number| number.value > 0)
        && !mode.modes().contains(&Mode::Voice)
    {
        resolver.diagnostics.conflict(
            &choppiest.span,
            "recording.choppiest applies to voice only: chat has no speech that breaks up",
            "remove it, or set mode = \"voice\"",
        );
    }
    if !settings.keeps_any() {
        // Who writes `keep = "none"` means it.
        if table.keep.is_none() && !table.has_errors {
            resolver.diagnostics.missing_at(
                &at.span,
                "[recording] keeps nothing",
                "add keep = \"failures\", slowest = 20 or sample = \"1%\", or remove [recording]",
            );
        }
        return None;
    }
    if !native {
        resolver.diagnostics.conflict(
            &at.span,
            "[recording] applies to native callers only: Cekura keeps the recordings of its own",
            "set evaluator.kind = \"native\", or remove [recording]",
        );
    } else if raw.workers.is_some() {
        resolver.diagnostics.conflict(
            &at.span,
            "callers on workers are not recorded: the sound would have to travel to this machine",
            "remove [workers], or set recording.keep = \"none\"",
        );
    }
    Some(settings)
}

#[cfg(test)]
mod tests {
    use crate::profile::testing::load_text;

    fn mistakes(mode: &str, kind: &str, more: &str) -> Vec<String> {
        let text = format!(
            "mode = \"{mode}\"\n[livekit]\nurl = \"ws://127.0.0.1:7880\"\nagent = \"a\"\n[evaluator]\nkind = \"{kind}\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n{more}\n"
        );
        match load_text(&text) {
            Ok(_) => Vec::new(),
            Err(error) => error.diagnostics.into_iter().map(|one| one.message).collect(),
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_refused_with_a_message() {
        let workers = "[workers]\nnats = \"nats://127.0.0.1:4222\"\n[recording]\nkeep = \"all\"";
        for (kind, more, message) in [
            ("native", "[recording]", "[recording] keeps nothing"),
            ("native", "[recording]\nmax_runs = 5", "[recording] keeps nothing"),
            ("native", "[recording]\nkeep = \"some\"", "`some` is not one of the choices"),
            ("native", "[recording]\nslowest = 5000", "5000 recordings are too many for one page"),
            (
                "native",
                "[recording]\nchoppiest = 5000",
                "5000 recordings are too many for one page",
            ),
            ("native", "[recording]\nmax_runs = 0\nkeep = \"all\"", "0 is too small"),
            ("native", "[recording]\nmax_bytes = \"5\"", "`5` has no unit"),
            (
                "cekura",
                "[recording]\nsample = \"1%\"",
                "[recording] applies to native callers only: Cekura keeps the recordings of its own",
            ),
            (
                "native",
                workers,
                "callers on workers are not recorded: the sound would have to travel to this machine",
            ),
        ] {
            let found = mistakes("voice", kind, more);
            assert!(found.iter().any(|one| one == message), "{more}: {found:?}");
        }
        let found = mistakes("chat", "native", "[recording]\nchoppiest = 5");
        assert!(found.iter().any(|one| one.starts_with("recording.choppiest applies to voice")));
        for more in [
            "[recording]\nkeep = \"none\"",
            "[recording]\nkeep = \"failures\"\nslowest = 20\nchoppiest = 20",
        ] {
            let found = mistakes("voice", "native", more);
            assert!(found.iter().all(|one| one.contains("script")), "{more}: {found:?}");
        }
    }
}
