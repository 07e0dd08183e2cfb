//! The stream that holds the newest picture of each camera: made, where it is not there yet.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{engine::Engine, subject};

/// No picture is older in the stream.
const OLDEST: Duration = Duration::from_secs(2);

/// What the server says to a request of JetStream, as far as it is of use.
#[derive(Debug, Deserialize)]
pub struct Said {
    /// What is wrong.
    pub error: Option<Wrong>,
    /// How a stream is set up.
    config: Option<Config>,
}

/// What is wrong with a request.
#[derive(Debug, Deserialize)]
pub struct Wrong {
    /// Which kind of error.
    #[serde(default)]
    pub err_code: u64,
    /// In words.
    #[serde(default)]
    pub description: String,
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    max_msgs_per_subject: i64,
    #[serde(default)]
    storage: String,
}

/// The stream is there, but set up in another way.
const IN_USE: u64 = 10058;

/// Makes the stream, or looks whether the one that is there fits. Who may do neither does without:
/// what is published then tells whether it is there.
///
/// # Errors
/// What is wrong, for people.
pub async fn ensure(engine: &Engine) -> Result<(), String> {
    let age = OLDEST.as_nanos() as u64;
    let config = json!({
        "name": subject::STREAM,
        "subjects": subject::TAKEN,
        "storage": "memory",
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": 1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_consumers": -1,
        "max_age": age,
        "duplicate_window": age,
        "num_replicas": 1,
    });
    let made = ask(engine, "CREATE", &config).await?;
    let Some(wrong) = made.and_then(|said| said.error) else {
        return Ok(());
    };
    if wrong.err_code != IN_USE {
        return Err(format!("stream {}: {}", subject::STREAM, wrong.description));
    }
    let there = ask(engine, "INFO", &json!({})).await?;
    match there.and_then(|said| said.config) {
        Some(config) if config.max_msgs_per_subject != 1 || config.storage != "memory" => {
            Err(format!(
                "stream {} is set up in another way: max_msgs_per_subject must be 1, and storage memory",
                subject::STREAM
            ))
        }
        _ => Ok(()),
    }
}

/// Asks JetStream; `None` where who asks may not, or is not answered.
async fn ask(
    engine: &Engine,
    verb: &str,
    config: &serde_json::Value,
) -> Result<Option<Said>, String> {
    let to = format!("$JS.API.STREAM.{verb}.{}", subject::STREAM);
    let payload = config.to_string().into();
    match engine.client.request(to, payload).await {
        Ok(message) => Ok(serde_json::from_slice(&message.payload).ok()),
        Err(error) if error.kind() == async_nats::RequestErrorKind::NoResponders => {
            Err("the server has no JetStream (jetstream {} in its configuration)".into())
        }
        Err(_) => Ok(None),
    }
}
