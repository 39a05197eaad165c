//! Why a server's certificate was not accepted, in words.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// Why a server's certificate was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// Nobody whom this machine trusts signed it.
    #[error(
        "its certificate is signed by an authority that this machine does not trust; name the authority's file in livekit.ca_file or SSL_CERT_FILE"
    )]
    UnknownAuthority,
    /// It is another server's.
    #[error("its certificate is for another name{}", names(.0))]
    OtherName(Vec<String>),
    /// Its time is over, or has not come.
    #[error("its certificate has expired, is not valid yet, or this machine's clock is wrong")]
    NotNow,
    /// It is refused for another reason.
    #[error("its certificate is not accepted: {0}")]
    Other(String),
}

fn names(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

/// Names of a certificate that are shown, at most.
const MAX_NAMES: usize = 5;

impl CertificateProblem {
    /// Finds the problem among the causes of an error.
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(rustls::Error::InvalidCertificate(error)) = error.downcast_ref() {
                return Some(Self::from(error));
            }
            // What an error of IO carries is not among its sources.
            let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            cause = match carried {
                Some(carried) => Some(carried),
                None => error.source(),
            };
        }
        None
    }
}

impl From<&CertificateError> for CertificateProblem {
    fn from(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::NotValidForName => Self::OtherName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::OtherName(presented.iter().take(MAX_NAMES).map(|name| shown(name)).collect())
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::NotNow,
            other => Self::Other(rustls::Error::InvalidCertificate(other.clone()).to_string()),
        }
    }
}

/// A name of a certificate as people write it: the library gives `DnsName("a.example")`.
fn shown(name: &str) -> String {
    name.split('"').nth(1).unwrap_or(name).to_owned()
}
