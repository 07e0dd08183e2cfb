//! The connection to NATS, whatever goes over it.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use async_nats::{Client, ClientError, ConnectOptions, Event, Message, ServerError};
use streamd_protocol::fleet::INBOX;
use tokio::sync::watch;

use crate::{
    config,
    config::Nats,
    events,
    meters::{NatsMeters, NatsTopic},
};

/// Between two attempts to connect: doubled from the first to the second.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// A server that does not answer after two of these is gone.
const PINGS: Duration = Duration::from_secs(3);

/// The oldest server that has all that is needed.
const OLDEST: (i64, i64, i64) = (2, 9, 0);

/// How the connection is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// It is there.
    pub connected: bool,
    /// How often it has been made.
    pub times: u64,
    /// Why it is not there; empty where it is.
    pub why: String,
}

/// The connection.
#[derive(Clone)]
pub struct Engine {
    /// What sends and hears.
    pub client: Client,
    /// How it is, now and later.
    pub condition: watch::Receiver<Condition>,
    /// What is counted.
    pub meters: Arc<NatsMeters>,
}

impl Engine {
    /// Begins to connect, and goes on for as long as it takes.
    ///
    /// # Errors
    /// When the credentials can't be used.
    pub async fn connect(config: &Nats, meters: Arc<NatsMeters>) -> anyhow::Result<Self> {
        // With two libraries in the program it has to be said which one is meant; it may have been.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let host = config.host.as_ref();
        let name = host.map_or("streamd".to_owned(), |host| format!("streamd {host}"));
        let inbox = host.map_or(INBOX.to_owned(), |host| format!("{INBOX}.{host}"));
        let (tell, condition) = watch::channel(Condition::default());
        let teller = Arc::new(Teller {
            tell,
            servers: meters.servers.clone(),
            distrusts: AtomicBool::new(false),
        });
        let told = Arc::clone(&teller);
        let mut options = ConnectOptions::new()
            .name(name)
            .custom_inbox_prefix(inbox)
            .retry_on_initial_connect()
            .ping_interval(PINGS)
            .reconnect_delay_callback(pause)
            // The event of a certificate that is not trusted is that of a server that is not there.
            .reconnect_to_server_callback(move |servers, _| {
                let of_tls = |error: &String| error.contains("certificate");
                let mut errors = servers
                    .iter()
                    .filter_map(|server| server.last_error.as_ref());
                told.distrusts.store(errors.any(of_tls), Relaxed);
                async { None }
            })
            .event_callback(move |event| {
                let teller = Arc::clone(&teller);
                async move { teller.note(event) }
            });
        if let Some(file) = &config.ca_file {
            let file = config::credential(file);
            // Read when it connects, but what is wrong is better said now.
            fs::read(&file).with_context(|| format!("nats.ca-file: {}", file.display()))?;
            options = options.add_root_certificates(file);
        }
        if let Some(file) = &config.credentials {
            options = credentials(options, &config::credential(file))?;
        }
        let servers: Vec<_> = config.servers.iter().map(ToString::to_string).collect();
        let client = options
            .connect(servers)
            .await
            .with_context(|| format!("nats.servers: {}", meters.servers))?;
        Ok(Self {
            client,
            condition,
            meters,
        })
    }

    /// Waits until it is there, or there again after `times`.
    pub async fn connected(&mut self, times: u64) -> Option<u64> {
        let there = |now: &Condition| now.connected && now.times != times;
        let now = self.condition.wait_for(there).await.ok()?;
        Some(now.times)
    }

    /// Whether it is no more the connection that was the `times`th; to be asked when the condition
    /// has changed.
    pub fn is_over(&mut self, times: u64) -> bool {
        let now = self.condition.borrow_and_update();
        !now.connected || now.times != times
    }

    /// What is wrong with the server at the other end, if something is.
    pub fn unfit(&self) -> Option<String> {
        let info = self.client.try_server_info()?;
        let (major, minor, patch) = OLDEST;
        (!self.client.is_server_compatible(major, minor, patch)).then(|| {
            format!(
                "nats-server {} is too old: {major}.{minor}.{patch} or a later one is needed",
                info.version
            )
        })
    }

    /// Sends a message; it is lost where the connection is.
    pub async fn send(&self, subject: String, reply: Option<String>, payload: bytes::Bytes) {
        // Whatever is sent while nobody is there would be kept, and be old when it arrives.
        if !self.condition.borrow().connected {
            return;
        }
        let sent = match reply {
            Some(reply) => {
                self.client
                    .publish_with_reply(subject, reply, payload)
                    .await
            }
            None => self.client.publish(subject, payload).await,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "NATS: not sent");
        }
    }

    /// Says in the log what is refused or wrong, once.
    pub fn complain(&self, topic: NatsTopic, what: &str) {
        if self.meters.complain(topic, what) {
            tracing::warn!(message_id = events::NATS_TROUBLE, "NATS: {what}");
        }
    }

    /// Nothing is wrong there any more: should it come again, it is said again.
    pub fn content(&self, topic: NatsTopic) {
        self.meters.complain(topic, "");
    }

    /// A message that is none of ours has come on one of our subjects.
    pub fn foreign(&self, message: &Message) {
        self.meters.foreign.add(1);
        tracing::debug!(
            subject = %message.subject,
            bytes = message.payload.len(),
            "NATS: a message that is none of ours"
        );
    }
}

/// Notes what becomes of the connection.
struct Teller {
    tell: watch::Sender<Condition>,
    servers: String,
    /// A server has shown a certificate that is not trusted.
    distrusts: AtomicBool,
}

impl Teller {
    fn note(&self, event: Event) {
        let servers = &self.servers;
        match event {
            Event::Connected => {
                self.tell.send_modify(|now| {
                    now.connected = true;
                    now.times += 1;
                    now.why.clear();
                });
                tracing::info!(
                    message_id = events::NATS_CONNECTED,
                    servers,
                    "NATS: connected"
                );
            }
            Event::Disconnected | Event::Closed => self.away("the connection is lost"),
            Event::ClientError(ClientError::Other(why))
                if why == "IO error" && self.distrusts.load(Relaxed) =>
            {
                self.away(&words("TLS error"));
            }
            Event::ClientError(ClientError::Other(why)) => self.away(&words(&why)),
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.away(&words("authorization violation"));
            }
            // Who merely has cameras need not make the stream, nor be found by tools.
            Event::ServerError(ServerError::Other(what))
                if ["\"$JS.API.STREAM.", "\"$SRV."]
                    .iter()
                    .any(|part| what.contains(part)) =>
            {
                tracing::debug!("NATS: {what}");
            }
            Event::ServerError(ServerError::Other(what)) => {
                tracing::warn!(message_id = events::NATS_TROUBLE, "NATS: {what}");
            }
            other => tracing::debug!("NATS: {other}"),
        }
    }

    fn away(&self, why: &str) {
        let why = format!("no connection to {}: {why}", self.servers);
        let news = self.tell.send_if_modified(|now| {
            let news = now.connected || now.why != why;
            now.connected = false;
            now.why.clone_from(&why);
            news
        });
        if news {
            tracing::warn!(message_id = events::NATS_AWAY, "NATS: {why}");
        }
    }
}

/// What the library says, with what to do about it.
fn words(why: &str) -> String {
    match why {
        "authorization violation" | "failed signing nonce" => {
            "the server refuses the credentials (nats.credentials)".into()
        }
        "TLS error" => "TLS could not be agreed on (nats.ca-file, tls:// in nats.servers)".into(),
        "DNS error" => "there is no such name (nats.servers)".into(),
        "IO error" => "no server of NATS answers".into(),
        other => other.to_owned(),
    }
}

/// How long it is waited before this attempt.
fn pause(attempt: usize) -> Duration {
    match attempt {
        0 | 1 => Duration::ZERO,
        n => (AGAIN.0 * (1 << (n - 2).min(8))).min(AGAIN.1),
    }
}

/// By what the file has: the credentials of a user with its JWT, or the seed of an NKey alone.
fn credentials(options: ConnectOptions, file: &std::path::Path) -> anyhow::Result<ConnectOptions> {
    let shown = || format!("nats.credentials: {}", file.display());
    let text = fs::read_to_string(file).with_context(shown)?;
    let seed = text.trim();
    let is_seed = seed.len() == 58
        && seed.starts_with("SU")
        && seed.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'));
    match is_seed {
        true => Ok(options.nkey(seed.into())),
        false => options.credentials(&text).map_err(|_| {
            let what = "neither a credentials file nor the seed of a user's NKey (SU…)";
            anyhow::anyhow!("{}: {what}", shown())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_soon_at_first_and_never_rare() {
        let times: Duration = (0..6).map(pause).sum();
        assert!(times < Duration::from_secs(1), "{times:?}");
        assert_eq!(pause(1000), AGAIN.1);
    }

    #[test]
    fn a_file_of_credentials_is_a_seed_or_has_a_jwt() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let says = |text: &str| {
            fs::write(file.path(), text).unwrap();
            credentials(ConnectOptions::new(), file.path()).map_err(|error| error.to_string())
        };
        let seed = "SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY";
        assert!(says(&format!("{seed}\n")).is_ok());
        for text in ["", "password", "SUshort"] {
            let error = says(text).err().unwrap();
            assert!(
                error.contains("nats.credentials: ") && error.contains("seed"),
                "{error}"
            );
        }
    }
}
