//! Encryption for `tls://`, `https://` and `wss://`, with the certificates that the system trusts, or
//! the one certificate of a fingerprint.

use std::{
    fmt,
    io::{self, Read, Write},
    str::FromStr,
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};

use super::connect::Socket;

/// Bytes that encryption holds for a socket that takes nothing; more than anything we say.
const MOST_WAITING: usize = 64 * 1024;

/// One connection's encryption.
#[derive(Debug)]
pub struct Tls {
    connection: ClientConnection,
    /// The other end has ended it, as it should be ended or not.
    ended: bool,
    /// A read was cut short, and more is decrypted already.
    more: bool,
}

impl Tls {
    /// Begins one to a host of this name.
    ///
    /// # Errors
    /// Why there can be none, for people.
    pub fn new(host: &str, pin: Option<Fingerprint>) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| format!("{host:?} is no name that a certificate can have"))?;
        let provider = Arc::new(crypto::ring::default_provider());
        let trusted = match pin {
            Some(pin) => Trusted::Pinned(pin),
            None => Trusted::by_system(&provider)?,
        };
        let trust = Trust {
            trusted,
            provider: Arc::clone(&provider),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust))
            .with_no_client_auth();
        let connection = ClientConnection::new(Arc::new(config), name);
        let mut connection = connection.map_err(|error| error.to_string())?;
        connection.set_buffer_limit(Some(MOST_WAITING));
        Ok(Self {
            connection,
            ended: false,
            more: false,
        })
    }

    /// Fills `space` with what is there. As of a socket: 0 at the end, `WouldBlock` where nothing is.
    pub fn receive(&mut self, mut socket: &Socket, space: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        self.more = false;
        while filled < space.len() {
            match self.connection.reader().read(&mut space[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Ended without a goodbye, as a raw connection is.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
            match self.connection.read_tls(&mut socket) {
                Ok(0) if self.ended => break,
                Ok(count) => self.ended = count == 0,
                Err(error) if filled > 0 && error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(filled);
                }
                Err(error) => return Err(error),
            }
            let processed = self.connection.process_new_packets();
            // Why we end it is for the other end to hear.
            self.flush(socket)?;
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        self.more = filled == space.len();
        Ok(filled)
    }

    /// Encrypts what fits.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.connection.writer().write(bytes)? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    /// Hands what is encrypted to the kernel, as far as that takes it.
    pub fn flush(&mut self, mut socket: &Socket) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether something is encrypted that the kernel has not taken.
    pub fn has_to_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Whether something may be decrypted that has not been read.
    pub const fn has_more(&self) -> bool {
        self.more
    }
}

/// The SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    /// As `openssl x509 -fingerprint` and browsers show it, or without the colons.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let none = || format!("`{text}` is no SHA-256: 64 hexadecimal digits");
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(none());
        }
        let mut bytes = [0; 32];
        for (n, byte) in bytes.iter_mut().enumerate() {
            let pair = &digits[2 * n..2 * n + 2];
            *byte = u8::from_str_radix(pair, 16).map_err(|_| none())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            let colon = if n == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// Why a certificate is not trusted.
#[derive(Debug, thiserror::Error)]
enum NotTrusted {
    #[error(
        "its certificate is signed by nobody whom this system trusts. Its fingerprint is {0}: \
         if that is the one that you expect (`streamctl certificate` has shown it), give it by \
         --fingerprint; to trust an authority of your own: SSL_CERT_FILE=FILE"
    )]
    UnknownIssuer(Fingerprint),
    #[error("it has another certificate: its fingerprint is {0}")]
    Another(Fingerprint),
}

/// Which certificates are taken.
#[derive(Debug)]
enum Trusted {
    Pinned(Fingerprint),
    BySystem(Arc<WebPkiServerVerifier>),
}

impl Trusted {
    fn by_system(provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (known, _) = roots.add_parsable_certificates(found.certs);
        if known == 0 {
            return Err("this system has no certificates that it trusts: install ca-certificates, name a file with SSL_CERT_FILE, or a --fingerprint".into());
        }
        let roots = Arc::new(roots);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
        let verifier = verifier.build().map_err(|error| error.to_string())?;
        Ok(Self::BySystem(verifier))
    }
}

/// Judges the certificate of a server.
#[derive(Debug)]
struct Trust {
    trusted: Trusted,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let its = Fingerprint::of(end_entity);
        let refused = |why| Error::Other(OtherError(Arc::new(why)));
        match &self.trusted {
            Trusted::Pinned(pin) if *pin == its => Ok(ServerCertVerified::assertion()),
            Trusted::Pinned(_) => Err(refused(NotTrusted::Another(its))),
            Trusted::BySystem(verifier) => verifier
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| match error {
                    Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                        refused(NotTrusted::UnknownIssuer(its))
                    }
                    error => error,
                }),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}

/// Why an encrypted connection can't be: for people. `None` where the connection itself broke.
pub fn explain(error: &io::Error) -> Option<String> {
    let cause = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match cause {
        Error::InvalidMessage(_) => {
            "no TLS is spoken there: try HOST:PORT alone, http:// or ws://".into()
        }
        Error::Other(OtherError(why)) => why.to_string(),
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is one to sign others with; a server needs one of its own (CA:FALSE)"
                .into()
        }
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_shown_and_without_colons() {
        let its = Fingerprint::of(b"a certificate");
        let shown = its.to_string();
        assert_eq!(shown.parse(), Ok(its));
        assert_eq!(shown.replace(':', "").to_lowercase().parse(), Ok(its));
        let wide = "\u{e9}".repeat(32);
        for bad in ["", "AB", &shown[1..], &format!("{shown}00"), "xy", &wide] {
            bad.parse::<Fingerprint>().unwrap_err();
        }
    }
}
