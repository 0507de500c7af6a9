//! As much HTTP as the orders need: one request on a connection, one answer.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::call::Call;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much it may answer.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

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
        let (status, body) = read(BufReader::new(stream))?;
        let body: Value = serde_json::from_slice(&body).map_err(|_| Trouble::NotUnderstood)?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let word = |name: &str| body["error"][name].as_str().map(str::to_owned);
        let what = word("what").ok_or(Trouble::NotUnderstood)?;
        Err(Trouble::Refused { status, what, hint: word("hint").unwrap_or_default() })
    }
}

/// Reads an answer to its end, which is the connection's.
fn read(mut reader: impl io::BufRead) -> Result<(u16, Vec<u8>), Trouble> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or(Trouble::NotUnderstood)?;
    let mut length = None;
    loop {
        line.clear();
        reader.by_ref().take(16 * 1024).read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse::<u64>().ok();
            }
            Some(_) => {}
            None => break,
        }
    }
    let length = length.filter(|length| *length <= ANSWER_BYTES_MAX).ok_or(Trouble::NotUnderstood)?;
    let mut body = Vec::new();
    let read = reader.take(length).read_to_end(&mut body)?;
    if read as u64 == length { Ok((status, body)) } else { Err(Trouble::NotUnderstood) }
}
