//! Links in the documents lead somewhere.

use std::path::Path;

use super::{Files, read};
use crate::sh::{Outcome, top};

/// Checks every relative link of every Markdown file, headings included.
pub(super) fn check(files: &Files, complaints: &mut Vec<String>) -> Outcome {
    for file in files.with_extension("md") {
        let (path, text) = file?;
        for (line, target) in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = path.parent().unwrap_or(Path::new(""));
            let linked = if file.is_empty() { path.to_owned() } else { folder.join(file) };
            if !top().join(&linked).exists() {
                complaints.push(format!("{}:{line}: the link to {target} leads nowhere", path.display()));
            } else if !heading.is_empty() && !headings(&read(&linked)?).any(|known| known == heading) {
                complaints.push(format!("{}:{line}: the link to {target}: no such heading", path.display()));
            }
        }
    }
    Ok(())
}

/// The targets of `[text](target)`, with their lines; not in code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // Every second piece between backticks is code.
        for piece in line.split('`').step_by(2) {
            let mut rest = piece;
            while let Some((_, after)) = rest.split_once("](") {
                let Some((target, after)) = after.split_once(')') else { break };
                found.push((number, target));
                rest = after;
            }
        }
    }
    // A link's text may be code: `[`name`](target)` is cut in two above.
    for (number, line) in prose(text) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("`](") {
            let Some((target, after)) = after.split_once(')') else { break };
            found.push((number, target));
            rest = after;
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The headings, as links name them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let kept = line.trim_start_matches('#').trim().chars();
        let kept = kept.filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
    })
}

/// The lines outside of fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fence && !fenced).then_some((index + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_prose_and_not_in_code() {
        let text = "[a](b.md) and [c](d.md#e)\n```\n[no](no.md)\n```\n`[no](no.md)` [`f`](g.md)\n";
        assert_eq!(links(text), [(1, "b.md"), (1, "d.md#e"), (5, "g.md")]);
    }

    #[test]
    fn headings_are_named_as_links_name_them() {
        let text = "# The `hub`, in short\ntext\n## A_b c-d\n";
        assert_eq!(headings(text).collect::<Vec<_>>(), ["the-hub-in-short", "a_b-c-d"]);
    }
}
