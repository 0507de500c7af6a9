//! `polylogue backup`, `restore`, `check`, `export` and `erase`: what an operator does with what is kept.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hub::Party;
use server::{Durability, StoreError};
use store::{Reader, Summary, Writer};

use crate::cli::{Data, Erase, InFile, OfAccount};
use crate::failure::Failure;
use crate::serve::load_config;

/// Copies what is kept.
///
/// # Errors
/// As the store has them.
pub(crate) fn backup(arguments: &InFile) -> Result<(), Failure> {
    let folder = folder(&arguments.data)?;
    let summary = store::backup(&folder, &arguments.file).map_err(failed)?;
    tell(&format!("{} is a backup: {}", arguments.file.display(), words(&summary)))
}

/// Puts a backup in the place of what is kept.
///
/// # Errors
/// As the store has them.
pub(crate) fn restore(arguments: &InFile) -> Result<(), Failure> {
    let folder = folder(&arguments.data)?;
    let restored = store::restore(&folder, &arguments.file).map_err(failed)?;
    tell(&format!("{} is restored: {}", path(&folder).display(), words(&restored.now)))?;
    match restored.before {
        Some(before) => tell(&format!("what was there before is in {}", before.display())),
        None => Ok(()),
    }
}

/// Looks for damage.
///
/// # Errors
/// If there is any.
pub(crate) fn check(arguments: &Data) -> Result<(), Failure> {
    let folder = folder(arguments)?;
    let summary = store::check(&folder).map_err(failed)?;
    tell(&format!("{} is sound: {}", path(&folder).display(), words(&summary)))
}

/// Writes what there is of an account.
///
/// # Errors
/// As the store has them.
pub(crate) fn export(arguments: &OfAccount) -> Result<(), Failure> {
    let mut reader = Reader::at(&folder(&arguments.data)?).map_err(failed)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let count = reader.export(&Party::of_account(&arguments.account), &mut out).map_err(failed)?;
    if count == 0 {
        let what = format!("nothing is kept of an account {:?}", arguments.account);
        return Err(Failure::run(what, "--data names the folder that the server is started with"));
    }
    Ok(())
}

/// Erases what an account has said.
///
/// # Errors
/// As the store has them, or if nobody said yes.
pub(crate) fn erase(arguments: &Erase) -> Result<(), Failure> {
    let Erase { of: OfAccount { account, data }, yes } = arguments;
    if !yes {
        return Err(Failure::usage(
            format!("what is erased of {account:?} can't be had back"),
            "`polylogue export` gives a copy; with --yes it is erased",
        ));
    }
    let folder = folder(data)?;
    // Nothing is made where nothing is.
    drop(Reader::at(&folder).map_err(failed)?);
    let (mut writer, _) = Writer::open(&folder, Durability::Power).map_err(failed)?;
    let erased = writer.erase(&Party::of_account(account)).map_err(failed)?;
    writer.close().map_err(failed)?;
    tell(&format!(
        "erased {} messages; of {} conversations nothing is left",
        erased.messages, erased.conversations
    ))
}

/// The folder that is meant, as `serve` finds it.
fn folder(arguments: &Data) -> Result<PathBuf, Failure> {
    if let Some(folder) = &arguments.data {
        return Ok(folder.clone());
    }
    let config = load_config(arguments.config.as_deref())?;
    config.data_folder().map_err(|what| Failure::usage(what, "--data takes a folder"))
}

fn path(folder: &Path) -> PathBuf {
    folder.join(store::FILE_NAME)
}

fn words(summary: &Summary) -> String {
    let Summary { version, messages, histories, bytes } = summary;
    format!(
        "{messages} messages in {histories} rooms and conversations, {} KiB, version {version}",
        bytes.div_ceil(1024)
    )
}

fn failed(error: StoreError) -> Failure {
    Failure::run(error.to_string(), error.hint())
}

fn tell(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "{text}")?)
}
