//! Rust files: what they are for stands at their top, they are not too long, nothing in them is unfinished.

use std::path::Path;

use super::Files;
use crate::sh::Outcome;

/// Lines of a file without its tests.
const LINES_MAX: usize = 500;

/// What unfinished code looks like. In pieces, so that this file is not one of those it complains about.
const UNFINISHED: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
];

/// Checks every Rust file.
pub(super) fn check(files: &Files, complaints: &mut Vec<String>) -> Outcome {
    for file in files.with_extension("rs") {
        let (path, text) = file?;
        check_file(path, &text, complaints);
    }
    Ok(())
}

fn check_file(path: &Path, text: &str, complaints: &mut Vec<String>) {
    let shown = path.display();
    // A fuzz target is one line that calls a function beside the code; tests.rs says it by its name.
    if !path.starts_with("fuzz") && !path.ends_with("tests.rs") && !text.starts_with("//!") {
        complaints.push(format!("{shown}: its first line has to say, after //!, what the file is for"));
    }
    let lines = lines_without_tests(text);
    if !is_test(path) && lines > LINES_MAX {
        complaints
            .push(format!("{shown}: {lines} lines without tests, the limit is {LINES_MAX}: look for a seam"));
    }
    for (number, line) in text.lines().enumerate() {
        for mark in UNFINISHED.iter().filter(|mark| line.contains(**mark)) {
            complaints.push(format!("{shown}:{}: unfinished: {mark}", number + 1));
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
        || path.components().any(|folder| folder.as_os_str() == "tests")
}

/// Lines before the test module, which stands last.
fn lines_without_tests(text: &str) -> usize {
    let mut before = text.lines().peekable();
    let mut count = 0;
    while let Some(line) = before.next() {
        if line == "#[cfg(test)]" && before.peek().is_some_and(|next| next.starts_with("mod tests {")) {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        check_file(Path::new(path), text, &mut complaints);
        complaints
    }

    #[test]
    fn long_files_are_a_complaint_but_not_for_their_tests() {
        let code = format!("//! What for.\n{}", "fn f() {}\n".repeat(499));
        assert_eq!(complaints("a.rs", &code), Vec::<String>::new());
        assert_eq!(
            complaints("a.rs", &format!("{code}#[cfg(test)]\nmod tests {{\n}}\n")),
            Vec::<String>::new()
        );
        let longer = format!("{code}fn g() {{}}\n");
        assert_eq!(
            complaints("a.rs", &longer),
            ["a.rs: 501 lines without tests, the limit is 500: look for a seam"]
        );
        assert_eq!(complaints("a/tests.rs", &longer), Vec::<String>::new());
    }

    #[test]
    fn a_file_says_what_it_is_for_and_is_finished() {
        assert_eq!(complaints("a.rs", "fn f() {}\n").len(), 1);
        let text = format!("//! What for.\nfn f() {{ {})\n", UNFINISHED[0]);
        assert_eq!(complaints("a.rs", &text), [format!("a.rs:2: unfinished: {}", UNFINISHED[0])]);
    }
}
