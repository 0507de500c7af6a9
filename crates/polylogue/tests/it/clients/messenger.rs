//! A messenger client, by hand: nobody's program can be had.

use std::net::SocketAddr;

use super::Socket;

/// A messenger client with its two sockets.
pub(crate) struct Messenger {
    send: Socket,
    receive: Socket,
}

impl Messenger {
    /// Registers both.
    pub(crate) fn join(address: SocketAddr, name: &str) -> Self {
        let mut send = Socket::connect("messenger's sending socket", address);
        send.send(&format!("REGISTER TOSEND {name}\n\n"));
        send.expect(&format!("REGISTERED TOSEND {name}\n\n"));
        let mut receive = Socket::connect("messenger's receiving socket", address);
        receive.send(&format!("REGISTER TORECV {name}\n\n"));
        receive.expect(&format!("REGISTERED TORECV {name}\n\n"));
        Self { send, receive }
    }

    /// Waits for a message and acknowledges it.
    #[track_caller]
    pub(crate) fn expect(&mut self, from: &str, text: &str) {
        let length = text.chars().count();
        let before = self.receive.expect(&format!("FORWARD {from}\nContent-length: {length}\n\n{text}"));
        assert_eq!(before, "", "something else came first");
        self.receive.send(&format!("RECEIVED {from}\n\n"));
    }

    /// Says something to everybody.
    pub(crate) fn say(&mut self, text: &str) {
        self.tell("ALL", text);
    }

    /// Says something to somebody.
    pub(crate) fn tell(&mut self, to: &str, text: &str) {
        self.send.send(&format!("SEND {to}\nContent-length: {}\n\n{text}", text.chars().count()));
        self.send.expect(&format!("SEND {to}\n\n"));
    }
}
