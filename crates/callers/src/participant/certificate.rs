//! The certificate of this process's peer connections.

use std::sync::LazyLock;

use str0m::config::DtlsCert;
use str0m::crypto;

/// Made once, because making it takes longer than everything else that a new connection needs. A server knows it only by
/// the fingerprint in each offer.
static CERTIFICATE: LazyLock<Option<DtlsCert>> =
    LazyLock::new(|| crypto::from_feature_flags().dtls_provider.generate_certificate());

/// The certificate; `None` if the cryptography library could not make one.
pub(super) fn shared() -> Option<DtlsCert> {
    CERTIFICATE.clone()
}

/// Makes the certificate, where it has not been made: the first connection need not wait for it.
pub(crate) fn prepare_certificate() {
    LazyLock::force(&CERTIFICATE);
}
