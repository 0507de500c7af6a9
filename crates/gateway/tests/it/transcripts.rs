//! Plays every file under `transcripts/`: as it is written, and a byte at a time where the dialect has framing.

use std::path::{Path, PathBuf};

use transcript::Pace;

use crate::world::World;

/// Every transcript, sorted.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
}

/// Only the transcripts whose path contains `TRANSCRIPT`, if that is set in the environment.
fn is_wanted(path: &Path) -> bool {
    std::env::var("TRANSCRIPT").map_or(true, |part| path.to_string_lossy().contains(&part))
}

#[test]
fn every_transcript_plays_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts").canonicalize().unwrap();
    let mut found = Vec::new();
    files(&root, &mut found);
    assert!(!found.is_empty(), "there are no transcripts in {}", root.display());
    let mut failures = Vec::new();
    for path in found.iter().filter(|path| is_wanted(path)) {
        if let Err(failure) = transcript::test(path, &[Pace::Whole, Pace::ByteAtATime], World::default) {
            failures.push(failure.to_string());
        }
    }
    assert!(failures.is_empty(), "{} of {} differ:\n{}", failures.len(), found.len(), failures.join("\n"));
}
