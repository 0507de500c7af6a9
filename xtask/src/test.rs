//! `cargo xtask test`: everything that has to hold before a change lands.

use crate::sh::{self, Outcome, cargo};
use crate::{tidy, tools};

/// Runs all checks and all tests; `arguments` go to `cargo test`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    tools::install()?;
    tidy::run()?;
    sh::run(&mut cargo(["fmt", "--all", "--check"]))?;
    sh::run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    sh::run(
        cargo(["doc", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"),
    )?;
    sh::run(cargo(["test", "--workspace"]).args(arguments).env(tools::VARIABLE, tools::folder()))
}
