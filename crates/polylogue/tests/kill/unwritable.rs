//! A store that can't be written: people go on talking, nobody is told that anything is kept, operators know, and it
//! passes.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::check::Said;
use crate::clients::{Client, Happening, Irc, Rooms, Tmp, messenger};
use crate::fixture::Server;
use crate::folder::Folder;
use crate::history;
use crate::load;
use crate::place::{Place, Trouble, not_run, read_only};
use crate::stream::PATIENCE;

/// More messages than fit on the small file system.
const MANY: u32 = 20_000;

#[test]
fn a_process_that_may_not_write_files_goes_on_and_recovers() {
    converse(Trouble::SizeLimit);
}

#[test]
fn a_store_that_may_not_be_changed_is_no_end_and_passes() {
    converse(Trouble::Immutable);
}

#[test]
fn a_full_disk_is_no_end_and_passes() {
    converse(Trouble::FullDisk);
}

#[test]
fn a_folder_that_can_not_be_written_is_told_at_once_with_what_to_do() {
    let folder = Folder::new("read-only");
    let mut command = match read_only(&folder) {
        Ok(command) => command,
        Err(reason) => return not_run("a folder that can't be written", &reason),
    };
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("error: ") && errors.contains(folder.text()), "{errors}");
    assert!(errors.contains("\nhint: ") && errors.contains("--ephemeral"), "{errors}");
}

/// What became of a message, as its sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Kept,
    Refused,
}

/// Who talks.
struct People {
    /// IRC with labels and echo.
    ada: Irc,
    /// IRC with echo alone.
    igor: Irc,
    /// IRC with labels alone.
    ivan: Irc,
    /// messenger
    max: messenger::MessengerSender,
    /// rooms
    rita: Rooms,
    /// tmp
    tess: Tmp,
    /// Looks on.
    otto: Irc,
    /// The operator.
    odin: Irc,
    /// How many messages there were.
    count: u32,
    /// What senders were told is kept.
    kept: Vec<String>,
    /// What they were told isn't.
    refused: Vec<String>,
}

impl People {
    fn join(address: SocketAddr) -> Self {
        let (max, mut hears) = messenger::join(address, "max");
        // Ends with the server.
        thread::spawn(move || while hears.next().is_ok() {});
        let mut odin = Irc::join(address, "odin", "");
        odin.send("OPER odin secret");
        odin.until(|line| line.command == "381");
        Self {
            ada: Irc::join(address, "ada", "batch echo-message labeled-response message-tags"),
            igor: Irc::join(address, "igor", "echo-message"),
            ivan: Irc::join(address, "ivan", "batch labeled-response message-tags"),
            max,
            rita: Rooms::join(address, "rita"),
            tess: Tmp::join(address, "tess"),
            otto: Irc::join(address, "otto", "echo-message"),
            odin,
            count: 0,
            kept: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Somebody says something; what becomes of it is written down. Otto sees it in any case.
    #[track_caller]
    fn say(&mut self, who: &str) -> Answer {
        self.count += 1;
        let text = format!("{} from {who}, {}", self.count, "so it goes ".repeat(20).trim_end());
        let said = Said { from: who.to_owned(), text: text.clone() };
        let answer = match who {
            "ada" => ask_irc(&mut self.ada, self.count, &said),
            "igor" => ask_irc(&mut self.igor, self.count, &said),
            "ivan" => ask_irc(&mut self.ivan, self.count, &said),
            "max" => ask_messenger(&mut self.max, &text),
            "rita" => ask_plain(&mut self.rita, &said),
            "tess" => ask_plain(&mut self.tess, &said),
            _ => unreachable!("{who}"),
        };
        self.otto.until(|line| line.said().as_ref() == Some(&said));
        match answer {
            Answer::Kept => self.kept.push(text),
            Answer::Refused => self.refused.push(text),
        }
        answer
    }

    /// Everybody says something, and is told the same of it.
    #[track_caller]
    fn all_are_told(&mut self, answer: Answer) {
        for who in ["ada", "igor", "ivan", "max", "rita", "tess"] {
            assert_eq!(self.say(who), answer, "{who}");
        }
    }

    /// The history, which has to be what senders were told is kept.
    #[track_caller]
    fn history_is_what_was_kept(&self, address: SocketAddr) {
        let history = history::read(address, None);
        let texts: Vec<_> = history.iter().map(|kept| kept.said.text.as_str()).collect();
        let found = self.refused.iter().find(|text| texts.contains(&text.as_str()));
        assert_eq!(found, None, "said not to be kept, and is in the history");
        assert!(texts == self.kept, "kept:\n{:#?}\nin the history:\n{texts:#?}", self.kept);
    }

    /// Somebody asks for an account.
    #[track_caller]
    fn ask_for_account(&mut self) -> Answer {
        self.otto.send("REGISTER * * correct-horse");
        let answer = self.otto.until(|line| line.command == "FAIL" || line.command == "REGISTER");
        match (answer.command.as_str(), answer.parameters[..2].join(" ").as_str()) {
            ("REGISTER", "SUCCESS otto") => Answer::Kept,
            ("FAIL", "REGISTER TEMPORARILY_UNAVAILABLE") => Answer::Refused,
            _ => panic!("{answer:?}"),
        }
    }

    /// So does somebody else, of a service, and is told that it can't be kept.
    #[track_caller]
    fn service_refuses_account(&mut self) {
        self.igor.send("PRIVMSG NickServ :REGISTER correct-horse");
        self.igor.until(|line| {
            line.parameters.iter().any(|param| param.contains("could not be kept, and is undone"))
        });
    }

    /// Who was told that it has an account has it.
    #[track_caller]
    fn account_is_there(&mut self) {
        self.otto.send("REGISTER * * correct-horse");
        let answer = self.otto.until(|line| line.command == "FAIL" || line.command == "REGISTER");
        assert_eq!(answer.parameters[..2], ["REGISTER", "ALREADY_AUTHENTICATED"], "{answer:?}");
    }

    /// Waits until the operator is told; not told `not` before that.
    #[track_caller]
    fn operator_is_told(&mut self, wanted: &str, not: &str) {
        self.odin.until(|line| {
            let is_notice = line.command == "NOTICE" && line.parameter(0) == "odin";
            assert!(!is_notice || !line.text().contains(not), "{line:?}");
            is_notice && line.text().contains(wanted)
        });
    }
}

/// One's own message is the acknowledgement, or with a label alone an `ACK`.
#[track_caller]
fn ask_irc(irc: &mut Irc, number: u32, said: &Said) -> Answer {
    irc.say(number, &said.text).unwrap();
    let answer = irc
        .until(|line| matches!(line.command.as_str(), "FAIL" | "ACK") || line.said().as_ref() == Some(said));
    if irc.has_labels() {
        assert_eq!(answer.tag("label"), number.to_string(), "{answer:?}");
    }
    if answer.command != "FAIL" {
        return Answer::Kept;
    }
    assert_eq!(answer.parameters[..3], ["PRIVMSG", "NOT_KEPT", "#lobby"], "{answer:?}");
    Answer::Refused
}

#[track_caller]
fn ask_messenger(max: &mut messenger::MessengerSender, text: &str) -> Answer {
    max.say(0, text).unwrap();
    match max.answer().unwrap().as_str() {
        "SEND ALL" => Answer::Kept,
        "ERROR 102 Unable to send" => Answer::Refused,
        other => panic!("{other:?}"),
    }
}

/// One's own message is the acknowledgement; what the server says privately stands in its place.
#[track_caller]
fn ask_plain(client: &mut dyn Client, own: &Said) -> Answer {
    client.say(0, &own.text).unwrap();
    loop {
        match client.next() {
            Ok(Happening::Said(said)) if said == *own => return Answer::Kept,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Other && error.to_string().contains("not kept") => {
                return Answer::Refused;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn converse(trouble: Trouble) {
    let Some(mut place) = Place::start(trouble) else { return };
    let address = place.server.address();
    let mut people = People::join(address);
    people.all_are_told(Answer::Kept);
    people.history_is_what_was_kept(address);

    place.break_it();
    let refused = (0..MANY).find(|_| people.say("ada") == Answer::Refused);
    let at_once = trouble != Trouble::FullDisk;
    assert!(refused.is_some_and(|before| before == 0 || !at_once), "it is still written: {refused:?}");
    assert!(is_running(&mut place.server), "the server has ended");
    people.operator_is_told("can't be written", "can be written again");
    people.all_are_told(Answer::Refused);
    // What there is can still be read.
    people.history_is_what_was_kept(address);
    let account = people.ask_for_account();
    // Where there was no room for a message there may be for an account, which is smaller.
    assert!(account == Answer::Refused || !at_once, "an account is kept where nothing can be");
    if account == Answer::Refused {
        people.service_refuses_account();
    }

    place.mend();
    // It may take the server a while to see it.
    let deadline = Instant::now() + PATIENCE;
    while people.say("ada") == Answer::Refused {
        assert!(Instant::now() < deadline, "it can be written again, and isn't");
        thread::sleep(Duration::from_millis(10));
    }
    people.operator_is_told("can be written again", "can't be written");
    people.all_are_told(Answer::Kept);
    people.history_is_what_was_kept(address);
    if account == Answer::Refused {
        assert_eq!(people.ask_for_account(), Answer::Kept);
    }
    people.account_is_there();

    if place.can_restart() {
        load::kill(&mut place.server);
        place.restart();
        people.history_is_what_was_kept(place.server.address());
    }
}

fn is_running(server: &mut Server) -> bool {
    server.process().is_running()
}
