//! What a client is answered (RFC 2326, section 7).

use std::io::Write as _;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is done.
    Ok,
    /// It can't be understood.
    BadRequest,
    /// Who asks has to say who they are.
    Unauthorized,
    /// They may not.
    Forbidden,
    /// There is no such camera.
    NotFound,
    /// It is not done here.
    NotImplemented,
    /// The camera's pictures can't be had in this coding.
    UnsupportedMediaType,
    /// There is no place left.
    NotEnoughBandwidth,
    /// There is no such session.
    SessionNotFound,
    /// Not now.
    NotValidNow,
    /// By none of the ways that were offered.
    UnsupportedTransport,
    /// In another version of the protocol.
    VersionNotSupported,
    /// Something is lacking here.
    Unavailable,
}

impl Status {
    /// Its number and words.
    const fn line(self) -> (u16, &'static str) {
        match self {
            Self::Ok => (200, "OK"),
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::NotEnoughBandwidth => (453, "Not Enough Bandwidth"),
            Self::SessionNotFound => (454, "Session Not Found"),
            Self::NotValidNow => (455, "Method Not Valid in This State"),
            Self::UnsupportedTransport => (461, "Unsupported Transport"),
            Self::NotImplemented => (501, "Not Implemented"),
            Self::Unavailable => (503, "Service Unavailable"),
            Self::VersionNotSupported => (505, "RTSP Version Not Supported"),
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What became of the request.
    pub status: Status,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// One without more than that.
    pub const fn new(status: Status) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// A refusal, and why.
    pub fn refused(status: Status, why: impl ToString) -> Self {
        Self::new(status).saying("text/plain", why.to_string())
    }

    /// The same with a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with a body.
    pub fn saying(mut self, kind: &str, body: String) -> Self {
        self.body = body;
        self.with("Content-Type", kind)
    }

    /// Appends it as the answer to the request of this number.
    pub fn write(&self, number: u32, out: &mut Vec<u8>) {
        let (code, words) = self.status.line();
        let mut add = |text: std::fmt::Arguments<'_>| {
            out.write_fmt(text)
                .expect("writing to memory does not fail");
        };
        add(format_args!(
            "RTSP/1.0 {code} {words}\r\nCSeq: {number}\r\n"
        ));
        add(format_args!("Server: streamd\r\n"));
        for (name, value) in &self.headers {
            // What a client has sent must not become a line of ours.
            let value = value.replace(|c: char| c.is_control(), " ");
            add(format_args!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            add(format_args!("Content-Length: {}\r\n", self.body.len()));
        }
        add(format_args!("\r\n{}", self.body));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_as_it_goes_out() {
        let mut out = Vec::new();
        Answer::new(Status::Ok)
            .with("Session", "a\r\nb: c")
            .write(7, &mut out);
        Answer::refused(Status::NotFound, "none").write(8, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "RTSP/1.0 200 OK\r\nCSeq: 7\r\nServer: streamd\r\nSession: a  b: c\r\n\r\n\
             RTSP/1.0 404 Not Found\r\nCSeq: 8\r\nServer: streamd\r\nContent-Type: text/plain\r\n\
             Content-Length: 4\r\n\r\nnone"
        );
    }
}
