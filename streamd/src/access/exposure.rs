//! A camera is not put on the network without somebody's word on who may watch it.

use std::net::SocketAddr;

use crate::config::{Config, values::Listen};

/// A listener that the network reaches, without rules.
#[derive(Debug, thiserror::Error)]
#[error(
    "{key}: {address} can be reached from the network, and nothing says who may watch. Allowed: `anonymous = \"none\"` in \
     [access], and a token for each who may (`streamctl token add NAME`); or `anonymous = \"viewer\"` in [access], \
     and everybody may watch"
)]
pub struct Exposed {
    key: String,
    address: SocketAddr,
}

impl Exposed {
    /// The fault of a listener at this address, without rules; `None` on loopback.
    pub fn check(key: impl Into<String>, address: SocketAddr) -> Result<(), Self> {
        if address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(Self {
            key: key.into(),
            address,
        })
    }
}

/// Looks through the addresses of a configuration for which there are no rules.
///
/// # Errors
/// The first one that the network reaches.
pub fn check(config: &Config) -> Result<(), Exposed> {
    let all = |key: &str, listen: &[Listen]| {
        listen.iter().try_for_each(|listen| match listen {
            Listen::Tcp(address) => Exposed::check(key, *address),
            Listen::Unix(_) => Ok(()),
        })
    };
    all("http.listen", &config.http.listen)?;
    all("rtsp.listen", &config.rtsp.listen)?;
    all("metrics.listen", &config.metrics.listen)?;
    config.camera.keys().try_for_each(|name| {
        let key = format!("camera.{name}.listen");
        all(&key, config.camera_listen(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn what_the_network_reaches_is_named() {
        for (toml, key) in [
            ("", None),
            ("[http]\nlisten = [\"[::1]:80\", \"unix:/run/x\"]", None),
            ("[http]\nlisten = \"0.0.0.0:80\"", Some("http.listen")),
            ("[rtsp]\nlisten = \"[::]:8554\"", Some("rtsp.listen")),
            ("[metrics]\nlisten = \"[::]:80\"", Some("metrics.listen")),
            (
                "[camera.a]\nlisten = \"192.0.2.1:80\"",
                Some("camera.a.listen"),
            ),
        ] {
            let got = check(&parse(toml, "f").unwrap());
            assert_eq!(got.is_err(), key.is_some(), "{toml}");
            if let (Err(exposed), Some(key)) = (got, key) {
                let text = exposed.to_string();
                for word in [key, "anonymous = \"viewer\"", "streamctl token add"] {
                    assert!(text.contains(word), "{text}");
                }
            }
        }
    }
}
