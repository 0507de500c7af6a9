//! What the world has to know of each dialect: its session, whether it has framing, and how one signs in.

use std::sync::Arc;
use std::time::Duration;

use gateway::bridge::RingSession;
use gateway::{Session, Settings};
use hub::{Dialect, Now, Origin};
use transcript::{Host, Opening};

use crate::world::World;

/// The dialect of this name.
pub(crate) fn by_name(name: &str) -> Result<Dialect, String> {
    let found = Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name);
    found.ok_or_else(|| format!("no dialect is called {name}"))
}

/// Whether a dialect's bytes may come one at a time (tmp's messages are framed by WebSocket; in rooms a read may
/// be a message).
pub(crate) fn is_framed(dialect: Dialect) -> bool {
    match dialect {
        Dialect::Muca | Dialect::Bridge | Dialect::Messenger | Dialect::Irc => true,
        Dialect::Tmp | Dialect::Rooms => false,
    }
}

/// What follows the dialect in an `open` or `join` line: the room that the connection's address names, where the
/// dialect has rooms in its addresses; `websocket` for IRC.
pub(crate) fn opening(dialect: Dialect, argument: Option<&str>) -> gateway::Opening {
    match dialect {
        Dialect::Tmp => gateway::Opening { room: argument.map(str::to_owned), ..Default::default() },
        Dialect::Irc if argument == Some("websocket") => {
            gateway::Opening { carrier: gateway::Carrier::WebSocketText, ..Default::default() }
        }
        Dialect::Muca | Dialect::Rooms | Dialect::Bridge | Dialect::Messenger | Dialect::Irc => {
            gateway::Opening::default()
        }
    }
}

/// Opens the session of a call that the server made to a waiting bridge client.
pub(crate) fn open_call(
    settings: &Arc<Settings>,
    origin: Origin,
    now: Now,
) -> Result<Box<dyn Session>, String> {
    Ok(Box::new(RingSession::open(settings.clone(), origin, now, "127.0.0.1:5555".parse().unwrap())))
}

/// Signs in on an open connection, under its name, and swallows the greeting. In messenger the connection sends; the
/// one that receives is opened beside it and called `NAME.recv`.
pub(crate) fn sign_in(world: &mut World, dialect: Dialect, opening: &Opening) -> Result<(), String> {
    let (name, room) = (opening.name.as_str(), opening.argument.as_deref());
    match dialect {
        Dialect::Tmp => {
            world.swallow(name, &[b"tmp://STATE_UPG_1                     ::/                    ::/"])?;
            world.say(name, &format!("tmp://SET_USR                         ::/{name:20}::/"));
            let accepted = format!("tmp://STATE_UPG_2                     ::/{name:20}::/");
            world.swallow(name, &[accepted.as_bytes()])
        }
        Dialect::Rooms => {
            world.say(name, &format!("{name}_{}", room.unwrap_or("lobby")));
            world.advance(world.settings().pause);
            world.swallow(name, &[b"200"])?;
            // Nothing follows `200` for a while; let that be over.
            world.advance(Duration::from_millis(100));
            Ok(())
        }
        Dialect::Muca => {
            world.say(name, &format!(r#"{{"CMD": "JOIN", "UN": "{name}", "UID": "{name}@muca.test"}}"#));
            world.swallow(name, &[br#"{"CMD": "ACK", "TYPE": "OKAY"}"#])?;
            // The LIST comes after a gap, and nothing after it for another; let that be over.
            let gap = world.settings().muca_gap;
            world.advance(gap.max(Duration::from_millis(50)));
            let came = world.texts(name);
            if came.is_empty() || came.iter().any(|came| !came.starts_with(r#"{"CMD": "LIST", "#)) {
                return Err(format!("{name} can't sign in: expected a LIST, came {came:?}"));
            }
            world.advance(gap);
            Ok(())
        }
        // It waits for a partner; the argument is its port.
        Dialect::Bridge => {
            let port = room.unwrap_or("1225");
            let contact = format!("clientID: {name}\r\nIP: 127.0.0.1\r\nPort: {port}\r\n\r\n");
            world.say(name, &format!("REGISTER\r\n{contact}"));
            world.swallow(name, &[format!("REGACK\r\n{contact}").as_bytes()])?;
            world.say(name, &format!("BRIDGE\r\nclientID: {name}\r\n\r\n"));
            world.swallow(name, &[b"BRIDGEACK\r\nclientID: \r\nIP: \r\nPort: \r\n\r\n"])
        }
        Dialect::Messenger => {
            let receiving = format!("{name}.recv");
            world.open(&Opening { name: receiving.clone(), ..opening.clone() })?;
            for (connection, role) in [(name, "TOSEND"), (&receiving, "TORECV")] {
                world.say(connection, &format!("REGISTER {role} {name}\n\n"));
                world.swallow(connection, &[format!("REGISTERED {role} {name}\n\n").as_bytes()])?;
            }
            // Nothing follows an answer for a while; let that be over.
            world.advance(world.settings().messenger_gap);
            Ok(())
        }
        // The room, or `-` for none; after `+` the capabilities, apart by commas.
        Dialect::Irc => {
            let (room, caps) =
                room.unwrap_or("lobby").split_once('+').unwrap_or((room.unwrap_or("lobby"), ""));
            let room = match room {
                "" => "lobby",
                "secure" => "-",
                room => room,
            };
            if !caps.is_empty() {
                world.say(name, &format!("CAP REQ :{}", caps.replace(',', " ")));
            }
            world.say(name, &format!("NICK {name}\r\nUSER {name} 0 * :{name}\r\nCAP END"));
            if room != "-" {
                world.say(name, &format!("JOIN #{room}"));
            }
            let came = world.texts(name).join("\n");
            let last = if room == "-" || caps.contains("no-implicit-names") { " 266 " } else { " 366 " };
            if came.contains(" NAK ") || !came.contains(last) {
                return Err(format!("{name} can't sign in: came {came:?}"));
            }
            Ok(())
        }
    }
}
