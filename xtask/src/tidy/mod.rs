//! `cargo xtask tidy`: rules of the project that the compiler and its lints don't check.

mod arrows;
mod links;
mod rust;

use std::path::{Path, PathBuf};

use crate::sh::{self, Outcome, command, say, top};

/// Checks all rules; all complaints are told at once.
pub(crate) fn run() -> Outcome {
    let files = Files::list()?;
    let mut complaints = Vec::new();
    arrows::check(&mut complaints)?;
    links::check(&files, &mut complaints)?;
    rust::check(&files, &mut complaints)?;
    check_fuzz_targets(&files, &mut complaints)?;
    if complaints.is_empty() {
        say(&format!("tidy: {} files, no complaints", files.paths.len()));
        return Ok(());
    }
    Err(format!("not tidy:\n  {}", complaints.join("\n  ")))
}

/// The project's own files.
struct Files {
    /// Relative to the top folder, sorted.
    paths: Vec<PathBuf>,
}

impl Files {
    /// What git knows or would take, as far as it is still there.
    fn list() -> Outcome<Self> {
        let listed =
            sh::read(command("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
        let mut paths: Vec<_> =
            listed.lines().map(PathBuf::from).filter(|path| top().join(path).is_file()).collect();
        paths.sort();
        Ok(Self { paths })
    }

    /// The files with an extension, with their text.
    fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = Outcome<(&'a Path, String)>> + 'a {
        let matching =
            self.paths.iter().filter(move |path| path.extension().is_some_and(|it| it == extension));
        matching.map(|path| Ok((path.as_path(), read(path)?)))
    }
}

/// A file's text; its path is relative to the top folder.
fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(top().join(path)).map_err(|error| format!("{}: {error}", path.display()))
}

/// The fuzz targets that are declared.
pub(crate) fn fuzz_targets() -> Outcome<Vec<String>> {
    let manifest = read(Path::new("fuzz/Cargo.toml"))?;
    let (_, bins) = manifest.split_once("[[bin]]").unwrap_or_default();
    let names = bins.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    Ok(names.map(str::to_owned).collect())
}

/// Each declared target has a file, each file is declared.
fn check_fuzz_targets(files: &Files, complaints: &mut Vec<String>) -> Outcome {
    let declared = fuzz_targets()?;
    let in_folder = files.paths.iter().filter(|path| path.starts_with("fuzz/fuzz_targets"));
    let names: Vec<_> = in_folder
        .filter_map(|path| path.file_stem())
        .map(|stem| stem.to_string_lossy().into_owned())
        .collect();
    for name in declared.iter().filter(|name| !names.contains(name)) {
        complaints.push(format!("fuzz/Cargo.toml: the target {name} has no fuzz/fuzz_targets/{name}.rs"));
    }
    for name in names.iter().filter(|name| !declared.contains(name)) {
        complaints.push(format!("fuzz/fuzz_targets/{name}.rs: not declared in fuzz/Cargo.toml"));
    }
    Ok(())
}
