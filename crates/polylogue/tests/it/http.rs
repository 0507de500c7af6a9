//! As much HTTP as the tests need: one request, one answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::stream::PATIENCE;

/// An answer.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The lines of the head, names in small letters.
    pub(crate) head: Vec<String>,
    /// The body.
    pub(crate) body: String,
}

/// Asks once, on a connection of its own.
///
/// # Panics
/// If there is no proper answer.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    ask_with(address, method, path, &["Content-Type: application/json"], body)
}

/// Sends a form.
pub(crate) fn post_form(address: SocketAddr, path: &str, headers: &[&str], body: &str) -> Answer {
    let kind = ["Content-Type: application/x-www-form-urlencoded"];
    ask_with(address, "POST", path, &[&kind, headers].concat(), body)
}

/// Asks with certain headers.
pub(crate) fn ask_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Answer {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{}\r\n\
         Content-Length: {length}\r\n\r\n{body}",
        headers.join("\r\n")
    );
    // A body that is too long is answered before all of it is there.
    let _ = (&stream).write_all(request.as_bytes());

    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("{method} {path}: no status: {line:?}"));
    let (mut length, mut head) = (None, Vec::new());
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if let Some((name, value)) = line.trim_end().split_once(':') {
            head.push(format!("{}: {}", name.to_ascii_lowercase(), value.trim()));
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok();
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    reader.take(length.unwrap_or(u64::MAX)).read_to_end(&mut body).unwrap();
    Answer { status, head, body: String::from_utf8(body).unwrap() }
}
