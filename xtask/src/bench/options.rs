//! What was asked for.

use std::path::PathBuf;

use super::servers::Server;
use super::works::{WORKS, Work};
use crate::sh::Outcome;

const USAGE: &str = "cargo xtask bench [--rounds N] [--seconds S] [--only WORK,…] [--servers NAME,…] \
                     [--write] [--json FILE]\n      cargo xtask bench micro [ARGS]";

/// The options.
pub(super) struct Options {
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    pub(super) only: Vec<String>,
    pub(super) servers: Vec<String>,
    pub(super) write: bool,
    pub(super) json: Option<PathBuf>,
}

impl Options {
    pub(super) fn read(arguments: &[String]) -> Outcome<Self> {
        let mut options =
            Self { rounds: 3, seconds: 5, only: Vec::new(), servers: Vec::new(), write: false, json: None };
        let mut arguments = arguments.iter();
        while let Some(option) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{option} needs a value\nhint: {USAGE}"));
            match option.as_str() {
                "--rounds" => options.rounds = number(option, value()?)?,
                "--seconds" => options.seconds = number(option, value()?)?,
                "--only" => options.only = known(value()?, "work", WORKS.iter().map(|work| work.name))?,
                "--servers" => {
                    options.servers = known(value()?, "server", Server::ALL.iter().map(|it| it.name()))?;
                }
                "--json" => options.json = Some(value()?.into()),
                "--write" => options.write = true,
                _ => return Err(format!("{option:?} is not an option\nhint: {USAGE}")),
            }
        }
        Ok(options)
    }

    pub(super) fn wants_work(&self, work: &Work) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == work.name)
    }

    pub(super) fn wants_server(&self, server: Server) -> bool {
        self.servers.is_empty() || self.servers.iter().any(|name| name == server.name())
    }
}

fn number(option: &str, text: &str) -> Outcome<u32> {
    match text.parse() {
        Ok(number @ 1..=1000) => Ok(number),
        _ => Err(format!("{option} {text}: a number from 1 to 1000 is expected")),
    }
}

fn known<'a>(text: &str, what: &str, all: impl Iterator<Item = &'a str>) -> Outcome<Vec<String>> {
    let all: Vec<_> = all.collect();
    let wanted = text.split(',').map(|name| match all.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("there is no {what} {name:?}\nhint: there are {}", all.join(", "))),
    });
    wanted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Outcome<Options> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_what_is_wrong_is_said() {
        let options = read("--rounds 1 --only direct-50,churn --servers floor --write").unwrap();
        assert_eq!((options.rounds, options.seconds, options.write), (1, 5, true));
        assert!(options.wants_server(Server::Floor) && !options.wants_server(Server::Polylogue));
        assert_eq!(options.only, ["direct-50", "churn"]);
        assert!(read("--rounds 0").is_err_and(|error| error.contains("from 1 to 1000")));
        assert!(read("--only nothing").is_err_and(|error| error.contains("direct-50")));
        assert!(read("--servers").is_err_and(|error| error.contains("needs a value")));
    }
}
