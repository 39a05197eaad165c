//! How participants reach their server.

use rushhour_core::profile::MediaTransport;
use rushhour_livekit::http::{TrustError, TrustStore};

/// How the participants of an engine reach their server.
#[derive(Debug, Clone)]
pub struct NetworkAccess {
    /// The certificate authorities that they trust.
    pub trust: TrustStore,
    /// The way of media and data.
    pub transport: MediaTransport,
}

impl NetworkAccess {
    /// The system's authorities, and whatever way connects.
    ///
    /// # Errors
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` names nothing readable.
    pub fn system() -> Result<Self, TrustError> {
        Ok(Self { trust: TrustStore::system()?, transport: MediaTransport::Any })
    }
}
