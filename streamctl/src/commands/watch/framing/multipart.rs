//! Cuts `multipart/x-mixed-replace`, as µStreamer, mjpg-streamer, cameras and streamd send it: a
//! boundary, headers, a picture. No I/O.

use streamd_protocol::stream::MAX_TO_CLIENT;

use super::{Cut, Error, What};

/// The longest head of a part, in bytes.
const LONGEST: usize = 16 * 1024;

/// The parts of one answer.
#[derive(Debug)]
pub(super) struct Parts {
    boundary: String,
    /// Where the search for the end of a picture without a length goes on.
    searched: usize,
}

impl Parts {
    /// Parts that this stands between, behind two hyphens.
    pub fn new(boundary: &str) -> Self {
        Self {
            boundary: format!("--{boundary}"),
            searched: 0,
        }
    }

    /// The next part.
    pub fn cut(&mut self, arrived: &[u8]) -> Result<Cut, Error> {
        // Between parts stand empty lines, as many as a server likes.
        let empty = arrived
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        if empty > 0 {
            return Ok(Cut::Skip(empty));
        }
        let boundary = self.boundary.as_bytes();
        let known = arrived.len().min(boundary.len());
        if arrived[..known] != boundary[..known] {
            return Err(Error::Http(
                "a part does not begin with the boundary".into(),
            ));
        }
        let Some(end) = find(arrived, b"\r\n\r\n", 0) else {
            return match arrived.len() > LONGEST {
                true => Err(Error::Http("a part has a head without an end".into())),
                false if arrived[known..].starts_with(b"--") => {
                    Err(Error::Closed(0, " after the last part".into()))
                }
                false => Ok(Cut::Need),
            };
        };
        match length(&arrived[..end])? {
            Some(length) => Ok(picture(arrived, end + 4, length)),
            None => self.search(arrived, end + 4),
        }
    }

    /// A part without a length ends where the next one begins.
    fn search(&mut self, arrived: &[u8], from: usize) -> Result<Cut, Error> {
        let mut next = b"\r\n".to_vec();
        next.extend_from_slice(self.boundary.as_bytes());
        match find(arrived, &next, self.searched.max(from)) {
            Some(end) => {
                self.searched = 0;
                Ok(picture(arrived, from, end - from))
            }
            None if arrived.len() > MAX_TO_CLIENT => Err(Error::Length(arrived.len() as u64)),
            None => {
                self.searched = arrived.len().saturating_sub(next.len()).max(from);
                Ok(Cut::Need)
            }
        }
    }
}

/// A picture, once it is whole; what is none is left out.
fn picture(arrived: &[u8], from: usize, length: usize) -> Cut {
    let Some(body) = arrived.get(from..from + length) else {
        return Cut::Need;
    };
    match body.starts_with(&[0xFF, 0xD8]) {
        true => Cut::Whole(What::Picture, from, length, from + length),
        false => Cut::Skip(from + length),
    }
}

/// The `Content-Length` of a part; `None` if it has none.
fn length(head: &[u8]) -> Result<Option<usize>, Error> {
    let head = String::from_utf8_lossy(head);
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let length = headers
        .into_iter()
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("content-length"));
    let Some((_, length)) = length else {
        return Ok(None);
    };
    match length.trim().parse() {
        Ok(length) if length <= MAX_TO_CLIENT => Ok(Some(length)),
        Ok(length) => Err(Error::Length(length as u64)),
        Err(_) => Err(Error::Http("the length of a part is no number".into())),
    }
}

fn find(bytes: &[u8], word: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let at = rest.windows(word.len()).position(|window| window == word)?;
    Some(from + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pictures of a stream that arrives in pieces.
    fn pictures(stream: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, Error> {
        let (mut parts, mut arrived, mut pictures) = (Parts::new("frame"), Vec::new(), Vec::new());
        for piece in stream.chunks(piece) {
            arrived.extend_from_slice(piece);
            loop {
                match parts.cut(&arrived)? {
                    Cut::Need => break,
                    Cut::Skip(bytes) => drop(arrived.drain(..bytes)),
                    Cut::Whole(_, from, length, end) => {
                        pictures.push(arrived[from..from + length].to_vec());
                        arrived.drain(..end);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        Ok(pictures)
    }

    fn part(picture: &[u8], with_length: bool) -> Vec<u8> {
        let length = match with_length {
            true => format!("content-length: {}\r\n", picture.len()),
            false => String::new(),
        };
        let head = format!("--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n");
        [head.as_bytes(), picture, b"\r\n"].concat()
    }

    proptest! {
        #[test]
        fn pictures_come_out_whole_however_they_arrive(
            bodies in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), any::<bool>()), 1..6),
            piece in 1..300_usize,
        ) {
            let bodies: Vec<_> = bodies
                .into_iter()
                .map(|(body, with_length)| ([&[0xFF, 0xD8], &body[..]].concat(), with_length))
                .collect();
            let mut stream: Vec<u8> = b"\r\n".to_vec();
            for (body, with_length) in &bodies {
                stream.extend(part(body, *with_length));
            }
            stream.extend(b"--frame\r\n");
            let sent: Vec<_> = bodies.into_iter().map(|(body, _)| body).collect();
            prop_assert_eq!(pictures(&stream, piece).unwrap(), sent);
        }

        #[test]
        fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = pictures(&bytes, 7);
            let _ = pictures(&[b"--frame\r\n", &bytes[..], b"\r\n\r\n"].concat(), 7);
        }
    }

    #[test]
    fn what_is_no_part_is_refused_and_what_is_no_picture_left_out() {
        let text = b"--frame\r\nContent-Length: 2\r\n\r\nhi\r\n";
        assert_eq!(pictures(text, 5), Ok(vec![]));
        for (stream, words) in [
            (&b"--other\r\n\r\n"[..], "boundary"),
            (b"--frame\r\nContent-Length: many\r\n\r\n", "no number"),
            (
                b"--frame\r\nContent-Length: 999999999999\r\n\r\n",
                "999999999999",
            ),
            (b"--frame--\r\n", "last part"),
        ] {
            let error = pictures(stream, 100).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
