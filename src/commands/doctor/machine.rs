//! What the machine has for a session: open files, space, a folder that can be written.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use super::judgement::{disk, open_files};
use rushhour_core::plan::Forecast;
use rushhour_core::profile::Profile;

/// Holds the machine against the plan.
pub(crate) fn look(profile: &Profile, forecast: &Forecast, out: &Path) -> Vec<Finding> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let in_flight = (forecast.in_flight.ceil() as u64).min(u64::from(profile.limits.in_flight));
    let folder = nearest(out);
    let mut findings = vec![open_files(getrlimit(Resource::Nofile).current, in_flight)];
    findings.push(match rustix::fs::statvfs(&folder) {
        Ok(space) => disk(space.f_bavail.saturating_mul(space.f_frsize), forecast.runs),
        Err(error) => Finding::not_checked("disk space", format!("{}: {error}", folder.display())),
    });
    findings.push(writable(out, &folder));
    findings
}

/// The folder itself, or the nearest one above it that is there.
fn nearest(out: &Path) -> PathBuf {
    let there = out.ancestors().find(|folder| folder.is_dir());
    match there {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether a folder can be made there; leaves nothing behind.
fn writable(out: &Path, folder: &Path) -> Finding {
    let check = "reports folder";
    let trial = folder.join(format!(".rushhour-doctor-{}", std::process::id()));
    let tried = fs::create_dir(&trial).and_then(|()| fs::remove_dir(&trial));
    match tried {
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
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_above() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("a/b/c");
        assert_eq!(nearest(&out), place.path());
        assert_eq!(writable(&out, &nearest(&out)).state, FindingState::Ok);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing is left behind");
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(writable(&file, &file).state, FindingState::Failed);
    }
}
