//! What this machine has for a session: open files, disk space, and a folder that can be written.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use super::rules::{disk_space, open_files};
use rushhour_core::plan::Forecast;
use rushhour_core::profile::Profile;

/// Compares the machine with what the plan needs.
pub(crate) fn check(profile: &Profile, forecast: &Forecast, out: &Path) -> Vec<Finding> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let in_flight = (forecast.in_flight.ceil() as u64).min(u64::from(profile.limits.in_flight));
    let folder = nearest_folder(out);
    // Callers on workers open no files here.
    let here = if profile.workers.is_some() { 0 } else { in_flight };
    let mut findings = vec![open_files(getrlimit(Resource::Nofile).current, here)];
    findings.push(match rustix::fs::statvfs(&folder) {
        Ok(stats) => {
            let recordings = profile.recording.map_or(0, |recording| recording.max_bytes.bytes());
            disk_space(stats.f_bavail.saturating_mul(stats.f_frsize), forecast.calls(), recordings)
        }
        Err(error) => Finding::not_checked("disk space", format!("{}: {error}", folder.display())),
    });
    findings.push(reports_folder(out, &folder));
    findings
}

/// The folder itself, or the nearest one above it that exists.
fn nearest_folder(out: &Path) -> PathBuf {
    let existing = out.ancestors().find(|folder| folder.is_dir());
    match existing {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether a folder can be created in `folder`; leaves nothing behind.
fn reports_folder(out: &Path, folder: &Path) -> Finding {
    let check = "reports folder";
    let trial = folder.join(format!(".rushhour-doctor-{}", std::process::id()));
    match fs::create_dir(&trial).and_then(|()| fs::remove_dir(&trial)) {
        Ok(()) => Finding::ok(check, format!("{} can be written", out.display())),
        Err(error) => Finding::failed(
            check,
            format!("{} cannot be written: {error}", folder.display()),
            "name another folder with --out",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::FindingState;

    #[test]
    fn a_folder_that_does_not_exist_is_checked_by_the_one_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b/c");
        assert_eq!(nearest_folder(&out), folder.path());
        assert_eq!(reports_folder(&out, &nearest_folder(&out)).state, FindingState::Ok);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(reports_folder(&file, &file).state, FindingState::Failed);
    }
}
