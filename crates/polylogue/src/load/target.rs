//! Where the load goes: `PROTOCOL://HOST:PORT`, and the client that speaks there.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use proto::client::Client;
use proto::{bridge, irc, messenger, muca, rooms, tmp};

use super::socket::Carrier;
use crate::failure::Failure;

/// How long what a server sends may be.
const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a text may be that any server passes on in one line: the rest of 512 bytes is for who says it, and where.
const IRC_BYTES_MAX: usize = 400;
/// What bridge clients say that they listen on; nobody does.
const BRIDGE_PORT: u16 = 9;

/// A server, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The protocol that is spoken.
    pub(crate) protocol: Protocol,
    /// What it is carried by.
    pub(crate) carrier: Carrier,
    /// The scheme as it was given.
    pub(crate) scheme: &'static str,
    /// The first address of the host.
    pub(crate) address: SocketAddr,
}

/// What a target speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tmp,
    Muca,
    Rooms,
    Bridge,
    Messenger,
    Irc,
}

const SCHEMES: [(&str, Protocol, Carrier); 10] = [
    ("irc", Protocol::Irc, Carrier { tls: false, websocket: None }),
    ("ircs", Protocol::Irc, Carrier { tls: true, websocket: None }),
    ("ircws", Protocol::Irc, Carrier { tls: false, websocket: Some(Some("text.ircv3.net")) }),
    ("ircwss", Protocol::Irc, Carrier { tls: true, websocket: Some(Some("text.ircv3.net")) }),
    ("tmp", Protocol::Tmp, Carrier { tls: false, websocket: Some(None) }),
    ("tmps", Protocol::Tmp, Carrier { tls: true, websocket: Some(None) }),
    ("rooms", Protocol::Rooms, Carrier { tls: false, websocket: None }),
    ("muca", Protocol::Muca, Carrier { tls: false, websocket: None }),
    ("messenger", Protocol::Messenger, Carrier { tls: false, websocket: None }),
    ("bridge", Protocol::Bridge, Carrier { tls: false, websocket: None }),
];

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| format!("{text:?} has no protocol: PROTOCOL://HOST:PORT is wanted"))?;
        let known = SCHEMES.iter().find(|(name, ..)| *name == scheme);
        let &(scheme, protocol, carrier) = known.ok_or_else(|| {
            let names: Vec<_> = SCHEMES.iter().map(|(name, ..)| *name).collect();
            format!("{scheme:?} is none of {}", names.join(", "))
        })?;
        let host = rest.trim_end_matches('/');
        if !host.contains(':') {
            return Err(format!("{host:?} has no port: PROTOCOL://HOST:PORT is wanted"));
        }
        let found = host.to_socket_addrs().map_err(|error| format!("{host:?}: {error}"))?.next();
        let address = found.ok_or_else(|| format!("{host:?} has no address"))?;
        Ok(Self { protocol, carrier, scheme, address })
    }
}

/// What is asked of a client beyond the name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// The room to be in, without `#`. `None`: none, where the protocol can do without.
    pub(crate) room: Option<String>,
    /// IRC capabilities.
    pub(crate) capabilities: Vec<String>,
}

impl Target {
    /// A client that isn't connected yet.
    ///
    /// # Errors
    /// If the protocol can't do what is wished.
    pub(crate) fn client(&self, name: &str, wish: &Wish) -> Result<Box<dyn Client>, String> {
        let room = wish.room.as_deref();
        Ok(match self.protocol {
            Protocol::Tmp => Box::new(tmp::client::TmpClient::new(name).map_err(|error| error.to_string())?),
            Protocol::Muca => {
                Box::new(muca::client::Client::new(name, name, muca::Framing::Length, FRAME_BYTES_MAX))
            }
            Protocol::Rooms => Box::new(rooms::Client::new(rooms::Options {
                name: name.to_owned(),
                room: room.unwrap_or("lobby").to_owned(),
                framing: rooms::Framing::Lines,
                commands: true,
                line_bytes_max: FRAME_BYTES_MAX,
            })),
            Protocol::Bridge => Box::new(bridge::Client::new(bridge::Identity {
                id: name.to_owned(),
                ip: "127.0.0.1".to_owned(),
                port: BRIDGE_PORT,
                server: self.address.to_string(),
            })),
            Protocol::Messenger => {
                let address = self.address.to_string();
                Box::new(messenger::client::Client::new(name, &address, FRAME_BYTES_MAX))
            }
            Protocol::Irc => Box::new(irc::client::Client::new(irc::client::Options {
                nick: name.to_owned(),
                room: room.map(|room| format!("#{room}")),
                capabilities: wish.capabilities.clone(),
                ..irc::client::Options::default()
            })),
        })
    }

    /// How many sockets a client has.
    pub(crate) fn sockets(&self) -> usize {
        if self.protocol == Protocol::Messenger { 2 } else { 1 }
    }

    /// The path of the WebSocket.
    pub(crate) fn path(&self, wish: &Wish) -> String {
        match (self.protocol, &wish.room) {
            (Protocol::Tmp, Some(room)) if room != "lobby" => format!("/{room}"),
            _ => "/".to_owned(),
        }
    }

    /// Whether people can be in a room of that name together with everybody who is there.
    pub(crate) fn check_room(&self, room: &str) -> Result<(), String> {
        match self.protocol {
            Protocol::Tmp | Protocol::Rooms | Protocol::Irc => Ok(()),
            Protocol::Muca | Protocol::Messenger if room == "lobby" => Ok(()),
            Protocol::Muca | Protocol::Messenger => {
                Err(format!("{} has no rooms but the lobby", self.scheme))
            }
            Protocol::Bridge => Err("bridge has no rooms".to_owned()),
        }
    }

    /// Whether a message of so many bytes is one message.
    pub(crate) fn check_size(&self, size: usize) -> Result<(), Failure> {
        if self.protocol == Protocol::Irc && size > IRC_BYTES_MAX {
            return Err(Failure::usage(
                format!("a message of {size} bytes is too long for a line of irc"),
                format!("--size takes up to {IRC_BYTES_MAX} there"),
            ));
        }
        Ok(())
    }

    /// Whether one can write to one person through the server.
    pub(crate) fn check_direct(&self) -> Result<(), String> {
        if self.protocol == Protocol::Bridge {
            return Err("bridge's clients talk to each other directly, not through the server".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let target: Target = "ircwss://127.0.0.1:6697/".parse().unwrap();
        assert_eq!((target.protocol, target.carrier.tls), (Protocol::Irc, true));
        assert_eq!(target.address, "127.0.0.1:6697".parse().unwrap());
        assert!("127.0.0.1:1".parse::<Target>().unwrap_err().contains("PROTOCOL://"));
        assert!("xmpp://127.0.0.1:1".parse::<Target>().unwrap_err().contains("none of irc,"));
        assert!("irc://127.0.0.1".parse::<Target>().unwrap_err().contains("has no port"));
        assert!(target.check_size(400).is_ok() && target.check_size(401).is_err());
        let muca: Target = "muca://127.0.0.1:1".parse().unwrap();
        assert!(muca.check_room("den").is_err() && muca.check_room("lobby").is_ok());
    }
}
