//! The file of tokens: read whole or not at all, written whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{
    role::Role,
    token::{self, Key},
};

/// The version of the file. Another one is not understood.
const VERSION: u32 = 1;

/// Characters of a token's name at most.
const MAX_NAME: usize = 64;

/// Tokens at most: all are looked at for each one that is shown.
const MAX_TOKENS: usize = 1000;

/// After a rotation, the old token is good for so long.
const BOTH_GOOD: Duration = Duration::from_secs(3600);

/// One token, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// Its name, once among all.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The one camera that it is for; any where `None`.
    pub camera: Option<String>,
    /// Seconds since the epoch.
    pub created: u64,
    /// Seconds since the epoch; never where `None`.
    pub expires: Option<u64>,
    key: Key,
    /// The one before a rotation, and until when it is good.
    before: Option<(Key, u64)>,
}

/// All tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    version: u32,
    tokens: Vec<Token>,
}

/// The file can't be used. It never means that there are no rules.
#[derive(Debug, thiserror::Error)]
#[error(
    "the file of tokens {} can't be used: {reason}; put it right, or take it away and make all tokens anew",
    path.display()
)]
pub struct Broken {
    path: PathBuf,
    reason: String,
    denied: bool,
}

impl Broken {
    /// Whether this user may not read it, which says nothing of the file.
    pub fn is_denied(&self) -> bool {
        self.denied
    }
}

/// Why a token can't be made, changed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The name is no name, or taken.
    #[error("{0}")]
    BadName(String),
    /// There are as many as there may be.
    #[error("there are {MAX_TOKENS} tokens, which is the most")]
    TooMany,
    /// No token of this name.
    #[error("no token {0:?}")]
    NoToken(String),
    /// The file can't be written, or the kernel has no random bytes.
    #[error("the token can't be kept: {0}")]
    Io(#[from] io::Error),
}

/// Seconds since the epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            version: VERSION,
            tokens: Vec::new(),
        }
    }
}

impl Token {
    /// Whether it is good now.
    fn is_good(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether a key is this token's, or that of the one before.
    fn has(&self, key: &Key, now: u64) -> bool {
        let before = self.before.as_ref();
        let was = before.is_some_and(|(before, until)| before.is(key) & (now < *until));
        (self.key.is(key) | was) && self.is_good(now)
    }
}

impl Tokens {
    /// Reads the file; `None` where there is none.
    ///
    /// # Errors
    /// It is there and can't be used.
    pub fn read(path: &Path) -> Result<Option<Self>, Broken> {
        let broken = |reason: String| Broken {
            path: path.into(),
            reason,
            denied: false,
        };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Broken {
                    denied: error.kind() == io::ErrorKind::PermissionDenied,
                    ..broken(error.to_string())
                });
            }
        };
        let tokens: Self =
            serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if tokens.version != VERSION {
            let reason = format!("version {} is not understood", tokens.version);
            return Err(broken(reason));
        }
        Ok(Some(tokens))
    }

    /// Writes the file: a reader finds the old one or the new one, whole, and nobody else can.
    fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        let text = serde_json::to_vec_pretty(self).expect("names and numbers are always JSON");
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    }

    /// The good token that has this key. All are looked at, whichever it is.
    pub fn find(&self, key: &Key) -> Option<&Token> {
        let now = now();
        let mut found = None;
        for token in &self.tokens {
            if token.has(key, now) {
                found = Some(token);
            }
        }
        found
    }

    /// All of them.
    pub fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// Makes one and keeps it; returns what is to be shown, once.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn add(
        &mut self,
        path: &Path,
        name: &str,
        role: Role,
        camera: Option<String>,
        lasts: Option<Duration>,
    ) -> Result<String, Refused> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(legal) {
            return Err(Refused::BadName(format!(
                "token name {name:?}: 1 to {MAX_NAME} letters, digits, `-`, `_`, `.` or `@` are allowed"
            )));
        }
        if self.tokens.iter().any(|token| token.name == name) {
            return Err(Refused::BadName(format!(
                "there is a token {name:?} already: revoke or rotate it"
            )));
        }
        if self.tokens.len() >= MAX_TOKENS {
            return Err(Refused::TooMany);
        }
        let secret = token::random()?;
        let mut new = self.clone();
        new.tokens.push(Token {
            name: name.into(),
            role,
            camera,
            created: now(),
            expires: lasts.map(|lasts| now().saturating_add(lasts.as_secs())),
            key: Key::of(&secret),
            before: None,
        });
        new.write(path)?;
        *self = new;
        Ok(secret)
    }

    /// Takes one away.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn revoke(&mut self, path: &Path, name: &str) -> Result<(), Refused> {
        let mut new = self.clone();
        new.tokens.retain(|token| token.name != name);
        if new.tokens.len() == self.tokens.len() {
            return Err(Refused::NoToken(name.into()));
        }
        new.write(path)?;
        *self = new;
        Ok(())
    }

    /// Makes a new secret for one; the old one is good for another hour.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn rotate(&mut self, path: &Path, name: &str) -> Result<String, Refused> {
        let mut new = self.clone();
        let token = new.tokens.iter_mut().find(|token| token.name == name);
        let token = token.ok_or_else(|| Refused::NoToken(name.into()))?;
        let secret = token::random()?;
        let old = std::mem::replace(&mut token.key, Key::of(&secret));
        token.before = Some((old, now() + BOTH_GOOD.as_secs()));
        new.write(path)?;
        *self = new;
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn path() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/tokens.json");
        (folder, path)
    }

    #[test]
    fn tokens_are_kept_without_themselves_and_for_nobody_else() {
        let (_folder, path) = path();
        assert!(Tokens::read(&path).unwrap().is_none());
        let mut tokens = Tokens::default();
        let side = Some("side".to_owned());
        let secret = tokens
            .add(&path, "phone", Role::Viewer, side, None)
            .unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!fs::read_to_string(&path).unwrap().contains(&secret));
        let read = Tokens::read(&path).unwrap().unwrap();
        let found = read.find(&Key::of(&secret)).unwrap();
        assert_eq!((found.name.as_str(), found.role), ("phone", Role::Viewer));
        assert!(read.find(&Key::of("another")).is_none());
        assert!(
            tokens
                .add(&path, "phone", Role::Viewer, None, None)
                .is_err()
        );
        assert!(tokens.add(&path, "a b", Role::Viewer, None, None).is_err());
    }

    #[test]
    fn a_token_ends_by_revoking_and_by_its_time_and_a_rotated_one_an_hour_later() {
        let (_folder, path) = path();
        let mut tokens = Tokens::default();
        let mut add = |name, lasts| tokens.add(&path, name, Role::Viewer, None, lasts).unwrap();
        let over = add("over", Some(Duration::ZERO));
        let old = add("rotated", Some(Duration::from_secs(100)));
        let new = tokens.rotate(&path, "rotated").unwrap();
        let good = |tokens: &Tokens, secret: &str| tokens.find(&Key::of(secret)).is_some();
        assert_eq!(
            [&over, &old, &new].map(|s| good(&tokens, s)),
            [false, true, true]
        );
        tokens.tokens[1].before.as_mut().unwrap().1 = now();
        assert_eq!([&old, &new].map(|s| good(&tokens, s)), [false, true]);
        tokens.revoke(&path, "rotated").unwrap();
        assert!(!good(&tokens, &new));
        assert!(!good(&Tokens::read(&path).unwrap().unwrap(), &new));
        assert!(matches!(
            tokens.revoke(&path, "rotated"),
            Err(Refused::NoToken(_))
        ));
    }

    #[test]
    fn a_broken_file_is_an_error_and_never_no_file() {
        let (folder, _) = path();
        let path = folder.path().join("tokens.json");
        for broken in [
            "",
            "{",
            "{}",
            "null",
            "{\"version\":2,\"tokens\":[]}",
            "{\"version\":1,\"tokens\":[{\"name\":\"x\"}]}",
            "{\"version\":1,\"tokens\":[],\"more\":1}",
        ] {
            fs::write(&path, broken).unwrap();
            let error = Tokens::read(&path).unwrap_err().to_string();
            assert!(error.contains("can't be used"), "{broken}: {error}");
        }
        assert!(Tokens::read(folder.path()).is_err(), "a folder");
    }
}
