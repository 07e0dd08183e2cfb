//! What the machines that share cameras on NATS, and who writes the server's configuration, agree on.

use std::time::Duration;

/// The stream that holds the newest picture of each camera, and nothing older.
pub const STREAM: &str = "streamd";

/// What every subject begins with; the machine's name is the token behind it.
pub const SUBJECTS: &str = "streamd.v1";

/// What answers come back to begins with this; with the machine's name behind it, where it has one.
pub const INBOX: &str = "_INBOX";

/// A machine says so often that it is there.
pub const PRESENT: Duration = Duration::from_secs(2);

/// Who has not been heard of for so long is gone, and has left its name.
pub const SILENT: Duration = Duration::from_secs(6);

/// The longest name of a machine, in bytes: that of a label of DNS.
const LONGEST: usize = 63;

/// What a machine's name may be, in words.
pub const NAME_ALLOWED: &str = "1 to 63 letters, digits, `-` or `_`";

/// Whether a machine may be called so: it is one token of a subject.
pub fn is_name(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(legal)
}
