//! `polylogue operator`: makes the line of the configuration that lets somebody become a server operator.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHasher as _, SaltString};

use crate::cli::NewOperator;
use crate::config::operators;
use crate::failure::Failure;

/// Asks for a password, or reads it from the standard input, and prints the line.
///
/// # Errors
/// A name or privileges that can't be, or an empty password.
pub(crate) fn run(arguments: &NewOperator) -> Result<(), Failure> {
    let wrong = |what: String| Failure::usage(what, "polylogue help operator tells what is wanted");
    if arguments.name.is_empty() || arguments.name.contains(char::is_whitespace) {
        return Err(wrong(format!("{:?} can't be an operator's name: it has white space", arguments.name)));
    }
    operators::privileges_of(&arguments.may).map_err(wrong)?;
    let password = ask_password()?;
    if password.is_empty() {
        return Err(wrong("an empty password is none".to_owned()));
    }
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| Failure::run(format!("no hash could be made: {error}"), "this should not be"))?;
    let line = operators::line(&arguments.name, &arguments.may, &hash.to_string());
    writeln!(io::stdout(), "[irc]\noperators = [{line:?}]")?;
    Ok(())
}

/// Asks for a password without showing it, or reads it from the standard input.
///
/// # Errors
/// The terminal's.
pub(crate) fn ask_password() -> io::Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("password: ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
