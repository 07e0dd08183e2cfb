//! Values that stay text or lists in the tree, and are checked as they are read.

use std::{
    fmt,
    marker::PhantomData,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

use streamd_protocol::printable::printable;

use super::values::{Anonymous, Listen, Value, refused};

/// A log filter whose every part names a level; see [`check_filter`].
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Level(String);

impl TryFrom<String> for Level {
    type Error = String;
    fn try_from(filter: String) -> Result<Self, String> {
        check_filter(&filter).map(|()| Self(filter))
    }
}

impl Value for Level {
    fn allowed() -> String {
        "\"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or a filter such as \"info,streamd::capture=debug\"".into()
    }
}

/// The absolute path of a Unix socket, short enough for `sun_path`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct SocketPath(PathBuf);

/// What `sockaddr_un` holds, without the terminating NUL.
pub(super) const SUN_PATH_MAX: usize = 107;

impl TryFrom<String> for SocketPath {
    type Error = String;
    fn try_from(path: String) -> Result<Self, String> {
        if path.starts_with('/') && path.len() <= SUN_PATH_MAX && !path.contains('\0') {
            Ok(Self(path.into()))
        } else {
            Err(refused::<Self>("socket", path))
        }
    }
}

impl Value for SocketPath {
    fn allowed() -> String {
        format!("an absolute path of at most {SUN_PATH_MAX} bytes")
    }
}

/// An origin as browsers send it, `https://panel.example:8443`, or `*`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Origin(String);

impl TryFrom<String> for Origin {
    type Error = String;
    fn try_from(origin: String) -> Result<Self, String> {
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        let legal = |host: &str| {
            let delimits = |c: char| !c.is_ascii_graphic() || "/,;".contains(c);
            !host.is_empty() && !host.contains(delimits)
        };
        if origin == "*" || host.is_some_and(legal) {
            Ok(Self(origin))
        } else {
            Err(refused::<Self>("origin", origin))
        }
    }
}

impl Value for Origin {
    fn allowed() -> String {
        "\"SCHEME://HOST[:PORT]\", as in [\"https://panel.example\"], or [\"*\"]".into()
    }
}

/// The absolute path of a file.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct FilePath(PathBuf);

impl TryFrom<String> for FilePath {
    type Error = String;
    fn try_from(path: String) -> Result<Self, String> {
        if path.starts_with('/') && !path.ends_with('/') && !path.contains('\0') {
            Ok(Self(path.into()))
        } else {
            Err(refused::<Self>("file", path))
        }
    }
}

impl Value for FilePath {
    fn allowed() -> String {
        "the absolute path of a file".into()
    }
}

/// The absolute path of a file, or the name of a credential that systemd hands to the service.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct CredentialPath(PathBuf);

/// What stands before the name of a credential.
pub const CREDENTIAL: &str = "credential:";

/// Where the file is: credentials of systemd are in `$CREDENTIALS_DIRECTORY`.
pub fn credential_file(path: &Path) -> PathBuf {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").unwrap_or_default();
    let name = path.to_str().and_then(|path| path.strip_prefix(CREDENTIAL));
    name.map_or_else(|| path.into(), |name| Path::new(&folder).join(name))
}

impl TryFrom<String> for CredentialPath {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix(CREDENTIAL) {
            // As systemd.exec(5) has it.
            Some(name) if !name.is_empty() && !name.contains(['/', '\0']) => Ok(Self(text.into())),
            Some(_) => Err(refused::<Self>("credential", text)),
            None => FilePath::try_from(text)
                .map(|path| Self(path.0))
                .map_err(|_| format!("not a file or credential; allowed: {}", Self::allowed())),
        }
    }
}

impl Value for CredentialPath {
    fn allowed() -> String {
        "the absolute path of a file, or \"credential:NAME\" of systemd".into()
    }
}

/// The name of a header.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct HeaderName(String);

impl TryFrom<String> for HeaderName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        // A token of RFC 9110 section 5.6.2.
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        match (1..=64).contains(&name.len()) && name.bytes().all(legal) {
            true => Ok(Self(name)),
            false => Err(refused::<Self>("header", name)),
        }
    }
}

impl Value for HeaderName {
    fn allowed() -> String {
        "the name of a header, as in \"X-Remote-User\"".into()
    }
}

/// The name of a user, as a proxy says it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct UserName(String);

impl TryFrom<String> for UserName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        match is_user_name(&name) {
            true => Ok(Self(name)),
            false => Err(refused::<Self>("user", name)),
        }
    }
}

impl Value for UserName {
    fn allowed() -> String {
        format!("a name of 1 to {MAX_USER_NAME} characters that can be seen, as in [\"anna\"]")
    }
}

/// Characters of a user's name at most.
const MAX_USER_NAME: usize = 64;

/// Whether this can be the name of a user: something that can be shown, on one line.
pub fn is_user_name(name: &str) -> bool {
    (1..=MAX_USER_NAME).contains(&name.chars().count())
        && name.trim() == name
        && printable(name) == name
}

/// The name of a group of the system.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct GroupName(String);

impl TryFrom<String> for GroupName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        match nix::unistd::Group::from_name(&name) {
            Ok(Some(_)) => Ok(Self(name)),
            _ => Err(refused::<Self>("group", name)),
        }
    }
}

impl Value for GroupName {
    fn allowed() -> String {
        "the name of a group of this system".into()
    }
}

/// A name by which a server is addressed, without a port: `cam.example`, or `*`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct HostName(String);

impl TryFrom<String> for HostName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let is_name = (1..=253).contains(&name.len()) && name.bytes().all(legal);
        if name == "*" || is_name {
            Ok(Self(name))
        } else {
            Err(refused::<Self>("host", name))
        }
    }
}

impl Value for HostName {
    fn allowed() -> String {
        "\"NAME\" without a port, as in [\"cam.example\"], or [\"*\"]".into()
    }
}

/// Refuses what `EnvFilter` would take silently for the name of a module: `inof` logs nothing.
pub fn check_filter(filter: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let is_level = |word: &str| LEVELS.iter().any(|l| l.eq_ignore_ascii_case(word));
    let bad = filter.split(',').find(|part| {
        let (module, level) = part.rsplit_once('=').unwrap_or(("streamd", part));
        module.trim().is_empty() || !is_level(level.trim())
    });
    match bad {
        None => Ok(()),
        Some(part) => Err(refused::<Level>("log level", part)),
    }
}

pub(super) fn level<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Level::deserialize(from).map(|level| level.0)
}

pub(super) fn socket<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    SocketPath::deserialize(from).map(|path| Some(path.0))
}

pub(super) fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Vec::<Origin>::deserialize(from).map(|all| all.into_iter().map(|origin| origin.0).collect())
}

pub(super) fn hosts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Vec::<HostName>::deserialize(from).map(|all| all.into_iter().map(|host| host.0).collect())
}

pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    FilePath::deserialize(from).map(|path| Some(path.0))
}

pub(super) fn credential<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    CredentialPath::deserialize(from).map(|path| Some(path.0))
}

pub(super) fn group<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    GroupName::deserialize(from).map(|group| Some(group.0))
}

/// As [`HeaderName`], where there may be none.
pub(super) fn header<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    HeaderName::deserialize(from).map(|name| Some(name.0))
}

/// As [`UserName`].
pub(super) fn users<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Vec::<UserName>::deserialize(from).map(|all| all.into_iter().map(|name| name.0).collect())
}

pub(super) fn anonymous<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<Anonymous>>, D::Error> {
    one_or_many(from).map(Some)
}

pub(super) fn some_listen<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<Listen>>, D::Error> {
    listen(from).map(Some)
}

/// One address, or a list of them.
pub(super) fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Listen>, D::Error> {
    one_or_many(from)
}

/// One value that is written as text, or a list of them.
fn one_or_many<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr<Err = String>,
{
    struct OneOrMany<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de> + FromStr<Err = String>> Visitor<'de> for OneOrMany<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one value or a list of them")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            text.parse().map(|one| vec![one]).map_err(E::custom)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, many: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(many))
        }
    }
    from.deserialize_any(OneOrMany(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_only_levels() {
        for good in [
            "info",
            "INFO",
            "off",
            "info,streamd::capture=debug",
            "streamd=trace",
        ] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "inof",
            "info,",
            "info,streamd=loud",
            "=debug",
            "streamd::capture",
        ] {
            assert!(check_filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        for good in ["*", "https://panel.example", "http://192.0.2.1:7125"] {
            assert!(Origin::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "panel.example",
            "https://",
            "https://panel.example/",
            "ftp://x",
        ] {
            assert!(Origin::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
