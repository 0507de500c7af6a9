//! Accounts and what is theirs, over real connections and real restarts.

use proto::sasl::{Password, chunks, scram};
use rustix::process::Signal;

use crate::clients::{Folder, Socket};
use crate::fixture::{Server, polylogue};
use crate::http::post_form;

const PASSWORD: &str = "correct-horse-battery";

fn serve(data: &Folder) -> Server {
    let mut command = polylogue();
    command.args(["serve", "--listen", "0", "--log", "trace", "--data"]).arg(data.path());
    Server::start_as(&mut command)
}

/// A registered client.
fn join(server: &Server, nick: &str, caps: &str) -> Socket {
    let mut client = Socket::connect(nick, server.address());
    client.send(&format!("CAP REQ :{caps}\r\nNICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nCAP END\r\n"));
    client.expect(" 422 ");
    client
}

/// What AUTHENTICATE carries.
fn authenticate(client: &mut Socket, message: &[u8]) {
    for chunk in chunks(message) {
        client.send(&format!("AUTHENTICATE {chunk}\r\n"));
    }
}

#[test]
fn an_account_and_its_room_outlast_the_server() {
    let data = Folder::new("accounts");
    let mut server = serve(&data);
    let mut ana = join(&server, "ana", "draft/read-marker");
    ana.send(&format!("REGISTER * * {PASSWORD}\r\n"));
    ana.expect("REGISTER SUCCESS ana ");
    ana.send("JOIN #den\r\nPRIVMSG ChanServ :REGISTER #den\r\n");
    ana.expect("The room den is yours");
    ana.send("TOPIC #den :tea at five\r\nMODE #den +b eve!*@*\r\n");
    ana.expect("MODE #den +b eve!*@*");
    ana.send("MARKREAD #den timestamp=2023-01-04T14:33:26.123Z\r\n");
    ana.expect("MARKREAD #den timestamp=2023-01-04T14:33:26.123Z");
    ana.send("PRIVMSG NickServ :APP ADD nc\r\n");
    let said = ana.expect("as name.");
    let (_, app) = said.rsplit_once("take ana:").unwrap();
    let app = app.split(' ').next().unwrap().to_owned();
    server.process().signal(Signal::KILL);
    server.process().wait();

    let server = serve(&data);
    let mut ana = Socket::connect("ana", server.address());
    ana.send(
        "CAP REQ :sasl draft/read-marker\r\nNICK ana\r\nUSER ana 0 * :ana\r\nAUTHENTICATE SCRAM-SHA-256\r\n",
    );
    ana.expect("AUTHENTICATE +");
    let nonce = scram::nonce(&[7; 18]);
    let client = scram::Client::new("ana", Password::new(PASSWORD), &nonce);
    authenticate(&mut ana, &client.first());
    let (last, expected) = client.on_challenge(&sasl_message(&mut ana)).unwrap();
    authenticate(&mut ana, &last);
    expected.verify_server_final(&sasl_message(&mut ana)).unwrap();
    ana.send("AUTHENTICATE +\r\n");
    ana.expect(" 903 ");
    ana.send("CAP END\r\nJOIN #den\r\n");
    ana.expect(" 332 ana #den :tea at five");
    ana.expect("MARKREAD #den timestamp=2023-01-04T14:33:26.123Z");
    ana.expect("~ana");
    ana.send("MODE #den +b\r\n");
    ana.expect(" 367 ana #den eve!*@* ");

    // Nobody else is ana, in no protocol; and one that has no passwords takes one in the name.
    let mut eve = crate::clients::nc(server.address());
    eve.write("ana_lobby\n");
    eve.stdout.expect("403");
    let mut plain = crate::clients::nc(server.address());
    plain.write(&format!("ana:{app}_lobby\n"));
    plain.stdout.expect("403");
    ana.send("QUIT\r\n");
    ana.expect("ERROR");
    let mut plain = crate::clients::nc(server.address());
    plain.write(&format!("ana:{app}_lobby\n"));
    plain.stdout.expect("200");
}

/// What AUTHENTICATE carries.
fn sasl_message(client: &mut Socket) -> Vec<u8> {
    use base64::Engine as _;
    client.expect("AUTHENTICATE ");
    let line = client.expect("\r\n");
    base64::engine::general_purpose::STANDARD.decode(line.trim()).unwrap()
}

#[test]
fn no_password_reaches_the_log() {
    let data = Folder::new("secrets");
    let mut server = serve(&data);
    let mut ana = join(&server, "ana", "sasl");
    ana.send(&format!("REGISTER * * {PASSWORD}\r\n"));
    ana.expect("REGISTER SUCCESS ana ");
    ana.send(&format!("PRIVMSG NickServ :PASSWORD {PASSWORD}2\r\n"));
    ana.expect("It is done.");
    ana.send(&format!("PRIVMSG NickServ :IDENTIFY ana {PASSWORD}3\r\n"));
    ana.expect("the password is wrong");
    ana.send("AUTHENTICATE PLAIN\r\n");
    ana.expect("AUTHENTICATE +");
    authenticate(&mut ana, format!("\0ana\0{PASSWORD}2").as_bytes());
    ana.expect(" 903 ");
    ana.send(&format!(
        "PRIVMSG NickServ: {PASSWORD}\r\nPASS {PASSWORD}\r\nOPER ana {PASSWORD}\r\nNOTACOMMAND {PASSWORD}\r\n"
    ));
    ana.expect(" 421 ");
    let form = format!("name=bob&password={PASSWORD}&new={PASSWORD}4");
    for (path, status) in [("/account", 200), ("/account/password", 200), ("/account/password", 403)] {
        assert_eq!(post_form(server.address(), path, &[], &form).status, status);
    }
    ana.send("QUIT\r\n");
    ana.expect("ERROR");
    server.process().signal(Signal::TERM);
    let log = server.process().stderr.as_mut().unwrap().end();
    assert!(log.contains("logged in"), "{log}");
    assert!(!log.contains(PASSWORD), "{log}");
    // Nor is it kept: neither in the clear, nor as part of what was said.
    for file in std::fs::read_dir(data.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

#[test]
fn who_is_always_on_is_there_after_a_restart_and_misses_nothing() {
    let data = Folder::new("always-on");
    let mut server = serve(&data);
    let mut ana = join(&server, "ana", "draft/account-registration");
    ana.send(&format!("REGISTER * * {PASSWORD}\r\nJOIN #den\r\nPRIVMSG NickServ :ALWAYSON ON\r\n"));
    ana.expect("You stay here");
    server.process().signal(Signal::KILL);
    server.process().wait();

    let server = serve(&data);
    let mut bob = join(&server, "bob", "echo-message");
    bob.send("JOIN #den\r\n");
    bob.expect(" 353 bob = #den :@ana bob");
    bob.send("PRIVMSG #den :nobody hears me\r\nPRIVMSG ana :nor do you\r\n");
    bob.expect("PRIVMSG ana :nor do you");
    bob.expect(" 301 bob ana :Not connected");
    let mut ana = Socket::connect("ana", server.address());
    ana.send(&format!("PASS ana:{PASSWORD}\r\nNICK ana\r\nUSER ana 0 * :ana\r\n"));
    ana.expect("JOIN #den");
    ana.expect("] nobody hears me");
    ana.expect("PRIVMSG ana :[");
    ana.expect("] nor do you");
}
