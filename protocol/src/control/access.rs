//! Tokens and the audit, as the control socket tells of them.

use serde::{Deserialize, Serialize};

/// The reply of [`AddToken`](super::AddToken) and [`RotateToken`](super::RotateToken).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenReply {
    /// The secret. It can't be shown again.
    pub token: String,
}

/// The reply of [`RevokeToken`](super::RevokeToken).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevokeTokenReply {
    /// Clients that were disconnected.
    pub disconnected: i64,
}

/// The reply of [`ListTokens`](super::ListTokens).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListTokensReply {
    /// The oldest first.
    pub tokens: Vec<TokenInfo>,
}

/// The reply of [`ListAudit`](super::ListAudit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListAuditReply {
    /// The last ones of this process, the oldest first.
    pub entries: Vec<AuditEntry>,
}

/// Something that happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Seconds since the epoch.
    pub at: i64,
    /// `login`, `refusal`, `change` or `kick`.
    pub kind: String,
    /// The name of a token, or a user of the control socket; empty for nobody known.
    pub who: String,
    /// An address, or `control`; empty for the machine itself, by a signal.
    pub from: String,
    /// What it was, for people.
    pub what: String,
}

/// What is known of a token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// Its name.
    pub name: String,
    /// `viewer`, `operator` or `metrics`.
    pub role: String,
    /// The one camera that it is for; empty for any.
    pub camera: String,
    /// Seconds since the epoch.
    pub created: i64,
    /// Seconds since the epoch; 0 for never.
    pub expires: i64,
}
