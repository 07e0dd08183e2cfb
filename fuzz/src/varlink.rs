//! Any bytes as a message of the control socket.

use serde::{Serialize, de::DeserializeOwned};
use streamd_protocol::control::{Call, Error, GetStatsReply, Reply, SetCamera, SetClient};

/// What can be read is the same after writing.
pub fn run(bytes: &[u8]) {
    check::<Call>(bytes);
    check::<SetCamera>(bytes);
    check::<SetClient>(bytes);
    check::<GetStatsReply>(bytes);
    if let Some(reply) = check::<Reply>(bytes)
        && let Some(name) = &reply.error
        && let Some(error) = Error::from_reply(name, reply.parameters)
    {
        let written = serde_json::to_value(&error).expect("an error can be written");
        assert_eq!(written["error"], *name);
        let again = Error::from_reply(name, written["parameters"].clone());
        assert_eq!(again, Some(error));
    }
}

/// If it can be read, it is the same after it was written and read again.
fn check<T>(bytes: &[u8]) -> Option<T>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let message: T = serde_json::from_slice(bytes).ok()?;
    let json = serde_json::to_vec(&message).expect("a message can be written");
    let again: T = serde_json::from_slice(&json).expect("what was written can be read");
    assert_eq!(message, again);
    Some(message)
}
