//! tmp over a WebSocket.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};

use tungstenite::{Error, Message, WebSocket};

use super::wire::connect;
use super::{Client, Happening};
use crate::check::{Said, Sees};

/// A client in the lobby.
pub(crate) struct Tmp {
    socket: WebSocket<TcpStream>,
    name: String,
}

impl Tmp {
    pub(crate) fn join(address: SocketAddr, name: &str) -> Self {
        let socket = tungstenite::client(format!("ws://{address}/"), connect(address)).unwrap().0;
        let mut tmp = Self { socket, name: name.to_owned() };
        assert_eq!(tmp.text().unwrap(), frame("STATE_UPG_1", "", ""));
        tmp.socket.send(Message::text(frame("SET_USR", name, ""))).unwrap();
        assert_eq!(tmp.text().unwrap(), frame("STATE_UPG_2", name, ""));
        tmp
    }

    fn text(&mut self) -> io::Result<String> {
        loop {
            match self.socket.read().map_err(plain)? {
                Message::Text(text) => return Ok(text.to_string()),
                Message::Ping(_) | Message::Pong(_) => {}
                other => return Err(io::Error::other(format!("{other:?}"))),
            }
        }
    }
}

/// A frame: its header has fixed columns.
fn frame(kind: &str, user: &str, body: &str) -> String {
    format!("tmp://{kind:32}::/{user:20}::/{body}")
}

/// The kernel's part of an error; the end of the connection is one, however it comes.
fn plain(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) => {
            io::Error::new(ErrorKind::UnexpectedEof, error)
        }
        error => io::Error::other(error),
    }
}

impl Client for Tmp {
    fn name(&self) -> &str {
        &self.name
    }

    fn sees(&self) -> Sees {
        Sees::All
    }

    fn say(&mut self, _: u32, text: &str) -> io::Result<()> {
        let frame = frame("CHAT_MSSG", &self.name, &format!("CHAT_MESSAGE {text}"));
        self.socket.send(Message::text(frame)).map_err(plain)
    }

    fn next(&mut self) -> io::Result<Happening> {
        let text = self.text()?;
        let said = || {
            let (header, body) = (text.get(..64)?, text.get(64..)?);
            let from = header.strip_prefix("tmp://CHAT_MSSG")?.trim_start().strip_prefix("::/")?;
            let text = body.strip_prefix("CHAT_MESSAGE ")?;
            let from = from.strip_suffix("::/")?.trim_end().to_owned();
            (!text.starts_with("(private)")).then(|| Said { from, text: text.to_owned() })
        };
        said().map(Happening::Said).ok_or_else(|| io::Error::other(text.clone()))
    }
}
