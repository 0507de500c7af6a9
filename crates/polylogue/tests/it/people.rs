//! People of all the protocols.

use std::net::SocketAddr;

use crate::clients::{Browser, Messenger, Socket, empty_page, nc};
use crate::fixture::Process;

/// People of the other protocols, and one on IRC who keeps order.
pub(crate) struct People {
    /// rooms
    pub(crate) nora: Process,
    /// tmp
    pub(crate) tess: Browser,
    /// muca
    pub(crate) mia: Socket,
    /// messenger
    pub(crate) max: Messenger,
    /// IRC, by hand.
    pub(crate) oscar: Socket,
}

impl People {
    /// They come into the lobby.
    pub(crate) fn gather(address: SocketAddr) -> Self {
        let mut nora = nc(address);
        nora.write("nora_lobby\n");
        assert_eq!(nora.stdout.line(), "200");
        let tess = Browser::open(&empty_page());
        tess.join(address, "tess");
        let mut mia = Socket::connect("muca", address);
        mia.send(r#"{"CMD": "JOIN", "UN": "mia", "UID": "mia@test"}"#);
        mia.expect("OKAY");
        mia.expect("LIST");
        let max = Messenger::join(address, "max");
        let mut oscar = Socket::connect("oscar", address);
        oscar.send("NICK oscar\r\nUSER oscar 0 * :Oscar\r\nJOIN #lobby,#stage\r\n");
        oscar.expect("366 oscar #stage");
        Self { nora, tess, mia, max, oscar }
    }

    /// Each says something in the lobby, in an order that everybody sees; who said what is returned.
    pub(crate) fn talk(&mut self, about: &str) -> Vec<(String, String)> {
        let Self { nora, tess, mia, max, oscar } = self;
        let said = |who: &str| (who.to_owned(), format!("{who} on {about}"));
        let [(_, from_nora), (_, from_tess), (_, from_mia), (_, from_max), (_, from_oscar)] =
            ["nora", "tess", "mia", "max", "oscar"].map(said);
        nora.write(&format!("{from_nora}\n"));
        oscar.expect(&from_nora);
        max.expect("nora", &from_nora);
        tess.say(&format!("CHAT_MESSAGE {from_tess}"));
        oscar.expect(&from_tess);
        max.expect("tess", &from_tess);
        mia.send(&format!(r#"{{"CMD": "SEND", "MSG": "{from_mia}", "TO": [], "FROM": "mia@test"}}"#));
        oscar.expect(&from_mia);
        max.expect("mia", &from_mia);
        max.say(&from_max);
        oscar.expect(&from_max);
        oscar.send(&format!("PRIVMSG #lobby :{from_oscar}\r\n"));
        max.expect("oscar", &from_oscar);
        ["nora", "tess", "mia", "max", "oscar"].map(said).into()
    }
}
