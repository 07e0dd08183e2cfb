//! What has been agreed on with a client, and what it may ask for while pictures come.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    answer::{Answer, Status},
    request::{Method, Request},
    rtp::Stream,
};

/// A session ends when nothing has come from its client for so long.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A stream has a key at least so often: recorders cut at keys, and who loses a packet goes on at one.
pub const KEYS_EVERY: Duration = Duration::from_secs(2);

/// What can be asked for.
const METHODS: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";

/// One session, and its streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    id: String,
    /// The address of the stream, as the client has it.
    uri: String,
    /// What is sent of pictures.
    pub stream: Stream,
    /// What is sent of sound beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Sound>,
}

/// The sound of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sound {
    /// The address of its stream, as the client has it.
    pub uri: String,
    /// What is sent.
    pub stream: Stream,
}

/// A name of a session, that nobody guesses.
///
/// # Errors
/// The kernel has no random bytes.
pub fn new_id() -> std::io::Result<String> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

/// An answer within the session of this name.
pub fn answered(id: &str, status: Status) -> Answer {
    let seconds = TIMEOUT.as_secs();
    Answer::new(status).with("Session", format!("{id};timeout={seconds}"))
}

/// What a request means for the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// They come.
    Play,
    /// They rest.
    Pause,
    /// The session ends.
    End,
}

/// The answer to what can be asked at any time; `None` to all else.
pub fn always(request: &Request) -> Option<Answer> {
    if !request.is_known_version {
        let words = "RTSP/1.0 is spoken here";
        return Some(Answer::refused(Status::VersionNotSupported, words));
    }
    match request.method {
        Method::Options => Some(Answer::new(Status::Ok).with("Public", METHODS)),
        Method::Other => Some(Answer::new(Status::NotImplemented).with("Public", METHODS)),
        _ => None,
    }
}

impl Session {
    /// One of this name, for the stream at this address.
    pub const fn new(id: String, uri: String, stream: Stream) -> Self {
        Self {
            id,
            uri,
            stream,
            sound: None,
        }
    }

    /// An answer within the session.
    pub fn answered(&self, status: Status) -> Answer {
        answered(&self.id, status)
    }

    /// Whether a request is for this session, and not for another one.
    pub fn is_meant(&self, request: &Request) -> bool {
        request.header("session").is_none_or(|id| {
            let id = id.split(';').next().unwrap_or_default();
            id.trim() == self.id
        })
    }

    /// Answers a request while there are pictures, or might be.
    pub fn answer(&self, request: &Request) -> (Answer, Then) {
        if let Some(answer) = always(request) {
            return (answer, Then::Nothing);
        }
        if !self.is_meant(request) {
            return (Answer::new(Status::SessionNotFound), Then::Nothing);
        }
        match request.method {
            Method::Play => {
                // The clock of the stream is told by its first packet.
                let of =
                    |uri: &str, stream: &Stream| format!("url={uri};seq={}", stream.sequence());
                let mut info = of(&self.uri, &self.stream);
                if let Some(sound) = &self.sound {
                    info = format!("{info},{}", of(&sound.uri, &sound.stream));
                }
                (self.answered(Status::Ok).with("RTP-Info", info), Then::Play)
            }
            Method::Pause => (self.answered(Status::Ok), Then::Pause),
            Method::Teardown => (self.answered(Status::Ok), Then::End),
            Method::GetParameter | Method::SetParameter => {
                (self.answered(Status::Ok), Then::Nothing)
            }
            _ => (self.answered(Status::NotValidNow), Then::Nothing),
        }
    }
}
