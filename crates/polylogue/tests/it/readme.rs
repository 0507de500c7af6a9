//! The README's examples are true: each is played against a server with the real `nc`. So are those of `polylogue load`,
//! also on its own page.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::{Browser, empty_page, nc};
use crate::fixture::{Server, output};
use crate::http;
use crate::load::{FEW, load};
use crate::stream::PATIENCE;

const README: &str = include_str!("../../../../README.md");

/// What a person types.
const TYPED: &str = "← typed";

#[test]
fn the_examples_with_nc_do_what_they_show() {
    let pinned = ["--listen", "0=rooms", "--listen", "0=muca", "--listen", "0=bridge"];
    let server = Server::start(&pinned);
    let ports = BTreeMap::from([
        ("5050", server.address()),
        ("8888", server.pinned("rooms")),
        ("40452", server.pinned("muca")),
        ("5555", server.pinned("bridge")),
    ]);
    let examples: Vec<&str> =
        README.split("```console\n").skip(1).filter_map(|it| it.split("```").next()).collect();
    assert_eq!(examples.len(), 4, "an example for each protocol that can be typed");
    for example in examples {
        let (command, lines) = example.split_once('\n').unwrap();
        let port =
            command.strip_prefix("$ nc 127.0.0.1 ").unwrap_or_else(|| panic!("not understood: {command}"));
        // An example's reader is alone in the lobby.
        wait_until_empty(&server);
        let mut nc = nc(ports[port]);
        for line in lines.lines() {
            if let Some(typed) = line.strip_suffix(TYPED) {
                nc.write(&format!("{}\n", typed.trim_end()));
            } else {
                let before = nc.stdout.expect(line);
                assert_eq!(before.trim(), "", "something else came before {line:?}");
            }
        }
    }
}

#[test]
fn the_example_for_a_browser_is_a_client() {
    let server = Server::start(&[]);
    let mut ana = nc(server.address());
    ana.write("ana_lobby\n");
    ana.stdout.expect("200\n");
    let (_, script) = README.split_once("```js\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    assert!(script.contains("127.0.0.1:5050"));
    let browser = Browser::open(&empty_page());
    browser.run(&script.replace("127.0.0.1:5050", &server.address().to_string()));
    assert_eq!(ana.stdout.line(), "eve - good morning");
}

/// Waits until nobody is logged in any more.
fn wait_until_empty(server: &Server) {
    let address = server.address();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metrics = http::ask(address, "GET", "/metrics", "").body;
        let users = metrics.lines().find_map(|line| line.strip_prefix("polylogue_users "));
        match users {
            Some("0") => return,
            Some(_) => assert!(Instant::now() < deadline, "somebody stays:\n{metrics}"),
            None => panic!("the number of users is not among the metrics:\n{metrics}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_limits_in_the_readme_are_the_defaults() {
    let defaults = String::from_utf8(output(&["config"]).stdout).unwrap();
    for (shown, key) in [
        ("4 KiB;", "text_bytes_max = 4096"),
        ("64 KiB", "frame_bytes_max = 65536"),
        ("10 a second, 30 at once", "messages_per_s = 10"),
        ("10 a second, 30 at once", "messages_burst = 30"),
        ("45 s from the first byte", "login_s = 45"),
        ("may stay 10 minutes", "silence_s = 600"),
        ("100 000, or", "connections_max = 100000"),
        ("64 from one address", "connections_per_address_max = 64"),
        ("1 MiB, then", "queue_bytes_max = 1048576"),
        ("50 000", "room_members_max = 50000"),
    ] {
        assert!(README.contains(shown), "the README doesn't say {shown:?}");
        assert!(defaults.lines().any(|line| line == key), "the default isn't {key:?}");
    }
}

/// An example as a test has time for it: only how much of everything there is is another.
fn in_small(example: &str, server: &Server) -> String {
    let example = example.split('#').next().unwrap().replace("$(pidof polylogue)", &server.pid().to_string());
    let (mut line, mut words) = (String::new(), example.split_whitespace());
    while let Some(word) = words.next() {
        match word {
            "--members" | "--pairs" | "--connections" | "--visits" | "--people" | "--count" => {
                words.next().unwrap().parse::<u32>().unwrap();
            }
            _ => match word.split_once("://") {
                Some((scheme, _)) => line += &format!("{scheme}://{} ", server.address()),
                None => line += &format!("{word} "),
            },
        }
    }
    let small = match line.split(' ').next().unwrap() {
        "fanout" => FEW,
        "direct" => "--pairs 2 --seconds 0.2 --warmup 0",
        "idle" => "--connections 10 --seconds 0.1",
        "churn" => "--visits 10",
        "mixed" => "--people 10 --seconds 0.2",
        "weather" => "--members 6 --count 3 --seconds 0.2 --warmup 0",
        other => panic!("{other}"),
    };
    line + small
}

#[test]
fn the_examples_of_measuring_work_and_print_what_is_shown() {
    const PAGE: &str = include_str!("../../../../docs/load.md");
    let blocks = [PAGE, README].iter().flat_map(|page| page.split("```").skip(1).step_by(2));
    let examples = blocks.flat_map(|block| {
        let lines = block.lines().filter_map(|line| Some(line.split_once("polylogue load ")?.1));
        lines.map(move |line| (line, block.strip_prefix("console\n")))
    });
    let count = thread::scope(|scope| {
        examples.map(|(line, shown)| scope.spawn(move || play(line, shown))).collect::<Vec<_>>().len()
    });
    assert_eq!(count, 14, "each example is run");
}

fn play(example: &str, shown: Option<&str>) {
    let server = Server::start(&[]);
    let line = in_small(example, &server);
    let (code, said, errors) = load(&line);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{line}: {said}");
    if let Some((_, shown)) = shown.and_then(|shown| shown.split_once('\n')) {
        let names = |text: &str| -> Vec<String> {
            text.lines().skip(1).map(|line| line.chars().take(32).collect()).collect()
        };
        assert_eq!(names(shown), names(&said), "{said}");
    }
}
