//! Finds the folder of a session or of a capacity search from a path that the user gave.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::session::folder::{JOURNAL, LEVELS, SEARCH_LOG};

/// The folder of a session, from the folder itself or from its journal.
///
/// # Errors
/// Where it is not the folder of a session.
pub(crate) fn session_folder(path: &Path) -> Result<PathBuf, CliError> {
    let (shown, folder) = (path.display(), folder_of(path));
    if folder.join(JOURNAL).is_file() {
        return Ok(folder);
    }
    let message = if !path.exists() {
        format!("there is no folder or file {shown}")
    } else if folder.join(SEARCH_LOG).is_file() {
        format!("{shown} is a capacity search, not a session")
    } else {
        format!("{shown} is not a session: it contains no {JOURNAL}")
    };
    let example = [folder.join(LEVELS), folder].iter().find_map(|folder| latest_session(folder));
    let example = example.unwrap_or_else(|| "reports/20261122T213015Z-quickstart".into());
    Err(CliError::usage(message)
        .with_hint(format!("name the folder of a session, such as {}", example.display())))
}

/// The folder of a capacity search, where the path leads to one.
pub(crate) fn search_folder(path: &Path) -> Option<PathBuf> {
    let folder = folder_of(path);
    folder.join(SEARCH_LOG).is_file().then_some(folder)
}

fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.to_owned()
    } else {
        path.parent().unwrap_or_else(|| Path::new(".")).to_owned()
    }
}

/// The session in `folder` that began last: the names of sessions begin with their time.
fn latest_session(folder: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    folders.filter(|folder| folder.join(JOURNAL).is_file()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_session_is_refused_with_a_session_to_name() {
        let reports = tempfile::tempdir().unwrap();
        let folder = |name: &str, file: &str| {
            let folder = reports.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
            folder
        };
        let (first, last) = (folder("2026-a", JOURNAL), folder("2027-b", JOURNAL));
        assert_eq!(session_folder(&first).unwrap(), first);
        assert_eq!(session_folder(&first.join(JOURNAL)).unwrap(), first);

        let refused = |path: &Path, message: &str, example: &Path| {
            let error = session_folder(path).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint().unwrap().ends_with(&example.display().to_string()), "{error:?}");
        };
        refused(reports.path(), "contains no journal.jsonl", &last);
        refused(&reports.path().join("none"), "there is no folder or file", &last);
        let search = folder("search", SEARCH_LOG);
        let level = folder("search/levels/2028-c", JOURNAL);
        refused(&search, "is a capacity search", &level);
        assert_eq!(search_folder(&search), Some(search));
        assert_eq!(search_folder(&first), None);
    }
}
