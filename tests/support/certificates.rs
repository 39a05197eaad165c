//! A certificate authority of the tests, and TLS in front of a server that has none.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// An authority that no system trusts.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate and its key, in PEM.
pub(crate) struct ServerCertificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be generated");
        Self(CertifiedIssuer::self_signed(params, key).expect("it can be signed"))
    }

    /// Its own certificate, in PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name or an address.
    pub(crate) fn certify(&self, name: &str) -> ServerCertificate {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
        let key = KeyPair::generate().expect("a key can be generated");
        let certificate = params.signed_by(&key, &self.0).expect("it can be signed").pem();
        ServerCertificate { certificate, key: key.serialize_pem() }
    }
}

/// Takes TLS connections, and passes on what is in them to a server on this machine.
pub(crate) struct TlsFront {
    pub(crate) port: u16,
    _runtime: Runtime,
}

impl TlsFront {
    pub(crate) fn start(authority: &Authority, name: &str, server: u16) -> Self {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
        let key = KeyPair::generate().expect("a key can be generated");
        let certificate = params.signed_by(&key, &authority.0).expect("it can be signed");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it is a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key is the certificate's");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().expect("a runtime can be built");
        let listener =
            runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self { port, _runtime: runtime }
    }
}
