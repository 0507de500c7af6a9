//! As much HTTP as the orders need: one request on a connection, one answer.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::call::Call;

/// How long the server may say nothing. To erase what somebody has said takes it longest.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How long a line of an answer's head may be.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// Asks the server behind a socket.
pub(super) struct Client {
    pub(super) socket: PathBuf,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    NoServer,
    NotAllowed,
    Io(io::Error),
    NotUnderstood,
    /// The server says no.
    Refused {
        status: u16,
        what: String,
        hint: String,
    },
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Self::NoServer,
            ErrorKind::PermissionDenied => Self::NotAllowed,
            _ => Self::Io(error),
        }
    }
}

impl Client {
    /// Asks, and waits for the answer.
    pub(super) fn ask(&self, call: &Call) -> Result<Value, Trouble> {
        let mut answer = self.send(call)?;
        let mut body = Vec::new();
        answer.copy(&mut body)?;
        answer.understood(&body)
    }

    /// Asks, and copies the answer as it comes.
    pub(super) fn copy(&self, call: &Call, out: &mut impl io::Write) -> Result<(), Trouble> {
        let mut answer = self.send(call)?;
        if answer.is_fine() {
            answer.copy(out)?;
            return Ok(out.flush()?);
        }
        let mut body = Vec::new();
        answer.copy(&mut body)?;
        answer.understood(&body).map(drop)
    }

    fn send(&self, call: &Call) -> Result<Answer, Trouble> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        let Call { method, path, .. } = call;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: polylogue\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        Answer::begin(BufReader::new(stream))
    }
}

/// An answer whose head was read.
struct Answer<R = BufReader<UnixStream>> {
    reader: R,
    status: u16,
    /// How long the body is; `None`: it comes in pieces that say it.
    length: Option<u64>,
}

impl<R: io::BufRead> Answer<R> {
    fn begin(mut reader: R) -> Result<Self, Trouble> {
        let line = line(&mut reader)?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or(Trouble::NotUnderstood)?;
        let (mut length, mut in_pieces) = (None, false);
        loop {
            let line = self::line(&mut reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse::<u64>().ok();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                in_pieces = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        if length.is_none() && !in_pieces {
            return Err(Trouble::NotUnderstood);
        }
        Ok(Self { reader, status, length })
    }

    fn is_fine(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Copies the body, and fails unless it is whole.
    fn copy(&mut self, out: &mut impl io::Write) -> Result<(), Trouble> {
        if let Some(length) = self.length {
            return self.copy_piece(length, out);
        }
        loop {
            let line = line(&mut self.reader)?;
            let length = u64::from_str_radix(&line, 16).map_err(|_| broken_off())?;
            self.copy_piece(length, out)?;
            if !self::line(&mut self.reader)?.is_empty() {
                return Err(Trouble::NotUnderstood);
            }
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn copy_piece(&mut self, length: u64, out: &mut impl io::Write) -> Result<(), Trouble> {
        let copied = io::copy(&mut self.reader.by_ref().take(length), out)?;
        if copied == length { Ok(()) } else { Err(broken_off()) }
    }

    fn understood(&self, body: &[u8]) -> Result<Value, Trouble> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Trouble::NotUnderstood)?;
        if self.is_fine() {
            return Ok(body);
        }
        let word = |name: &str| body["error"][name].as_str().map(str::to_owned);
        let what = word("what").ok_or(Trouble::NotUnderstood)?;
        Err(Trouble::Refused { status: self.status, what, hint: word("hint").unwrap_or_default() })
    }
}

/// One line, without its end.
fn line(reader: &mut impl io::BufRead) -> Result<String, Trouble> {
    let mut line = String::new();
    reader.take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn broken_off() -> Trouble {
    Trouble::Io(io::Error::new(ErrorKind::UnexpectedEof, "the answer broke off: it is not all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<String, Trouble> {
        let mut answer = Answer::begin(answer.as_bytes())?;
        let mut body = Vec::new();
        answer.copy(&mut body).map(|()| String::from_utf8(body).unwrap())
    }

    #[test]
    fn answers_are_whole_or_an_error() {
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd").unwrap(), "abc");
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(
            read(&format!("{head}3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n")).unwrap(),
            "abc0123456789"
        );
        for broken in [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab".to_owned(),
            format!("{head}3\r\nabc\r\n"),
            head.to_owned(),
        ] {
            assert!(matches!(read(&broken), Err(Trouble::Io(_))), "{broken}");
        }
        for strange in ["", "SSH-2.0\r\n", "HTTP/1.1 200 OK\r\n\r\nabc"] {
            assert!(matches!(read(strange), Err(Trouble::NotUnderstood)), "{strange}");
        }
    }
}
