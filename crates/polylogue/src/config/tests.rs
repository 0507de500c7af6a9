//! What a configuration does, and what its errors say.

use std::path::Path;
use std::time::Duration;

use super::{Config, Problem, environment, file, keys};

fn read(text: &str) -> Result<Config, Vec<String>> {
    let (mut config, mut problems) = (Config::default(), Vec::new());
    file::read(Path::new("chat.toml"), text, &mut config, &mut problems);
    if problems.is_empty() { Ok(config) } else { Err(problems.iter().map(Problem::to_string).collect()) }
}

fn environment(variables: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(None, variables)
}

#[test]
fn the_printed_defaults_are_the_defaults() {
    let read = read(&Config::default().to_toml()).unwrap();
    assert_eq!(read.differences(&Config::default()), Vec::<String>::new());
    assert_eq!(format!("{read:?}"), format!("{:?}", Config::default()));
}

#[test]
fn the_printed_file_has_every_key_once_and_explains_it() {
    let text = Config::default().to_toml();
    let mut section = "";
    let mut seen = Vec::new();
    let mut explained = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            assert!(explained, "{name} has no comment");
            seen.push(format!("{section}.{name}"));
        }
        explained = line.starts_with('#');
        assert!(line.chars().count() <= 110, "{line}");
    }
    let all: Vec<_> = keys::all().map(ToString::to_string).collect();
    assert_eq!(seen, all);
}

#[test]
fn each_key_has_a_section_and_a_place_of_its_own() {
    for key in keys::all() {
        assert!(keys::SECTIONS.iter().any(|section| section.name == key.section), "{key}");
        assert_eq!(keys::all().filter(|other| other.to_string() == key.to_string()).count(), 1, "{key}");
    }
}

/// Sets each key to something else and looks whether it, and only it, has changed: no two keys share a field.
#[test]
fn no_two_keys_are_one() {
    let others = [
        ("server.name", "\"parrot\""),
        ("server.lobby", "\"hall\""),
        ("server.listen", "[\"127.0.0.1:1=rooms\"]"),
        ("server.url", "\"https://chat.example.org\""),
        ("accounts.registration", "\"invited\""),
        ("tls.cert", "\"chain.pem\""),
        ("tls.key", "\"key.pem\""),
        ("log.level", "\"debug\""),
        ("log.format", "\"json\""),
        ("bridge.allow", "[\"192.0.2.0/24\"]"),
        ("store.folder", "\"/var/lib/polylogue\""),
        ("store.durability", "\"power\""),
        ("admin.socket", "\"/run/polylogue.sock\""),
        ("irc.name", "\"irc.example.org\""),
        ("irc.network", "\"Example\""),
        ("irc.motd", "[\"Welcome.\"]"),
        ("irc.operators", "[\"ana kill $argon2id$v=19$m=19456\"]"),
    ];
    for key in keys::all() {
        let before = key.field.show(&Config::default());
        let other = others.iter().find(|(name, _)| *name == key.to_string()).map(|(_, value)| *value);
        let number = before.parse::<u64>().map(|number| (number + 1).to_string());
        let value = match (other, before.as_str(), number) {
            (Some(value), ..) => value.to_owned(),
            (None, "true", _) => "false".to_owned(),
            (None, "false", _) => "true".to_owned(),
            (None, _, Ok(number)) => number,
            (None, ..) => panic!("give {key} another value here"),
        };
        let read = read(&format!("[{}]\n{} = {value}\n", key.section, key.name)).unwrap();
        assert_eq!(read.differences(&Config::default()), [key.to_string()]);
        assert_eq!(key.field.show(&read), value);
    }
}

#[test]
fn the_server_name_reaches_hub_and_sessions() {
    let config = read("[server]\nname = \" The  Parrot \"\n").unwrap();
    assert_eq!(
        (config.hub.server_name.as_str(), config.gateway.server_name.as_str()),
        ("The Parrot", "The Parrot")
    );
}

#[test]
fn links_are_made_of_what_browsers_can_open() {
    let url = |text: &str| read(&format!("[server]\nurl = {text:?}\n")).map(|config| config.hub.web_url);
    assert_eq!(url("https://chat.example.org/").unwrap(), "https://chat.example.org");
    assert_eq!(url("http://[2001:db8::1]:5050").unwrap(), "http://[2001:db8::1]:5050");
    assert_eq!(url("https://example.org/chat").unwrap(), "https://example.org/chat");
    assert_eq!(url("").unwrap(), "");
    for no in ["chat.example.org", "ftp://x", "https://", "https:///x", "https://a b", "https://x\"y", "/"] {
        assert!(url(no).is_err() || no == "/", "{no}");
    }
}

#[test]
fn errors_name_file_line_key_and_the_nearest_key() {
    for (text, expected) in [
        (
            "[limits]\nlogin = 30\n",
            "chat.toml:2: unknown key limits.login\nhint: the nearest key is limits.login_s",
        ),
        (
            "[limit]\nlogin_s = 30\n",
            "chat.toml:1: unknown section or key limit\nhint: the nearest section is [limits]",
        ),
        ("lobby = \"den\"\n", "chat.toml:1: unknown section or key lobby\nhint: it belongs under [server]"),
        (
            "[server]\ncommands = false\n",
            "chat.toml:2: unknown key server.commands\nhint: the nearest key is dialects.commands",
        ),
        (
            "# first\n\n[limits]\nlogin_s = \"30\"\n",
            "chat.toml:4: limits.login_s must be seconds from 1 to 86400, not \"30\"\nhint: the default is 45",
        ),
        (
            "[limits]\nusers_max = 0\n",
            "chat.toml:2: limits.users_max must be a number from 1 to 10000000, not 0\nhint: the default is 100000",
        ),
        (
            "[limits]\nusers_max = -1\n",
            "chat.toml:2: limits.users_max must be a number from 1 to 10000000, not -1\nhint: the default is 100000",
        ),
        (
            "[server]\nname = \"ALL\"\n",
            "chat.toml:2: server.name is wrong: \"ALL\" can't be a name: ALL means everybody\nhint: the default is \"polylogue\"",
        ),
        (
            "[server]\nlisten = [\"5050\",\n  \"5051=xyz\"]\n",
            "chat.toml:2: server.listen is wrong: \"xyz\" is not a protocol; there are tmp, muca, rooms, bridge, messenger, irc, detect\n\
             hint: the default is []",
        ),
        (
            "[bridge]\nallow = [\"10.0.0.0\"]\n",
            "chat.toml:2: bridge.allow is wrong: \"10.0.0.0\" is not an IPv4 network\nhint: the default is []",
        ),
        (
            "[dialects]\ncommands = 1\n",
            "chat.toml:2: dialects.commands must be true or false, not 1\nhint: the default is true",
        ),
        (
            "[xyzzy]\n",
            "chat.toml:1: unknown section or key xyzzy\nhint: there are [server], [store], [accounts], [admin], [tls], [log], [limits], \
             [dialects], [muca], [rooms], [bridge], [irc], [messenger]",
        ),
    ] {
        assert_eq!(read(text).unwrap_err(), [expected], "{text}");
    }
}

#[test]
fn what_is_not_toml_names_the_line() {
    let errors = read("[limits]\nlogin_s = = 3\n").unwrap_err();
    assert!(errors[0].starts_with("chat.toml:2: not TOML: "), "{errors:?}");
    let errors = read("[limits]\nlogin_s = 3\nlogin_s = 4\n").unwrap_err();
    assert!(errors[0].starts_with("chat.toml:3: not TOML: "), "{errors:?}");
}

#[test]
fn all_errors_are_told_at_once_in_the_order_of_the_file() {
    let errors = read("[rooms]\ngap = 1\n[limits]\nlogin_s = 0\nzzz = 1\n").unwrap_err();
    assert_eq!(errors.len(), 3);
    assert!(errors.is_sorted_by_key(|error| error.split(':').nth(1).map(str::to_owned)), "{errors:?}");
}

#[test]
fn the_environment_wins_over_the_file_and_is_checked_alike() {
    let config = environment(&[
        ("POLYLOGUE_LIMITS__LOGIN_S", "30"),
        ("POLYLOGUE_SERVER__LISTEN", "5050, 8888=rooms"),
        ("POLYLOGUE_DIALECTS__COMMANDS", "false"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    assert_eq!(config.gateway.login, Duration::from_secs(30));
    assert_eq!(config.listen.len(), 2);
    assert!(!config.gateway.commands);

    let problems = environment(&[("POLYLOGUE_LIMITS__LOGIN", "30"), ("POLYLOGUE_LIMITS__USERS_MAX", "many")])
        .unwrap_err();
    let problems: Vec<_> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        problems,
        [
            "environment variable POLYLOGUE_LIMITS__LOGIN: unknown key limits.login\n\
             hint: the nearest key is limits.login_s",
            "environment variable POLYLOGUE_LIMITS__USERS_MAX: limits.users_max must be a number from 1 to \
             10000000, not \"many\"\nhint: the default is 100000",
        ]
    );
}

#[test]
fn each_key_has_its_own_variable() {
    let mut names: Vec<_> = keys::all().map(environment::variable).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), keys::all().count());
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let problems = Config::load(Some(Path::new("/nonexistent/chat.toml")), std::iter::empty()).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "/nonexistent/chat.toml: can't be read: No such file or directory (os error 2)\n\
         hint: `polylogue config > FILE` makes one with the defaults"
    );
}
