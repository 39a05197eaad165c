//! Whom this machine trusts over TLS: one store of certificate authorities for HTTP and WebSockets alike.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Environment variables that replace the system's authorities.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Why there is no trust store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrustError {
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, and no certificate can be read from there.
    #[error("{variable} names no readable certificates: {message}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// What is wrong with them.
        message: String,
    },
    /// A file holds no certificate in PEM.
    #[error("it holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")")]
    NoCertificate,
    /// A file holds a certificate that cannot be an authority's.
    #[error("a certificate in it cannot be read: {0}")]
    Certificate(String),
}

/// The certificate authorities that are trusted, as a configuration of TLS that all connections share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TrustStore(Arc<ClientConfig>);

impl TrustStore {
    /// The system's authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`; on a system that has none, such as an
    /// empty container, Mozilla's. Read once.
    ///
    /// # Errors
    /// One of the variables is set and names nothing readable.
    pub fn system() -> Result<Self, TrustError> {
        static SYSTEM: OnceLock<Result<TrustStore, TrustError>> = OnceLock::new();
        SYSTEM.get_or_init(|| Ok(Self::new(system_roots()?))).clone()
    }

    /// The system's authorities, and those in `pem`.
    ///
    /// # Errors
    /// As [`Self::system`], or `pem` holds no authority's certificate.
    pub fn with_authorities(pem: &[u8]) -> Result<Self, TrustError> {
        let mut roots = system_roots()?;
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let unreadable =
                |error: &dyn std::fmt::Display| TrustError::Certificate(error.to_string());
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
            count += 1;
        }
        if count == 0 { Err(TrustError::NoCertificate) } else { Ok(Self::new(roots)) }
    }

    fn new(roots: RootCertStore) -> Self {
        // Another provider may have been installed by the program that uses this library; either serves.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self(Arc::new(config))
    }

    /// The configuration of TLS that trusts them.
    pub fn tls_config(&self) -> Arc<ClientConfig> {
        self.0.clone()
    }
}

fn system_roots() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Stores of systems hold certificates that nobody can read; the others serve.
    let (readable, _) = roots.add_parsable_certificates(found.certs);
    if readable > 0 {
        return Ok(roots);
    }
    let is_set =
        |variable: &&str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    if let Some(variable) = VARIABLES.into_iter().find(is_set) {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let message = if errors.is_empty() { "it is empty".to_owned() } else { errors.join("; ") };
        return Err(TrustError::Environment { variable, message });
    }
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_authority_is_refused() {
        assert!(matches!(TrustStore::with_authorities(b""), Err(TrustError::NoCertificate)));
        let key = b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
        assert!(matches!(TrustStore::with_authorities(key), Err(TrustError::NoCertificate)));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(TrustStore::with_authorities(broken), Err(TrustError::Certificate(_))));
        TrustStore::system().unwrap();
    }

    #[test]
    fn mozillas_authorities_can_be_read() {
        let mut roots = RootCertStore::empty();
        let built_in = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
        let (readable, unreadable) = roots.add_parsable_certificates(built_in);
        assert!(readable > 100 && unreadable == 0, "{readable} {unreadable}");
    }
}
