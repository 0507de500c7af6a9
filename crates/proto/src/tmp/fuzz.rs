//! What must hold for any input.

use bytes::BytesMut;

use super::client::{self, TmpClient};
use super::{Body, ClientFrame, ServerFrame, USER_UNITS, server, user_units};
use crate::client::{Client, ClientOutbox, Link};

/// Messages are cut out of `data` at newlines. None may panic; what decodes decodes to the same when it has been
/// encoded again.
pub fn fuzz(data: &[u8]) {
    let mut client = TmpClient::new("fuzz").ok();
    for message in data.split(|byte| *byte == b'\n') {
        if let Some(client) = &mut client {
            drive(client, message);
        }
        let message = String::from_utf8_lossy(message);
        // Half of the bodies are over this limit in a corpus of any size.
        let limit = data.len() / 2;
        check_client_frame(&message, limit);
        check_server_frame(&message, limit);
    }
}

fn check_client_frame(message: &str, limit: usize) {
    let Ok(frame) = server::decode(message, limit) else { return };
    let user = match frame {
        ClientFrame::SetUsr { name } => name,
        ClientFrame::ChatMssg { user, body } => {
            assert!(body.len() <= limit, "a body over the limit");
            user
        }
        ClientFrame::ExitChat => "x",
    };
    assert!(!user.is_empty(), "an empty name");
    if user_units(user) > USER_UNITS {
        return;
    }
    let mut again = BytesMut::new();
    client::encode(&frame, &mut again);
    let again = String::from_utf8_lossy(&again);
    assert_eq!(server::decode(&again, limit).as_ref(), Ok(&frame), "not the same after encoding");
}

fn check_server_frame(message: &str, limit: usize) {
    let Ok(frame) = client::decode(message, limit) else { return };
    let user = match frame {
        ServerFrame::StateUpg2 { name } | ServerFrame::SetUsrConflict { name } => name,
        ServerFrame::ChatMssg { user, body } => {
            assert!(!matches!(body, Body::Other(_)) || !body.is_blank(), "a blank body");
            user
        }
        ServerFrame::StateUpg1 | ServerFrame::Disconnect | ServerFrame::LimitReached => "x",
    };
    assert!(!user.is_empty(), "an empty name");
    if user_units(user) > USER_UNITS {
        return;
    }
    let again = server::message(&frame);
    let again = String::from_utf8_lossy(&again);
    // Two spaces that a client trims off the end of an empty text are all that may be gained.
    assert_eq!(client::decode(&again, limit + 2).as_ref(), Ok(&frame), "not the same after encoding");
}

fn drive(client: &mut TmpClient, message: &[u8]) {
    let mut out = ClientOutbox::default();
    client.on_bytes(Link::Main, message, &mut out);
    let _ = client.say(&String::from_utf8_lossy(message), &mut out);
    for (_, bytes) in &out.wire {
        let sent = String::from_utf8_lossy(bytes);
        assert!(
            server::decode(&sent, usize::MAX).is_ok(),
            "a client that writes what no server reads: {sent}"
        );
    }
}
