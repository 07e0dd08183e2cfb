//! What an address asks for: `rtsp://HOST/CAMERA/CODEC?fps=…`.

use streamd_protocol::limits::Limits;

use crate::{
    http::query::{BadParameter, Query},
    media::Codec,
};

/// The name of a camera's one stream in the address of a SETUP.
pub const TRACK: &str = "trackID=0";

/// The name of its sound.
pub const SOUND: &str = "trackID=1";

/// What an address asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Address {
    /// The camera; the first one where it names none.
    pub camera: Option<String>,
    /// Its sound, and not its pictures.
    pub is_sound: bool,
    /// In which coding; the best there is where it names none.
    pub codec: Option<Codec>,
    /// A viewer's limits; their codec says nothing.
    pub limits: Limits,
    /// A token.
    pub token: Option<String>,
}

/// An address that asks for nothing that could be here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is none.
    #[error("{0:?} is no address; allowed: rtsp://HOST:PORT/CAMERA")]
    NoAddress(String),
    /// A path that leads nowhere.
    #[error("nothing is at {0:?}; allowed: /CAMERA, /CAMERA/jpeg, /CAMERA/h264")]
    Nowhere(String),
    /// A parameter that it may not have.
    #[error(transparent)]
    BadParameter(#[from] BadParameter),
}

impl Address {
    /// Reads one. Clients append the name of the stream to the address, even behind a query.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(uri: &str) -> Result<Self, Wrong> {
        let whole = uri.trim_end_matches('/');
        let (whole, is_sound) = match whole.strip_suffix(SOUND) {
            Some(rest) => (rest, true),
            None => (whole.strip_suffix(TRACK).unwrap_or(whole), false),
        };
        let whole = whole.trim_end_matches('/');
        let rest = ["rtsp://", "rtsps://"].iter().find_map(|scheme| {
            let begins = whole.get(..scheme.len())?.eq_ignore_ascii_case(scheme);
            begins.then(|| &whole[scheme.len()..])
        });
        let path = match rest {
            Some(rest) => rest.find(['/', '?']).map_or("", |at| &rest[at..]),
            None if whole.starts_with('/') => whole,
            None => return Err(Wrong::NoAddress(uri.into())),
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = Query::parse(query);
        let mut steps = path.split('/').filter(|step| !step.is_empty());
        let (camera, coding, more) = (steps.next(), steps.next(), steps.next());
        if more.is_some() {
            return Err(Wrong::Nowhere(path.into()));
        }
        let limits = query.limits()?;
        let codec = match coding {
            Some(step) => Some(codec(step).ok_or_else(|| Wrong::Nowhere(path.into()))?),
            None => query.get("codec").map(|_| limits.codec),
        };
        Ok(Self {
            camera: camera.map(str::to_owned),
            is_sound,
            codec,
            limits,
            token: query.get("token").map(str::to_owned),
        })
    }
}

fn codec(word: &str) -> Option<Codec> {
    Codec::ALL.into_iter().find(|codec| codec.name() == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(uri: &str) -> (Option<String>, Option<Codec>) {
        let address = Address::read(uri).unwrap_or_else(|wrong| panic!("{uri}: {wrong}"));
        (address.camera, address.codec)
    }

    #[test]
    fn addresses_as_players_make_them() {
        let main = Some("main".to_owned());
        for (uri, wanted) in [
            ("rtsp://cam:8554", (None, None)),
            ("rtsp://cam:8554/", (None, None)),
            ("rtsp://cam/trackID=0", (None, None)),
            ("RTSP://u:p@cam/main", (main.clone(), None)),
            ("rtsps://[::1]:322/main/", (main.clone(), None)),
            ("/main", (main.clone(), None)),
            ("rtsp://cam/main/jpeg", (main.clone(), Some(Codec::Jpeg))),
            (
                "rtsp://cam/main/h264/trackID=0",
                (main.clone(), Some(Codec::H264)),
            ),
            (
                "rtsp://cam/main?codec=jpeg/trackID=0",
                (main.clone(), Some(Codec::Jpeg)),
            ),
            (
                "rtsp://cam/main/?codec=h264/trackID=0/",
                (main, Some(Codec::H264)),
            ),
            ("rtsp://cam?codec=jpeg", (None, Some(Codec::Jpeg))),
        ] {
            assert_eq!(read(uri), wanted, "{uri}");
        }
        for (uri, is_sound) in [
            ("rtsp://cam/main/h264/trackID=1", true),
            ("rtsp://cam/main?fps=5/trackID=1/", true),
            ("rtsp://cam/main/h264/trackID=0", false),
            ("rtsp://cam/main", false),
        ] {
            assert_eq!(Address::read(uri).unwrap().is_sound, is_sound, "{uri}");
        }
        let address = Address::read("rtsp://cam/main?fps=5&token=abc&max_width=320").unwrap();
        assert_eq!(address.limits.fps, Some(5.0));
        assert_eq!(address.limits.max_width, Some(320));
        assert_eq!(address.token.as_deref(), Some("abc"));
    }

    #[test]
    fn others_are_told_what_is_allowed() {
        for (uri, word) in [
            ("*", "rtsp://HOST"),
            ("http://cam/main", "rtsp://HOST"),
            ("rtsp://cam/main/vp8", "/CAMERA/jpeg"),
            ("rtsp://cam/main/jpeg/x", "/CAMERA/jpeg"),
            ("rtsp://cam/main?codec=vp8", "jpeg or h264"),
            ("rtsp://cam/main?fps=x", "or 0 for no limit"),
        ] {
            let wrong = Address::read(uri).unwrap_err().to_string();
            assert!(wrong.contains(word), "{uri}: {wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_none(text: String) {
            let _ = Address::read(&text);
            let _ = Address::read(&format!("rtsp://{text}"));
        }
    }
}
