//! The server's console: commands that are typed, or piped, into the running server.

use std::io::{self, BufRead as _, IsTerminal as _, StdinLock, Write as _};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

/// What the console needs of the server.
pub(super) trait Server {
    /// The bridge registrations, as `ID IP:Port`.
    fn registrations(&self) -> Vec<String>;
    /// Ends the server after everybody has been told.
    fn quit(&self);
}

const HELP: &str = "\
/info  who is registered with bridge, as ID IP:Port
/quit  tell everybody, then end
/help  this list";

/// Reads commands until the input ends. Its end is not the server's.
pub(super) fn run(server: &dyn Server) {
    let mut input = io::stdin().lock();
    while let Some(line) = next_line(&mut input) {
        if let Some(answer) = answer(server, &line) {
            // Nobody may be reading any more; the commands work all the same.
            let _ = writeln!(io::stdout(), "{answer}");
        }
    }
}

/// What a line does; the answer to print, if any.
fn answer(server: &dyn Server, line: &str) -> Option<String> {
    match line.trim() {
        "" => None,
        "/info" => {
            let registrations = server.registrations();
            Some(if registrations.is_empty() {
                "nobody is registered with bridge".to_owned()
            } else {
                registrations.join("\n")
            })
        }
        "/quit" => {
            server.quit();
            None
        }
        "/help" => Some(HELP.to_owned()),
        other => Some(format!("unknown command {other:?}\nhint: /help lists the commands")),
    }
}

/// The next line; `None` when there will be no more.
fn next_line(input: &mut StdinLock<'static>) -> Option<String> {
    wait_for_turn(input)?;
    let mut line = Vec::new();
    match input.read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(&line).into_owned()),
    }
}

/// Waits until a terminal has input for this process. A process in the background that reads from its terminal
/// is stopped by the kernel, so `polylogue serve &` must not even try.
fn wait_for_turn(input: &StdinLock<'static>) -> Option<()> {
    /// How often a process in the background looks whether it is still there.
    const LOOK_AGAIN: Duration = Duration::from_millis(500);
    if !input.is_terminal() {
        return Some(());
    }
    loop {
        match poll(&mut [PollFd::new(input, PollFlags::IN)], None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return None,
        }
        match rustix::termios::tcgetpgrp(input) {
            Ok(group) if group != rustix::process::getpgrp() => std::thread::sleep(LOOK_AGAIN),
            _ => return Some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Default)]
    struct Fake {
        registrations: Vec<String>,
        quit: Cell<bool>,
    }

    impl Server for Fake {
        fn registrations(&self) -> Vec<String> {
            self.registrations.clone()
        }

        fn quit(&self) {
            self.quit.set(true);
        }
    }

    #[test]
    fn info_lists_registrations_one_a_line() {
        let mut fake = Fake::default();
        assert_eq!(answer(&fake, "/info\r\n").unwrap(), "nobody is registered with bridge");
        fake.registrations = vec!["ana 127.0.0.1:1225".to_owned(), "bob 127.0.0.1:1226".to_owned()];
        assert_eq!(answer(&fake, " /info\n").unwrap(), "ana 127.0.0.1:1225\nbob 127.0.0.1:1226");
    }

    #[test]
    fn quit_ends_and_nothing_else_does() {
        let fake = Fake::default();
        assert_eq!(answer(&fake, "\n"), None);
        assert_eq!(answer(&fake, "/help").unwrap(), HELP);
        assert_eq!(
            answer(&fake, "hello").unwrap(),
            "unknown command \"hello\"\nhint: /help lists the commands"
        );
        assert!(!fake.quit.get());
        assert_eq!(answer(&fake, "/quit"), None);
        assert!(fake.quit.get());
    }
}
