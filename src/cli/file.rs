//! Files that otb writes for the user, each by one rename: a reader sees the old text or the new one, at whatever
//! moment otb or the machine ends.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::failure::Failure;
use crate::codes::ErrorCode;

/// What may exist at the path before.
#[derive(Debug, Clone, Copy)]
pub(super) enum Over<'a> {
    /// Nothing: what is there, or comes there meanwhile, is not replaced.
    Nothing,
    /// Whatever it is. What is no regular file (a pipe, `/dev/stdout`) is written to.
    Anything,
    /// A file with this text, that its owner has not made read-only.
    Text(&'a str),
}

/// Writes `text` to `path`. A file that is replaced keeps its owner and mode, and a symbolic link to it stays one.
pub(super) fn write(path: &Path, text: &str, over: Over<'_>) -> std::result::Result<(), Failure> {
    put(path, text.as_bytes(), over).map_err(|error| {
        let code = match over {
            Over::Nothing if error.kind() == ErrorKind::AlreadyExists => ErrorCode::ImportExists,
            Over::Nothing | Over::Anything => ErrorCode::OutputUnwritable,
            Over::Text(_) => ErrorCode::EditUnwritable,
        };
        let text = format!("failed to write {}: {error}; nothing was changed", path.display());
        let failure = Failure::new(code, text);
        match error.kind() {
            ErrorKind::AlreadyExists => failure.hint("name another file, or use --force to replace it"),
            ErrorKind::ReadOnlyFilesystem => failure.hint("run chmod u+w on it, or edit it by hand"),
            ErrorKind::ResourceBusy => failure.hint("look at the file, then run the command again"),
            _ => failure,
        }
    })
}

fn put(path: &Path, text: &[u8], over: Over<'_>) -> Result<()> {
    let there = match std::fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match (&there, over) {
        (Some(_), Over::Nothing) => return Err(taken()),
        (Some(metadata), Over::Anything) if metadata.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        (Some(metadata), Over::Anything) if !metadata.is_file() => {
            return OpenOptions::new().write(true).open(path)?.write_all(text);
        }
        (Some(metadata), Over::Text(_)) => unlocked(metadata)?,
        (None, Over::Text(_)) => return Err(ErrorKind::NotFound.into()),
        _ => {}
    }
    // The target of a symbolic link is replaced, not the link.
    let path = if there.is_some() { std::fs::canonicalize(path)? } else { path.to_owned() };
    let draft = draft(&path, text, there.as_ref())?;
    if let Over::Text(before) = over
        && std::fs::read(&path)? != before.as_bytes()
    {
        return Err(Error::new(ErrorKind::ResourceBusy, "another program changed it after otb read it"));
    }
    // A draft that does not get there removes itself.
    let placed = if there.is_some() { draft.persist(&path) } else { draft.persist_noclobber(&path) };
    placed.map_err(|error| if error.error.kind() == ErrorKind::AlreadyExists { taken() } else { error.error })?;
    // The rename is done; that it survives a power failure is the directory's to say.
    let _ = File::open(directory(&path)).and_then(|directory| directory.sync_all());
    Ok(())
}

fn taken() -> Error {
    Error::new(ErrorKind::AlreadyExists, "it exists already")
}

/// The directory would allow replacing it, but its owner made it read-only on purpose.
fn unlocked(metadata: &Metadata) -> Result<()> {
    if !metadata.permissions().readonly() {
        return Ok(());
    }
    let mode = metadata.mode() & 0o7777;
    Err(Error::new(ErrorKind::ReadOnlyFilesystem, format!("it is read-only (mode {mode:04o})")))
}

/// Writes the whole text to disk, beside its final place.
fn draft(path: &Path, text: &[u8], like: Option<&Metadata>) -> Result<NamedTempFile<File>> {
    let name = path.file_name().ok_or_else(|| Error::other("the path names no file"))?.to_string_lossy();
    let directory = directory(path);
    let make = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    let mut draft =
        tempfile::Builder::new().prefix(&format!(".{name}.otb-")).make_in(&directory, make).map_err(|error| {
            Error::new(error.kind(), format!("otb cannot create a file in {}: {error}", directory.display()))
        })?;
    draft.write_all(text)?;
    if let Some(like) = like {
        let own = draft.as_file().metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(draft.as_file(), Some(like.uid()), Some(like.gid()))
                .map_err(|error| Error::new(error.kind(), format!("otb cannot keep its owner: {error}")))?;
        }
        draft.as_file().set_permissions(like.permissions())?;
    }
    draft.as_file().sync_all()?;
    Ok(draft)
}

fn directory(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")).to_owned()
}
