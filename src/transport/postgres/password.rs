//! The sources of passwords: PGPASSWORD, otherwise the password file, by libpq's rules
//! (<https://www.postgresql.org/docs/10/libpq-pgpass.html>).

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::model::{Connection, Endpoint};
use crate::transport::Secret;

/// Passwords read once, at the start.
#[derive(Debug, Clone, Default)]
pub struct Passwords {
    from_environment: Option<Secret>,
    lines: Vec<Line>,
    warnings: Vec<String>,
}

/// One line of the password file.
#[derive(Debug, Clone)]
struct Line {
    host: Field,
    port: Field,
    database: Field,
    user: Field,
    password: Secret,
}

#[derive(Debug, Clone)]
enum Field {
    Any,
    Is(String),
}

impl Passwords {
    /// Reads PGPASSWORD, and PGPASSFILE or ~/.pgpass.
    pub fn from_environment() -> Self {
        let password = std::env::var("PGPASSWORD").ok().filter(|text| !text.is_empty());
        let file = non_empty("PGPASSFILE")
            .map(PathBuf::from)
            .or_else(|| non_empty("HOME").map(|home| PathBuf::from(home).join(".pgpass")));
        Self::read(password, file.as_deref())
    }

    /// The same from given sources. A file that is not there is no warning; one that others may read is one,
    /// and is not used.
    pub fn read(pgpassword: Option<String>, file: Option<&Path>) -> Self {
        let mut warnings = Vec::new();
        let lines = file.map(|file| read_file(file, &mut warnings)).unwrap_or_default();
        Self { from_environment: pgpassword.map(Secret::new), lines, warnings }
    }

    /// From the text of a password file.
    pub fn from_text(text: &str) -> Self {
        Self { lines: text.lines().filter_map(parse).collect(), ..Self::default() }
    }

    /// Warnings about the password file for the operator.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The password for one login: PGPASSWORD, else the first line that fits.
    pub fn find(&self, connection: &Connection, endpoint: &Endpoint) -> Option<&Secret> {
        self.from_environment.as_ref().or_else(|| {
            let port = endpoint.port.to_string();
            self.lines
                .iter()
                .find(|line| {
                    line.host.fits(endpoint.host.as_str())
                        && line.port.fits(&port)
                        && line.database.fits(&connection.database)
                        && line.user.fits(&connection.user)
                })
                .map(|line| &line.password)
        })
    }
}

impl Field {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Is(wanted) => wanted == text,
        }
    }
}

fn non_empty(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn read_file(file: &Path, warnings: &mut Vec<String>) -> Vec<Line> {
    let Ok(metadata) = std::fs::metadata(file) else { return Vec::new() };
    if !metadata.is_file() {
        warnings.push(format!("password file {} is not a plain file; it is not used", file.display()));
        return Vec::new();
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        warnings.push(format!(
            "password file {} has group or world access; it is not used (chmod 0600 it)",
            file.display()
        ));
        return Vec::new();
    }
    match std::fs::read_to_string(file) {
        Ok(text) => text.lines().filter_map(parse).collect(),
        Err(error) => {
            warnings.push(format!("password file {} cannot be read: {error}", file.display()));
            Vec::new()
        }
    }
}

/// `host:port:database:user:password`; a backslash takes the next character as it is.
fn parse(line: &str) -> Option<Line> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut wild = vec![false];
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        let more = wild.len() < 5;
        let (field, any) = (fields.last_mut()?, wild.last_mut()?);
        match c {
            ':' if more => {
                fields.push(String::new());
                wild.push(false);
            }
            '\\' => {
                *any = false;
                field.extend(letters.next());
            }
            c => {
                *any = c == '*' && field.is_empty();
                field.push(c);
            }
        }
    }
    let mut fields = fields.into_iter().zip(wild);
    let mut next = || fields.next().map(|(text, any)| if any { Field::Any } else { Field::Is(text) });
    let (host, port, database, user) = (next()?, next()?, next()?, next()?);
    let (password, _) = fields.next()?;
    Some(Line { host, port, database, user, password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Host, SslMode};

    fn connection(user: &str) -> Connection {
        Connection {
            user: user.to_owned(),
            database: "postgres".to_owned(),
            sslmode: SslMode::Disable,
            sslrootcert: None,
        }
    }

    fn at(host: &str) -> Endpoint {
        Endpoint { host: Host::new(host).unwrap(), port: 15432 }
    }

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn the_first_fitting_line_wins() {
        let file = file(
            "# comment\nbroken\nother:*:*:*:no\n10.0.0.1:15432:postgres:otb:a\\:b\\\\c\n*:*:*:otb:any:thing\n",
            0o600,
        );
        let passwords = Passwords::read(None, Some(file.path()));
        let find = |user, host| passwords.find(&connection(user), &at(host)).map(Secret::reveal);
        assert_eq!(find("otb", "10.0.0.1"), Some("a:b\\c"));
        assert_eq!(find("otb", "10.0.0.2"), Some("any:thing"));
        assert_eq!(find("else", "10.0.0.2"), None);
        assert_eq!(find("else", "other"), Some("no"));
    }

    #[test]
    fn the_environment_comes_first() {
        let file = file("*:*:*:*:file", 0o600);
        let passwords = Passwords::read(Some("env".to_owned()), Some(file.path()));
        assert_eq!(passwords.find(&connection("x"), &at("h")).map(Secret::reveal), Some("env"));
    }

    #[test]
    fn a_file_others_can_read_is_not_used() {
        for mode in [0o640, 0o604, 0o660] {
            let file = file("*:*:*:*:file", mode);
            let passwords = Passwords::read(None, Some(file.path()));
            assert!(passwords.find(&connection("x"), &at("h")).is_none(), "{mode:o}");
            assert!(passwords.warnings()[0].contains("group or world access"));
        }
    }

    #[test]
    fn no_file_is_no_warning() {
        assert!(Passwords::read(None, Some(Path::new("/nonexistent/pgpass"))).warnings().is_empty());
    }

    #[test]
    fn nothing_prints_a_password() {
        let file = file("*:*:*:*:sesame", 0o600);
        let text = format!("{:?}", Passwords::read(Some("sesame".to_owned()), Some(file.path())));
        assert!(!text.contains("sesame"), "{text}");
    }
}
