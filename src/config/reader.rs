//! The only room of the configuration that touches the outside: it reads the file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::code::Code;
use super::{Diagnostics, Loaded, load};

/// A cluster of 4096 nodes is described in half of this.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads and checks a cluster.yaml.
pub fn read(path: &Path) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    checked(&name, read_bytes(path, &name)?)
}

/// The same from an open input, which diagnostics call `name`.
pub fn read_from(name: &str, input: impl Read) -> Result<Loaded, Diagnostics> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the file is too large.
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error.to_string()))?;
    limited(name, bytes.len() as u64)?;
    checked(name, bytes)
}

fn checked(name: &str, bytes: Vec<u8>) -> Result<Loaded, Diagnostics> {
    match String::from_utf8(bytes) {
        Ok(text) => load(name, &text),
        Err(error) => Err(not_utf8(name, error.as_bytes(), error.utf8_error().valid_up_to())),
    }
}

fn limited(name: &str, bytes: u64) -> Result<(), Diagnostics> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let message = format!("failed to read the file: it has {bytes} bytes");
    let hint = format!("name a cluster.yaml: no valid one has more than {MAX_BYTES} bytes");
    Err(Diagnostics::of_file(name, Code::TooLarge, message, hint))
}

fn read_bytes(path: &Path, name: &str) -> Result<Vec<u8>, Diagnostics> {
    let failed = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            let hint = "name it with --file, or let `otb import` write it from the live cluster";
            Diagnostics::of_file(name, Code::NotFound, "failed to read the file: it does not exist", hint)
        }
        _ => unreadable(name, &error.to_string()),
    };
    // Asked before opening: to open a named pipe is to wait for its writer.
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if metadata.is_dir() {
        return Err(unreadable(name, "it is a directory"));
    }
    if !metadata.is_file() {
        return Err(unreadable(name, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    // One byte more than allowed: the file may grow between the question and the answer.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        limited(name, metadata.len().max(MAX_BYTES + 1))?;
    }
    Ok(bytes)
}

fn unreadable(name: &str, why: &str) -> Diagnostics {
    let hint = "name a file that this user may read";
    Diagnostics::of_file(name, Code::Unreadable, format!("failed to read the file: {why}"), hint)
}

fn not_utf8(name: &str, bytes: &[u8], valid: usize) -> Diagnostics {
    let line = bytes.iter().take(valid).filter(|&&byte| byte == b'\n').count() + 1;
    let message = format!("failed to read the file: byte {} (line {line}) is not UTF-8", valid + 1);
    Diagnostics::of_file(name, Code::NotUtf8, message, "save the file as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(path: &Path) -> Code {
        read(path).unwrap_err().list[0].code
    }

    #[test]
    fn what_is_no_readable_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(code_of(&dir.path().join("missing.yaml")), Code::NotFound);
        assert_eq!(code_of(dir.path()), Code::Unreadable);
        assert_eq!(code_of(Path::new("/dev/zero")), Code::Unreadable);
    }

    #[test]
    fn ten_megabytes_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big.yaml");
        std::fs::write(&path, "# cluster\n".repeat(1024 * 1024)).unwrap();
        let shown = read(&path).unwrap_err().to_string();
        assert!(
            shown.starts_with("error[config.too-large]: failed to read the file: it has 10485760 bytes"),
            "{shown}"
        );
        assert!(shown.contains("big.yaml"), "{shown}");
    }

    #[test]
    fn bytes_that_are_no_text_are_located() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latin1.yaml");
        std::fs::write(&path, b"version: 1\ncluster: caf\xe9\n").unwrap();
        let shown = read(&path).unwrap_err().to_string();
        assert!(shown.contains("byte 24 (line 2) is not UTF-8"), "{shown}");
    }
}
