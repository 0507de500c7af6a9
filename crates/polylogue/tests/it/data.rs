//! What an operator does with what is kept, beside a running server and without one.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::clients::Socket;
use crate::fixture::{Server, output, polylogue};

fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn serve(folder: &Path) -> Server {
    Server::start(&["--data", text(folder)])
}

fn join(server: &Server) -> Socket {
    let mut ana = Socket::connect("rooms", server.address());
    ana.send("ana_den");
    ana.expect("200");
    ana
}

/// Says something, and waits until it is kept.
fn say(ana: &mut Socket, words: &str) {
    ana.send(words);
    ana.expect(&format!("ana - {words}"));
}

/// What was said, as the server gives it back; the last of it has to be this.
#[track_caller]
fn history(server: &Server, last: &str) -> String {
    let mut bob = Socket::connect("rooms", server.address());
    bob.send("bob_den");
    bob.expect("200");
    bob.send("/history 10");
    let before = bob.expect(&format!("] ana: {last}"));
    bob.send("that's all");
    assert_eq!(bob.expect("bob - that's all"), "");
    before
}

fn stop(mut server: Server) {
    server.process().signal(Signal::TERM);
    assert_eq!(server.process().wait().code(), Some(0));
}

#[track_caller]
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = output(arguments);
    let mut said = String::from_utf8(output.stdout).unwrap();
    said.push_str(&String::from_utf8(output.stderr).unwrap());
    (output.status.code(), said)
}

#[test]
fn a_backup_beside_a_running_server_can_be_restored() {
    let (data, elsewhere) = (folder(), folder());
    let (data, saved) = (data.path(), elsewhere.path().join("saved.db"));
    let server = serve(data);
    let mut ana = join(&server);
    say(&mut ana, "before the backup");
    let (code, said) = run(&["backup", text(&saved), "--data", text(data)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with(&format!("{} is a backup: 1 messages in 1 rooms", saved.display())), "{said}");
    say(&mut ana, "after the backup");

    let (code, said) = run(&["backup", text(&saved), "--data", text(data)]);
    let wanted = format!("error: {0} is there already\nhint: give another name", saved.display());
    assert!(code == Some(1) && said.starts_with(&wanted), "{said}");
    let (code, said) = run(&["restore", text(&saved), "--data", text(data)]);
    let wanted = format!("error: {} is in use by another server\nhint: end that one", data.display());
    assert!(code == Some(1) && said.starts_with(&wanted), "{said}");

    stop(server);
    let (code, said) = run(&["restore", text(&saved), "--data", text(data)]);
    let aside = data.join("polylogue.db.before-1");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with(&format!("what was there before is in {}\n", aside.display())), "{said}");
    history(&serve(data), "before the backup");
    let (code, said) = run(&["restore", text(&aside), "--data", text(data)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(history(&serve(data), "after the backup").contains("before the backup"));
}

#[test]
fn a_damaged_store_is_told_at_the_start_with_the_way_out() {
    let (data, elsewhere) = (folder(), folder());
    let (data, saved) = (data.path(), elsewhere.path().join("saved.db"));
    let server = serve(data);
    say(&mut join(&server), "precious");
    assert_eq!(run(&["backup", text(&saved), "--data", text(data)]).0, Some(0));
    stop(server);
    let store = data.join("polylogue.db");
    let whole = fs::read(&store).unwrap();
    for damaged in
        [&b"no database at all, but long enough to look at".repeat(100)[..], &whole[..whole.len() / 2]]
    {
        fs::write(&store, damaged).unwrap();
        for command in
            [&["serve", "--listen", "0", "--data", text(data)][..], &["check", "--data", text(data)]]
        {
            let (code, said) = run(command);
            assert_eq!(code, Some(1), "{said}");
            assert!(
                said.contains("error: ") && said.contains(&format!("{} is damaged: ", store.display())),
                "{said}"
            );
            assert!(said.contains("\nhint: polylogue restore takes a backup"), "{said}");
        }
    }
    let (code, said) = run(&["restore", text(&saved), "--data", text(data)]);
    assert_eq!(code, Some(0), "{said}");
    history(&serve(data), "precious");
    // Without a backup: the file moved away, and there is a new one.
    fs::rename(&store, data.join("damaged")).unwrap();
    stop(serve(data));
    let (_, said) = run(&["check", "--data", text(data)]);
    assert!(said.contains("is sound: 0 messages"), "{said}");
}

#[test]
fn a_sound_store_is_found_sound_also_in_use() {
    let data = folder();
    let server = serve(data.path());
    say(&mut join(&server), "one");
    let sound = format!("{} is sound: 1 messages in 1 rooms", data.path().join("polylogue.db").display());
    for _ in 0..2 {
        let (code, said) = run(&["check", "--data", text(data.path())]);
        assert!(code == Some(0) && said.starts_with(&sound), "{said}");
    }
    stop(server);
    let (code, said) = run(&["check", "--data", text(data.path())]);
    assert!(code == Some(0) && said.starts_with(&sound), "{said}");
}

#[test]
fn where_nothing_is_kept_there_is_nothing_to_do() {
    let data = folder();
    let missing = data.path().join("missing");
    for command in [
        &["backup", "saved.db", "--data", text(&missing)][..],
        &["check", "--data", text(&missing)],
        &["export", "ana", "--data", text(&missing)],
        &["erase", "ana", "--yes", "--data", text(&missing)],
        &["restore", text(&missing), "--data", text(data.path())],
    ] {
        let (code, said) = run(command);
        assert!(code == Some(1) && said.contains("there is no store here\nhint: "), "{command:?}: {said}");
    }
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "something was made");
}

#[test]
fn nothing_is_erased_without_a_yes_or_under_a_server() {
    let data = folder();
    let server = serve(data.path());
    say(&mut join(&server), "one");
    let (code, said) = run(&["erase", "ana", "--data", text(data.path())]);
    assert!(code == Some(2) && said.contains("with --yes it is erased"), "{said}");
    let (code, said) = run(&["erase", "ana", "--yes", "--data", text(data.path())]);
    assert!(code == Some(1) && said.contains("is in use by another server"), "{said}");
    stop(server);
    // She had no account: it was said by whoever had the name then.
    let (code, said) = run(&["erase", "ana", "--yes", "--data", text(data.path())]);
    assert!(code == Some(0) && said.starts_with("erased 0 messages"), "{said}");
    let (code, said) = run(&["export", "ana", "--data", text(data.path())]);
    assert!(code == Some(1) && said.contains("nothing is kept of an account \"ana\""), "{said}");
}

#[test]
fn the_configuration_names_the_folder_too() {
    let data = folder();
    let server = serve(data.path());
    say(&mut join(&server), "one");
    stop(server);
    let output = polylogue().arg("check").env("POLYLOGUE_STORE__FOLDER", data.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let file = data.path().join("chat.toml");
    fs::write(&file, format!("[store]\nfolder = {:?}\n", text(data.path()))).unwrap();
    assert_eq!(run(&["check", "--config", text(&file)]).0, Some(0));
    fs::write(&file, "[store]\nfoldr = 1\n").unwrap();
    let (code, said) = run(&["check", "--config", text(&file)]);
    assert!(code == Some(2) && said.contains("the nearest key is store.folder"), "{said}");
}

#[test]
fn what_is_too_much_for_a_room_goes_while_the_server_idles() {
    let data = folder();
    let mut command = polylogue();
    command.args(["serve", "--listen", "0", "--data", text(data.path())]);
    command.env("POLYLOGUE_STORE__KEEP_MESSAGES_PER_ROOM", "3").env("POLYLOGUE_STORE__KEEP_DAYS", "30");
    let server = Server::start_as(&mut command);
    let mut ana = join(&server);
    for words in ["one", "two", "three", "four", "five"] {
        say(&mut ana, words);
    }
    // It takes a second in which nothing happens.
    let deadline = std::time::Instant::now() + crate::stream::PATIENCE;
    loop {
        let (code, said) = run(&["check", "--data", text(data.path())]);
        assert_eq!(code, Some(0), "{said}");
        if said.contains("is sound: 3 messages") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{said}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let found = history(&server, "five");
    assert!(!found.contains("two") && found.contains("three"), "{found}");
}
