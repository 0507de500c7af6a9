//! Accounts by way of the web page, and by invitation.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use proto::sasl::chunks;

use crate::clients::{Browser, Socket};
use crate::fixture::{Server, polylogue};
use crate::http::{self, Answer, ask_with, post_form};

/// A server whose accounts are made as `registration` says.
fn serve(folder: &Path, registration: &str) -> Server {
    let mut command = polylogue();
    command.args(["serve", "--listen", "0", "--data"]).arg(folder);
    Server::start_as(command.env("POLYLOGUE_ACCOUNTS__REGISTRATION", registration))
}

/// Gives an order; what is printed.
#[track_caller]
fn order(folder: &Path, arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let mut command = polylogue();
    command.args(["admin", "--data"]).arg(folder).args(arguments);
    let pipe = std::process::Stdio::piped;
    let mut child = command.stdin(pipe()).stdout(pipe()).stderr(pipe()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn make(address: SocketAddr, name: &str, password: &str, invitation: &str) -> Answer {
    let body = format!("name={name}&password={password}&invitation={invitation}");
    post_form(address, "/account", &[], &body)
}

#[track_caller]
fn assert_said(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(words), "{words:?}: {}", answer.body);
}

/// An IRC client that logs in by SASL PLAIN before it comes.
fn irc(address: SocketAddr, name: &str, password: &str) -> Socket {
    let mut socket = Socket::connect(name, address);
    log_in(&mut socket, name, password);
    socket.expect(" 903 ");
    socket.send("CAP END\r\n");
    socket.expect(" 001 ");
    socket
}

fn log_in(socket: &mut Socket, name: &str, password: &str) {
    socket.send(&format!("CAP REQ :sasl\r\nNICK {name}\r\nUSER {name} 0 * :{name}\r\n"));
    socket.expect(" ACK ");
    socket.send("AUTHENTICATE PLAIN\r\n");
    socket.expect("AUTHENTICATE +\r\n");
    for chunk in chunks(format!("\0{name}\0{password}").as_bytes()) {
        socket.send(&format!("AUTHENTICATE {chunk}\r\n"));
    }
}

#[test]
fn an_account_made_in_a_browser_logs_in_over_irc() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_keeping(folder.path());
    let address = server.address();
    let browser = Browser::open(&format!("http://{address}/"));
    browser.click("a[href='/account']");
    let text = browser.expect_text("Make an account");
    assert!(!text.contains("unencrypted"), "nobody listens on this machine: {text}");
    browser.fill("#name", "Ana");
    browser.fill("#password", "correct ho\u{fc}rse");
    browser.click("form[action='/account'] button");
    browser.expect_text("The account Ana is yours");
    // The look is allowed by the page's own policy: what is told stands out.
    let colour = browser.value("return getComputedStyle(document.querySelector('.good')).backgroundColor");
    assert!(colour.as_str().is_some_and(|colour| colour.starts_with("rgba(34, 170, 136")), "{colour}");
    let mut ana = irc(address, "Ana", "correct ho\u{fc}rse");
    ana.send("WHOIS Ana\r\n");
    ana.expect(" 330 Ana Ana Ana ");

    browser.go(&format!("http://{address}/account"));
    browser.fill("#password-name", "ana");
    browser.fill("#old", "correct ho\u{fc}rse");
    browser.fill("#new", "another horse");
    browser.click("form[action='/account/password'] button");
    browser.expect_text("Ana has the new password.");
    drop(ana);
    drop(server);

    // It was answered when it was kept.
    let server = Server::start_keeping(folder.path());
    let mut old = Socket::connect("old", server.address());
    log_in(&mut old, "Ana", "correct ho\u{fc}rse");
    old.expect(" 904 ");
    irc(server.address(), "Ana", "another horse");
}

#[test]
fn what_is_wrong_is_said_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_keeping(folder.path());
    let address = server.address();
    let page = http::ask(address, "GET", "/account", "");
    assert_eq!(page.status, 200);
    for header in
        ["cache-control: no-store", "referrer-policy: same-origin", "x-content-type-options: nosniff"]
    {
        assert!(page.head.iter().any(|line| line == header), "{header}: {:?}", page.head);
    }
    let policy = page.head.iter().find(|line| line.starts_with("content-security-policy: ")).unwrap();
    assert!(
        policy.contains("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );

    assert_said(&make(address, "Ana", "correct-horse", ""), 200, "The account Ana is yours");
    assert_said(&make(address, "ana", "correct-horse", ""), 409, "The name ana is taken");
    assert_said(&make(address, "", "correct-horse", ""), 400, "can&#39;t be a name");
    assert_said(&make(address, "bob", "short", ""), 400, "fewer than 6 characters");
    assert_said(&make(address, "bob", "correct-horse", "AAAA"), 404, "This invitation is not good");
    let evil = make(address, "%3Cscript%3E%22%0A", "correct-horse", "%3Cscript%3E");
    assert_eq!(evil.status, 404);
    assert!(!evil.body.contains("<script") && !evil.body.contains("correct-horse"), "{}", evil.body);

    let change = |name: &str, old: &str, new: &str| {
        post_form(address, "/account/password", &[], &format!("name={name}&password={old}&new={new}"))
    };
    assert_said(&change("Ana", "wrong-horse", "another-horse"), 403, "don&#39;t belong together");
    assert_said(&change("Nobody", "wrong-horse", "another-horse"), 403, "don&#39;t belong together");
    assert_said(&change("Ana", "correct-horse", "ana"), 400, "fewer than 6 characters");
    // Somebody who tries them all.
    let tries: Vec<_> = (0..6).map(|_| change("Ana", "wrong-horse", "another-horse")).collect();
    let last = tries.last().unwrap();
    assert_said(last, 429, "Too many attempts. Try again in 10 seconds.");
    assert!(last.head.iter().any(|line| line == "retry-after: 10"), "{:?}", last.head);

    let good = "name=bob&password=correct-horse";
    for foreign in ["Sec-Fetch-Site: cross-site", "Origin: http://evil.example", "Origin: null"] {
        let answer = post_form(address, "/account", &[foreign], good);
        assert_said(&answer, 403, "came from another site");
    }
    assert_eq!(ask_with(address, "POST", "/account", &["Content-Type: text/plain"], good).status, 415);
    assert_eq!(post_form(address, "/account", &[], &"x".repeat(20_000)).status, 413);
    assert_eq!(post_form(address, "/account", &[], "name=%FF").status, 400);
    assert_eq!(http::ask(address, "GET", "/account/password", "").status, 405);
    assert_eq!(http::ask(address, "GET", "/invite/AAAA", "").status, 404);
    // Nothing of all that made an account.
    let own = format!("Origin: http://{address}");
    assert_said(&post_form(address, "/account", &[&own], good), 200, "The account bob is yours");
}

#[test]
fn another_site_s_form_does_nothing_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_keeping(folder.path());
    let browser = Browser::open(&crate::clients::empty_page());
    let script = format!(
        "document.body.innerHTML = `<form method=post action='http://{}/account'><input name=name value=eve>\
         <input name=password value=correct-horse><button>go</button></form>`",
        server.address()
    );
    browser.run(&script);
    browser.click("button");
    browser.expect_text("The form came from another site");
    assert_eq!(order(folder.path(), &["accounts"], ""), "there are no accounts\n");
}

#[test]
fn where_nothing_is_kept_there_are_no_accounts() {
    let server = Server::start(&[]);
    let page = http::ask(server.address(), "GET", "/account", "");
    assert!(page.body.contains("there are no accounts") && !page.body.contains("<form"), "{}", page.body);
    assert_said(&make(server.address(), "Ana", "correct-horse", ""), 404, "keeps nothing");
    assert!(!http::ask(server.address(), "GET", "/", "").body.contains("/account"));
}

#[test]
fn what_can_not_be_kept_is_not_done() {
    use rustix::process::{Resource, Rlimit, prlimit};
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut server = serve(folder, "invited");
    let address = server.address();
    let link = order(folder, &["invitations", "create"], "");
    let token = link.trim().rsplit('/').next().unwrap();
    assert_eq!(make(address, "ana", "correct-horse", token).status, 200);
    let link = order(folder, &["invitations", "create"], "");
    let token = link.trim().rsplit('/').next().unwrap();
    let id = server.process().id();
    let limit =
        |current| prlimit(Some(id), Resource::Fsize, Rlimit { current, maximum: None }).map(drop).unwrap();
    // From here on no file may be written to.
    limit(Some(1));
    assert_said(&make(address, "bo", "correct-horse", token), 503, "It can&#39;t be kept now");
    let change = "name=ana&password=correct-horse&new=another-horse";
    assert_said(&post_form(address, "/account/password", &[], change), 503, "It can&#39;t be kept now");
    limit(None);
    // The name and the invitation are as good as before, and so is the password.
    assert_said(&make(address, "bo", "correct-horse", token), 200, "The account bo is yours");
    irc(address, "ana", "correct-horse");
}

#[test]
fn an_invitation_lets_one_person_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = serve(folder, "invited");
    let address = server.address();
    assert_said(&make(address, "eve", "correct-horse", ""), 403, "by invitation");
    // Whoever runs the server can make accounts all the same.
    order(folder, &["accounts", "add", "ana"], "correct-horse\n");
    let mut ana = irc(address, "ana", "correct-horse");
    for room in ["den", "attic"] {
        ana.send(&format!("JOIN #{room}\r\nMODE #{room} +i\r\n"));
        ana.expect(&format!("MODE #{room} +i\r\n"));
    }
    ana.send("PRIVMSG ChanServ :REGISTER #den\r\n");
    ana.expect("ChanServ!");

    let link = order(folder, &["invitations", "create", "--room", "#den", "--for", "1h"], "");
    let link = link.trim().to_owned();
    let token = link.rsplit('/').next().unwrap().to_owned();
    assert_eq!(link, format!("http://{address}/invite/{token}"));
    assert_eq!(token.len(), 22);
    assert!(order(folder, &["invitations", "list"], "").contains(" den   1     -   "));

    // Two at once.
    let rivals = ["bo", "bea"].map(|name| {
        let token = token.clone();
        thread::spawn(move || (name, make(address, name, "correct-horse", &token).status))
    });
    let mut rivals = rivals.map(|rival| rival.join().unwrap());
    rivals.sort_by_key(|(_, status)| *status);
    let [(winner, 200), (loser, 404)] = rivals else { panic!("{rivals:?}") };
    assert_eq!(order(folder, &["invitations"], ""), "there are no invitations\n");
    assert_said(&make(address, loser, "correct-horse", &token), 404, "This invitation is not good");
    let mut guest = irc(address, winner, "correct-horse");
    guest.send("JOIN #den\r\n");
    guest.expect(" 366 ");
    let link = order(folder, &["invitations", "create", "--room", "attic"], "");
    let token = link.trim().rsplit('/').next().unwrap();
    let used = format!("name={winner}&password=correct-horse&invitation={token}");
    assert_said(&post_form(address, "/invite", &[], &used), 200, "can come into the room attic");
    guest.send("JOIN #attic\r\n");
    guest.expect(" 366 ");
    drop((ana, guest, server));

    let server = serve(folder, "invited");
    // A registered room is there, and the guest welcome. The other one is made anew, and isn't what the guest was
    // invited into.
    let mut ana = irc(server.address(), "ana", "correct-horse");
    let mut guest = irc(server.address(), winner, "correct-horse");
    ana.send("JOIN #attic\r\nMODE #attic +i\r\n");
    ana.expect("MODE #attic +i\r\n");
    guest.send("JOIN #den\r\n");
    guest.expect(" 366 ");
    guest.send("JOIN #attic\r\n");
    guest.expect(" 473 ");
}

#[test]
fn an_invitation_is_filled_in_and_good_for_those_with_an_account_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = serve(folder, "closed");
    let address = server.address();
    assert_said(&make(address, "eve", "correct-horse", ""), 403, "Only whoever runs this server");
    for name in ["ana", "bo"] {
        order(folder, &["accounts", "add", name], "correct-horse\n");
    }
    let mut ana = irc(address, "ana", "correct-horse");
    ana.send("JOIN #den\r\nMODE #den +k secret\r\nPRIVMSG NickServ :INVITE #den 2\r\n");
    let link = ana.expect("This link lets 2 people come into #den");
    let link = link.lines().find_map(|line| line.split(" :http").nth(1)).unwrap();
    let link = format!("http{link}");
    assert!(link.starts_with(&format!("http://{address}/invite/")), "{link}");
    let mut bo = irc(address, "bo", "correct-horse");
    bo.send("JOIN #den\r\n");
    bo.expect(" 475 ");

    let browser = Browser::open(&link);
    let text = browser.expect_text("You are invited into the room den.");
    assert!(!text.contains("Make an account"), "{text}");
    browser.fill("#own-name", "bo");
    browser.fill("#own", "correct-horse");
    browser.click("form[action='/invite'] button");
    browser.expect_text("bo can come into the room den now.");
    bo.send("JOIN #den\r\n");
    bo.expect(" 366 ");
    // Once is enough.
    let token = link.rsplit('/').next().unwrap();
    let again = format!("name=bo&password=correct-horse&invitation={token}");
    assert_eq!(post_form(address, "/invite", &[], &again).status, 200);
    let left = order(folder, &["invitations", "--json"], "");
    assert!(left.contains(r#""by":"ana""#) && left.contains(r#""uses":1"#), "{left}");

    let id = left.split(r#""id":""#).nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(order(folder, &["invitations", "revoke", id], ""), format!("took back {id}\n"));
    assert_eq!(http::ask(address, "GET", &format!("/invite/{token}"), "").status, 404);
}
