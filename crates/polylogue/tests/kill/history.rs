//! The lobby's history, read with `draft/chathistory`.

use std::net::SocketAddr;

use crate::check::{Kept, Said};
use crate::clients::Irc;

/// The most messages of a page.
const PAGE: usize = 100;

/// Reads everything after a message, or from the beginning.
#[track_caller]
pub(crate) fn read(address: SocketAddr, after: Option<&str>) -> Vec<Kept> {
    let mut reader = Irc::join(address, "reader", "batch draft/chathistory message-tags server-time");
    let mut from = match after {
        Some(msgid) => format!("msgid={msgid}"),
        None => "timestamp=1970-01-01T00:00:00.000Z".to_owned(),
    };
    let mut kept = Vec::new();
    loop {
        let page = page(&mut reader, &from);
        let Some(last) = page.last() else { break };
        from = format!("msgid={}", last.msgid);
        kept.extend(page);
    }
    // The name has to be free for whoever reads next.
    reader.send("QUIT");
    while reader.line().is_ok() {}
    kept
}

fn page(reader: &mut Irc, from: &str) -> Vec<Kept> {
    reader.send(&format!("CHATHISTORY AFTER #lobby {from} {PAGE}"));
    let opening = reader.until(|line| {
        assert_ne!(line.command, "FAIL", "{line:?}");
        line.command == "BATCH" && line.parameter(1) == "chathistory"
    });
    assert_eq!(opening.parameter(2), "#lobby");
    let reference = opening.parameter(0).strip_prefix('+').unwrap();
    let mut page = Vec::new();
    loop {
        let line = reader.line().unwrap();
        if line.command == "BATCH" && line.parameter(0).strip_prefix('-') == Some(reference) {
            assert!(page.len() <= PAGE, "{} messages on a page", page.len());
            return page;
        }
        if line.tag("batch") == reference {
            assert!(!line.tag("msgid").is_empty() && !line.tag("time").is_empty(), "{line:?}");
            // Anything else there is wrong, and the check will say so.
            let said = Said { from: line.from.clone(), text: line.text().to_owned() };
            page.push(Kept { msgid: line.tag("msgid").to_owned(), said: line.said().unwrap_or(said) });
        }
    }
}
