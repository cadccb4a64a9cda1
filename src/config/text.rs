//! Single values of the file → the model's types: names, hosts, accounts, paths, sizes.

use bytesize::ByteSize;

use super::code::Code;
use super::diagnostic::Findings;
use super::path::{self, DataPath, PathError};
use super::raw::{self, Size};
use super::source::Span;
use super::suggest::nearest;
use super::tree::Marks;
use super::visible::quoted;
use crate::model::{ClusterName, Host, NameError, NodeName, ServerName};

/// The longest ssh destination and account name there is a use for, in bytes.
const MAX_DESTINATION: usize = 255;
const MAX_ACCOUNT: usize = 63;

pub(super) fn cluster_name(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<ClusterName> {
    name(ClusterName::new(text), Code::Name, text, "a cluster name", marks.span(), findings)
}

pub(super) fn server_name(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<ServerName> {
    name(ServerName::new(text), Code::Name, text, "a server name", marks.label(), findings)
}

pub(super) fn node_name(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<NodeName> {
    name(NodeName::new(text), Code::Name, text, "a node name", marks.label(), findings)
}

pub(super) fn host(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<Host> {
    name(Host::new(text), Code::Host, text, "a host", marks.span(), findings)
}

fn name<T>(
    checked: Result<T, NameError>,
    code: Code,
    text: &str,
    what: &str,
    span: Span,
    findings: &mut Findings<'_>,
) -> Option<T> {
    match checked {
        // Names become directories (`{node}` and `{server}` in `data`, the name of the lock).
        Ok(_) if text == "." || text == ".." => {
            let message = format!("{} cannot be {what}: as a directory name it means another directory", quoted(text));
            findings.add(code, span, message, "write a name of letters, digits, `_`, `.` and `-`");
            None
        }
        Ok(value) => Some(value),
        Err(error) => {
            let hint = name_hint(&error, text, code);
            findings.add(code, span, format!("{} cannot be {what}: {error}", quoted(text)), hint);
            None
        }
    }
}

fn name_hint(error: &NameError, text: &str, code: Code) -> String {
    let trimmed = text.trim();
    match (error, code) {
        (NameError::Character(c, _), _) if c.is_whitespace() && trimmed != text && !trimmed.contains(*c) => {
            format!("write {} without the space around it", quoted(trimmed))
        }
        (NameError::TooLong(_), Code::Host) => "write an address or a shorter name".to_owned(),
        (NameError::TooLong(_), _) => "write a name of at most 63 bytes".to_owned(),
        (_, Code::Host) => "write an address such as 172.16.0.29, or a host name".to_owned(),
        _ => "write a name of letters, digits, `_`, `.` and `-`".to_owned(),
    }
}

/// A login name, of the database or an operating system.
pub(super) fn account(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let body = text.strip_suffix('$').unwrap_or(text);
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !body.is_empty() && text.len() <= MAX_ACCOUNT && !text.starts_with(['-', '.']) && body.chars().all(letter) {
        return Some(text.to_owned());
    }
    let message = format!("{} cannot be a user name", quoted(text));
    findings.add(Code::Name, marks.span(), message, "write a login name such as opentenbase");
    None
}

/// A database name: anything PostgreSQL can store.
pub(super) fn database(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<String> {
    if (1..=MAX_ACCOUNT).contains(&text.len()) && !text.contains(char::is_control) {
        return Some(text.to_owned());
    }
    let message = format!("{} cannot be a database name", quoted(text));
    findings.add(Code::Name, marks.span(), message, "write a name of 1 to 63 bytes, such as postgres");
    None
}

/// A host name or an alias of ssh_config.
pub(super) fn ssh_destination(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let problem = if text.is_empty() || text.len() > MAX_DESTINATION {
        "it must have 1 to 255 bytes"
    } else if text.starts_with('-') {
        "it begins with '-', which ssh would read as an option"
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        "it contains a space"
    } else if text.contains(['@', '/']) {
        "the host is missing"
    } else {
        return Some(text.to_owned());
    };
    let message = format!("{} cannot be an ssh destination: {problem}", quoted(text));
    let hint = "write a host name or an alias of ssh_config; user and port belong in `shell`";
    findings.add(Code::Host, marks.span(), message, hint);
    None
}

/// A file on this machine.
pub(super) fn local_file(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<String> {
    if !text.is_empty() && !text.contains(char::is_control) {
        return Some(text.to_owned());
    }
    let message = format!("{} cannot be a file name", quoted(text));
    findings.add(Code::Path, marks.span(), message, "write the path of a file on this machine");
    None
}

pub(super) fn install_path(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<String> {
    path::install(text).map_err(|error| path_error(&error, text, marks, findings)).ok()
}

pub(super) fn data_path(text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<DataPath> {
    DataPath::new(text).map_err(|error| path_error(&error, text, marks, findings)).ok()
}

fn path_error(error: &PathError, text: &str, marks: Marks<'_>, findings: &mut Findings<'_>) {
    let (code, why, hint) = match error {
        PathError::Relative => (Code::Path, "is not absolute", "write the path from `/` on".to_owned()),
        PathError::Root => (Code::Path, "is the whole file system", "write a directory of its own".to_owned()),
        PathError::Dots => (Code::Path, "has `.` or `..` in it", "write the path without them".to_owned()),
        PathError::Control => (Code::Path, "contains a control character", "write the path without it".to_owned()),
        PathError::UnknownPlaceholder(name) => {
            let meant = nearest(name, ["node", "server"]);
            let hint = meant.map_or("write {node} or {server}".to_owned(), |meant| format!("write {{{meant}}}"));
            (Code::Placeholder, "contains an unknown placeholder", hint)
        }
        PathError::Placeholder => {
            let hint = "write the value in full; if the server has several instances, write it for each one";
            (Code::Placeholder, "contains a placeholder, which only `data` may contain", hint.to_owned())
        }
        PathError::Brace => {
            (Code::Placeholder, "has a brace without its partner", "write {node} or {server}, or no brace".to_owned())
        }
    };
    findings.add(code, marks.span(), format!("the path {} {why}", quoted(text)), hint);
}

pub(super) fn size(size: &Size, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<ByteSize> {
    let text = match size {
        Size::Bytes(bytes) => return Some(ByteSize(*bytes)),
        Size::Written(text) => text,
    };
    let message = match text.parse() {
        Ok(ByteSize(bytes)) if bytes > raw::MAX_SIZE => format!("{} is too large", quoted(text)),
        Ok(size) => return Some(size),
        Err(_) => format!("{} is not a size", quoted(text)),
    };
    findings.add(Code::WrongValue, marks.span(), message, "write a number and a unit, such as 16MiB");
    None
}
