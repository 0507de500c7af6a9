//! Server operators in the configuration: one line of text for each.

use hub::{Operator, Operators, Privileges, Secret};

use super::Config;

/// What a line looks like.
pub(super) const EXPECTED: &str = "lines of NAME PRIVILEGES HASH, as `polylogue operator NAME` makes them";

/// Reads the lines.
///
/// # Errors
/// What is wrong with one. The hash is never told.
pub(super) fn read(config: &mut Config, lines: &[String]) -> Result<(), String> {
    let mut operators = Operators::new();
    for line in lines {
        let [name, privileges, hash] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err("an operator is NAME PRIVILEGES HASH".to_owned());
        };
        if !hash.starts_with("$argon2id$") {
            return Err(format!("the operator {name} has no argon2id hash"));
        }
        let operator = Operator { hash: Secret::new(hash), privileges: privileges_of(privileges)? };
        if operators.insert(name.to_owned(), operator).is_some() {
            return Err(format!("the operator {name} is there twice"));
        }
    }
    config.hub.operators = operators;
    Ok(())
}

/// Reads privileges, apart by commas.
///
/// # Errors
/// Which one there isn't.
pub(crate) fn privileges_of(names: &str) -> Result<Privileges, String> {
    if names == "all" {
        return Ok(Privileges::all());
    }
    names.split(',').try_fold(Privileges::empty(), |all, name| match Privileges::named(name) {
        Some(privilege) => Ok(all | privilege),
        None => {
            let known: Vec<_> = Privileges::names().collect();
            Err(format!("there is no privilege {name:?}; there are {}, or all", known.join(", ")))
        }
    })
}

/// The lines of a configuration.
pub(super) fn written(config: &Config) -> Vec<String> {
    let one = |(name, operator): (&String, &Operator)| {
        let names = Privileges::names()
            .filter(|name| Privileges::named(name).is_some_and(|one| operator.privileges.contains(one)));
        line(name, &names.collect::<Vec<_>>().join(","), operator.hash.reveal())
    };
    config.hub.operators.iter().map(one).collect()
}

/// One line.
pub(crate) fn line(name: &str, privileges: &str, hash: &str) -> String {
    format!("{name} {privileges} {hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let lines = ["ana kill,see $argon2id$v=19$x".to_owned(), "bob all $argon2id$v=19$y".to_owned()];
        let mut config = Config::default();
        read(&mut config, &lines).unwrap();
        assert_eq!(config.hub.operators["ana"].privileges, Privileges::KILL | Privileges::SEE);
        assert_eq!(written(&config)[0], lines[0]);
        assert!(format!("{config:?}").find("v=19").is_none(), "a hash is not shown");
    }

    #[test]
    fn what_is_no_operator() {
        for bad in ["ana", "ana all secret", "ana fly $argon2id$x"] {
            let error = read(&mut Config::default(), &[bad.to_owned()]).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
