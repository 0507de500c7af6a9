//! The server calls a waiting bridge client, and is its partner.

use std::net::TcpListener;

use crate::fixture::{Fixture, PATIENCE, Peer};

fn wait_for_partner(server: &Fixture, port: u16) {
    let mut bea = server.connect();
    bea.send(&format!("REGISTER\r\nclientID: bea\r\nIP: 127.0.0.1\r\nPort: {port}\r\n\r\n"));
    bea.expect(&format!("REGACK\r\nclientID: bea\r\nIP: 127.0.0.1\r\nPort: {port}\r\n\r\n"));
    bea.send("BRIDGE\r\nclientID: bea\r\n\r\n");
    bea.expect("BRIDGEACK\r\nclientID: \r\nIP: \r\nPort: \r\n\r\n");
}

#[test]
fn a_waiting_client_is_rung_and_answers_on_its_turn() {
    let server = Fixture::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    wait_for_partner(&server, listener.local_addr().unwrap().port());
    let mut ana = server.rooms("ana", "lobby");
    ana.send("/msg bea are you there?\n");
    let mut rung = Peer::new(accept(&listener));
    let port = server.addr.port();
    rung.expect(&format!("CHAT\r\nclientID: ana\r\nIP: 127.0.0.1\r\nPort: {port}\r\n\r\n"));
    rung.expect("are you there?");
    rung.send("yes, I am");
    ana.expect("bea (private) - yes, I am\n");
    ana.send("/msg bea good\n");
    rung.expect("good");
    rung.send("QUIT\r\n\r\n");
    rung.rest();
    server.until("bea is no longer present", |server| server.metric("polylogue_users ") == 1);
}

fn accept(listener: &TcpListener) -> std::net::TcpStream {
    listener.set_nonblocking(true).unwrap();
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).unwrap();
            return stream;
        }
        assert!(std::time::Instant::now() < end, "the server does not call");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_client_that_is_gone_is_reported_to_the_sender() {
    let server = Fixture::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    wait_for_partner(&server, port);
    let (mut send, mut receive) = (server.connect(), server.connect());
    send.send("REGISTER TOSEND carl\n\n");
    send.expect("REGISTERED TOSEND carl\n\n");
    receive.send("REGISTER TORECV carl\n\n");
    receive.expect("REGISTERED TORECV carl\n\n");
    send.send("SEND bea\nContent-length: 2\n\nhi");
    send.expect("ERROR 102 Unable to send\n\n");
}
