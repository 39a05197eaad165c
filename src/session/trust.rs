//! Whom a session trusts over TLS: the system's authorities, and those of `livekit.ca_file` for the LiveKit server.

use crate::bounded_file::MAX_TEXT;
use crate::error::CliError;
use crate::profile_files::ProfileFiles;
use rushhour_livekit::http::TrustStore;

/// What is trusted in connections to the LiveKit server, given the profile's `livekit.ca_file`.
pub(crate) fn livekit_trust(
    ca_file: Option<&str>,
    files: &ProfileFiles,
) -> Result<TrustStore, CliError> {
    let Some(name) = ca_file else {
        return TrustStore::system().map_err(CliError::from_usage);
    };
    let path = files.path(name);
    // A journal must not choose whom to trust any more than whose keys to use.
    let pem = files.read_key(name, MAX_TEXT).map_err(|error| {
        CliError::usage(format!("cannot read {}, which livekit.ca_file names", path.display()))
            .caused_by(error)
            .with_hint("correct the path, or name its folder with --files")
    })?;
    TrustStore::with_authorities(&pem).map_err(|error| {
        CliError::usage(format!("cannot use {}, which livekit.ca_file names", path.display()))
            .caused_by(error)
            .with_hint("name a file with the authority's certificate, not the server's key")
    })
}
