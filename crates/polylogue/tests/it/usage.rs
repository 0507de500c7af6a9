//! The command line: what it prints and how it ends.

use crate::fixture::{output, polylogue};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = output(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_offers_what_there_is() {
    let (code, text, errors) = run(&["--help"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let commands = [
        "serve ", "server ", "admin ", "config ", "backup ", "restore ", "check ", "export ", "erase ",
        "load ",
    ];
    for wanted in commands.into_iter().chain(["Exit codes: 0 fine, 1 failed, 2 wrong usage."]) {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    // What is not there yet is not offered.
    for later in ["chat", "conform", "tap "] {
        assert!(!text.contains(&format!("\n  {later}")), "{later}: {text}");
    }
    assert!(!text.contains('\x1b'), "colour on something that is no terminal");
}

#[test]
fn the_help_of_serve_explains_every_flag() {
    let (code, text, _) = run(&["serve", "--help"]);
    assert_eq!(code, Some(0));
    for wanted in
        ["--listen", "--lan", "--config", "--data", "--ephemeral", "--lobby", "--admin-socket", "--log"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    for (arguments, wanted) in [
        (&[][..], "Usage: polylogue <COMMAND>"),
        (&["confg"], "a similar subcommand exists: 'config'"),
        (&["serve", "--lissen", "5050"], "a similar argument exists: '--listen'"),
        (&["serve", "--listen", "5050=mucca"], "\"mucca\" is not a protocol; did you mean muca?"),
        (&["serve", "--listen", "99999"], "\"99999\" is not a port (0 to 65535)"),
        (&["serve", "--data", "/tmp/polylogue", "--ephemeral"], "cannot be used with"),
        (
            &["serve", "--lobby", "  "],
            "error: --lobby: \"  \" can't be a room's name: it is empty\n\
             hint: any other 1 to 64 characters will do\n",
        ),
        (&["serve", "--log", "loud"], "\"loud\" is not error, warn, info, debug or trace"),
        (&["server", "-p", "port"], "invalid value 'port'"),
        (&["admin", "sesions"], "a similar subcommand exists: 'sessions'"),
        (&["admin", "drain", "--for", "soon"], "\"soon\" is not a time: write 90, 90s, 5m, 1h or 7d"),
    ] {
        let (code, text, errors) = run(arguments);
        assert_eq!((code, text.as_str()), (Some(2), ""), "{arguments:?}: {errors}");
        assert!(errors.contains(wanted), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_wrong_configuration_ends_with_2_and_tells_every_error() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("wrong-{}.toml", std::process::id()));
    std::fs::write(&file, "[limits]\nlogin = 30\nusers_max = 0\n").unwrap();
    let path = file.to_str().unwrap();
    let output = polylogue()
        .args(["serve", "--config", path])
        .env("POLYLOGUE_DIALECTS__COMANDS", "false")
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "error: {path}:2: unknown key limits.login\n\
             hint: the nearest key is limits.login_s\n\
             error: {path}:3: limits.users_max must be a number from 1 to 10000000, not 0\n\
             hint: the default is 100000\n\
             error: environment variable POLYLOGUE_DIALECTS__COMANDS: unknown key dialects.comands\n\
             hint: the nearest key is dialects.commands\n"
        )
    );
}

#[test]
fn the_printed_configuration_is_one() {
    let (code, text, _) = run(&["config"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("[limits]\n") && text.contains("\nlogin_s = 45\n"), "{text}");
}
