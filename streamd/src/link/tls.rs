//! The certificate that TLS listeners show: read from files, and again when these have changed.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::BytesMut;
use parking_lot::Mutex;
use rustls::{
    CipherSuite, RootCertStore, ServerConfig, SupportedCipherSuite,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{channel::Channel, socket::Socket};
use crate::config;

/// What a client may name as the protocol that it wants to speak inside (RFC 7301).
const HTTP: &[u8] = b"http/1.1";

/// For the whole of a handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection on which TLS has been agreed.
pub type Secure = Box<TlsStream<TcpStream>>;

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate and those it was issued by, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// Certificates of which a client must show one that they have issued, as PEM.
    pub client_ca: Option<PathBuf>,
}

impl Files {
    /// Those of the configuration, if it has certificate and key. Credentials of systemd are in
    /// `$CREDENTIALS_DIRECTORY`.
    pub fn of(config: &config::Tls) -> Option<Self> {
        let file = |path: &PathBuf| config::credential(path);
        Some(Self {
            certificate: file(config.certificate.as_ref()?),
            key: file(config.key.as_ref()?),
            client_ca: config.client_ca.as_ref().map(file),
        })
    }
}

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: there is no {what} in it (PEM, \"-----BEGIN …\")", path.display())]
    Lacks {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A file holds something else.
    #[error("{}: {what}: {error}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// What is wrong with it.
        error: String,
    },
    /// Each is good, and they do not belong together.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    NoPair {
        /// The key's file.
        key: PathBuf,
        /// The certificate's.
        certificate: PathBuf,
    },
}

/// What TLS listeners show and ask for.
pub struct Tls {
    files: Files,
    read: Mutex<Read>,
}

struct Read {
    /// When the files were last changed.
    changed: Vec<Option<SystemTime>>,
    raw: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is not good, and why.
    pub fn load(files: Files) -> Result<Self, Error> {
        let read = Mutex::new(Read::of(&files)?);
        Ok(Self { files, read })
    }

    /// Reads the files again if they have changed; says whether they had. What is connected stays
    /// so, and if they are not good, so does the certificate.
    ///
    /// # Errors
    /// Which file is not good, and why.
    pub fn reload(&self) -> Result<bool, Error> {
        if changed(&self.files) == self.read.lock().changed {
            return Ok(false);
        }
        let read = Read::of(&self.files)?;
        *self.read.lock() = read;
        Ok(true)
    }

    /// For a connection of raw TCP.
    pub fn raw(&self) -> TlsAcceptor {
        Arc::clone(&self.read.lock().raw).into()
    }

    /// For a connection of HTTP.
    pub fn http(&self) -> TlsAcceptor {
        Arc::clone(&self.read.lock().http).into()
    }
}

/// What a TLS connection begins with: a record of a handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// Whether the first byte of a connection is one of TLS.
///
/// # Errors
/// When none comes, or not in time.
pub async fn is_spoken(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match tokio::time::timeout(PATIENCE, stream.peek(&mut first)).await {
        Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(peeked) => peeked.map(|_| first[0] == HANDSHAKE),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Agrees on TLS with a client that has just connected, and has a place: anybody can begin this.
///
/// # Errors
/// When it can't be agreed with, or not in time.
pub async fn agree(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<Secure> {
    let agreed = acceptor.accept(stream);
    match tokio::time::timeout(PATIENCE, agreed).await {
        Ok(agreed) => agreed.map(Box::new),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// What a viewer's bytes go through from here on. What has been received already is appended to
/// `input`.
///
/// # Errors
/// If the connection is over.
pub fn channel(stream: Secure, input: &mut BytesMut) -> io::Result<Channel> {
    let (stream, session) = stream.into_inner();
    let socket = Socket::new(OwnedFd::from(stream.into_std()?))?;
    Channel::secure(socket, session, input)
}

impl Read {
    fn of(files: &Files) -> Result<Self, Error> {
        let changed = changed(files);
        let raw = configured(files)?;
        let mut http = raw.clone();
        http.alpn_protocols = vec![HTTP.to_vec()];
        Ok(Self {
            changed,
            raw: Arc::new(raw),
            http: Arc::new(http),
        })
    }
}

/// When the files were changed; `None` for one that is not there.
fn changed(files: &Files) -> Vec<Option<SystemTime>> {
    let all = [
        Some(&files.certificate),
        Some(&files.key),
        files.client_ca.as_ref(),
    ];
    let changed = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    all.into_iter().flatten().map(changed).collect()
}

/// TLS 1.3 and 1.2, as rustls has them; a session is resumed by a ticket (RFC 5077, RFC 8446).
fn configured(files: &Files) -> Result<ServerConfig, Error> {
    let provider = Arc::new(provider());
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions");
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let bad = |error: String| Error::Bad {
                path: path.clone(),
                what: "certificates of clients' issuers",
                error,
            };
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|e| bad(e.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .with_crls(Vec::<CertificateRevocationListDer<'_>>::new())
                .build()
                .map_err(|error| bad(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        use rustls::{Error as E, InconsistentKeys};
        match error {
            E::InconsistentKeys(InconsistentKeys::KeyMismatch) => Error::NoPair {
                key: files.key.clone(),
                certificate: files.certificate.clone(),
            },
            error => Error::Bad {
                path: files.certificate.clone(),
                what: "certificate or key",
                error: error.to_string(),
            },
        }
    })?;
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    match ring::Ticketer::new() {
        Ok(ticketer) => config.ticketer = ticketer,
        Err(error) => tracing::warn!(%error, "TLS sessions are not resumed"),
    }
    Ok(config)
}

/// The suites in the order of what they cost here: AES with the shortest key where the processor
/// has instructions for it, else ChaCha20.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    let fast = has_aes();
    let cost = |suite: &SupportedCipherSuite| {
        let name = format!("{:?}", suite.suite());
        let is_aes = name.contains("AES");
        let is_old = !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS13_AES_256_GCM_SHA384
                | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        );
        (is_old, is_aes != fast, name.contains("256_GCM"))
    };
    provider.cipher_suites.sort_by_key(cost);
    provider
}

/// Whether the processor has instructions for AES.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let what = "certificate";
    let bad = |error: rustls::pki_types::pem::Error| Error::Bad {
        path: path.into(),
        what,
        error: error.to_string(),
    };
    let text = content(path)?;
    let all = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match all.map_err(bad)? {
        all if all.is_empty() => Err(Error::Lacks {
            path: path.into(),
            what,
        }),
        all => Ok(all),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    use rustls::pki_types::pem::Error as Pem;
    let what = "private key";
    PrivateKeyDer::from_pem_slice(&content(path)?).map_err(|error| match error {
        Pem::NoItemsFound => Error::Lacks {
            path: path.into(),
            what,
        },
        error => Error::Bad {
            path: path.into(),
            what,
            error: error.to_string(),
        },
    })
}

fn content(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::Read {
        path: path.into(),
        error,
    })
}
