//! Encryption for `https://` and `wss://`, with the certificates that the system trusts.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};

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
    pub fn new(host: &str) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| format!("{host:?} is no name that a certificate can have"))?;
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (known, _) = roots.add_parsable_certificates(found.certs);
        if known == 0 {
            return Err("this system has no certificates that it trusts: install ca-certificates, or name a file with SSL_CERT_FILE".into());
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
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

/// Why an encrypted connection can't be: for people. `None` where the connection itself broke.
pub fn explain(error: &io::Error) -> Option<String> {
    use rustls::{CertificateError, Error};
    let cause = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match cause {
        Error::InvalidMessage(_) => "no TLS is spoken there: try http:// or ws://".into(),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is signed by nobody whom this system trusts; \
             to trust one of your own: SSL_CERT_FILE=FILE"
                .into()
        }
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is one to sign others with; a server needs one of its own (CA:FALSE)"
                .into()
        }
        other => other.to_string(),
    })
}
