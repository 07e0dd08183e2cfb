//! TLS between a client of these tests and a daemon: a tunnel, so that clients need not know of it.

use std::{net::SocketAddr, path::Path, sync::Arc, thread};

use rcgen::{CertificateParams, Issuer, KeyPair};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    },
};

/// A certificate with its key, and what it can issue.
#[derive(Debug)]
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that an authority has issued, and its key.
#[derive(Debug)]
pub struct Issued {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("sound parameters");
        let issuer = Issuer::new(params, key);
        Self {
            certificate,
            issuer,
        }
    }
}

impl Authority {
    /// Issues a certificate for this name.
    pub fn issue(&self, name: &str) -> Issued {
        let params = CertificateParams::new([name.to_owned()]).expect("a good name");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer);
        Issued {
            certificate: certificate.expect("sound parameters"),
            key,
        }
    }

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }
}

impl Issued {
    /// Writes `certificate.pem` and `key.pem` into a folder.
    ///
    /// # Panics
    /// If it can't be written to.
    pub fn write(&self, folder: &Path) {
        let put = |name: &str, text: String| std::fs::write(folder.join(name), text);
        put("certificate.pem", self.certificate.pem()).expect("a folder of our own");
        put("key.pem", self.key.serialize_pem()).expect("a folder of our own");
    }

    fn identity(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        (vec![self.certificate.der().clone()], key)
    }
}

/// Where clients connect without TLS, and arrive at a server with it. Ends with its connections
/// when it is dropped.
#[derive(Debug)]
pub struct Tunnel {
    /// Where it begins.
    pub begin: SocketAddr,
    runtime: Option<Runtime>,
}

impl Tunnel {
    /// To a server as `localhost`, whose certificate this authority must have issued; with a
    /// certificate to show, if there is one.
    ///
    /// # Panics
    /// If this machine has no socket or thread to spare.
    pub fn new(to: SocketAddr, authority: &Authority, shown: Option<&Issued>) -> Self {
        let mut roots = RootCertStore::empty();
        let root = authority.certificate.der().clone();
        roots.add(root).expect("a certificate");
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match shown.map(Issued::identity) {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .expect("they belong together"),
        };
        let connector = TlsConnector::from(Arc::new(config));
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a thread");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("loopback");
        let begin = listener.local_addr().expect("it is bound");
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, to, connector.clone()));
            }
        });
        Self {
            begin,
            runtime: Some(runtime),
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let runtime = self.runtime.take().expect("it is taken here only");
        thread::spawn(move || runtime.shutdown_background());
    }
}

/// A client to whom the server does not answer sees its connection closed.
async fn carry(mut client: TcpStream, to: SocketAddr, connector: TlsConnector) {
    let name = ServerName::try_from("localhost").expect("a good name");
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    if let Ok(mut server) = connector.connect(name, server).await {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}
