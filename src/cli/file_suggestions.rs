//! Finds cluster.yaml in a parent directory, or suggests what to type if it does not exist.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;

use super::args::Global;
use super::failure::Failure;
use super::terminal;
use crate::config::{Code, Diagnostics};
use crate::opentenbase::{quote, sanitize_for_display};

/// What chose the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// The command line, or its default.
    #[default]
    CommandLine,
    /// OTB_FILE.
    Environment,
    /// Nothing: the working directory has no cluster.yaml, a directory above has one.
    DirectoryAbove,
}

/// Sets the file of `global`, whose value came from `source`: without -f and OTB_FILE, cluster.yaml is searched upwards,
/// as git does it.
pub(super) fn find(global: &mut Global, source: Option<ValueSource>) {
    match source {
        Some(ValueSource::EnvVariable) => global.named_by = NamedBy::Environment,
        Some(ValueSource::DefaultValue) if !global.file.exists() => {
            if let Some(file) = above(&global.file) {
                (global.file, global.named_by) = (file, NamedBy::DirectoryAbove);
            }
        }
        _ => {}
    }
}

/// Returns the file that the words of a command line mean, which clap has not read: a completion's.
pub(super) fn meant(typed: &[String]) -> PathBuf {
    let words = file_words(typed);
    let named = match words.as_slice() {
        [_, file] => Some(file.clone()),
        [word] => word.split_once('=').map(|(_, file)| file.to_owned()),
        _ => std::env::var("OTB_FILE").ok(),
    };
    let default = || {
        let file = PathBuf::from("cluster.yaml");
        if file.exists() { file } else { above(&file).unwrap_or(file) }
    };
    named.map_or_else(default, PathBuf::from)
}

/// Says which file is used where it was not named.
pub(super) fn say_used(global: &Global) {
    if global.named_by == NamedBy::DirectoryAbove {
        terminal::say(&format!("using {}; this directory has no cluster.yaml", global.file.display()));
    }
}

/// The maximum number of directory entries to read for a hint.
const MOST_ENTRIES: usize = 500;

/// How far above the working directory a project's root may be.
const MOST_PARENTS: usize = 8;

/// The failure of a file that could not be read; where it is simply not there, with what is.
pub(super) fn failure(global: &Global, diagnostics: Diagnostics) -> Failure {
    let file = global.file.as_path();
    let missing = diagnostics.list.iter().any(|one| one.code == Code::NotFound);
    let failure = Failure::from(diagnostics);
    if !missing && !file.is_dir() {
        return failure;
    }
    let looked = std::env::current_dir().map_or_else(|_| ".".to_owned(), |dir| dir.display().to_string());
    let named = match global.named_by {
        NamedBy::Environment if file.is_relative() => {
            format!("OTB_FILE is {}, a path relative to {looked}; ", sanitize_for_display(&file.display().to_string()))
        }
        NamedBy::Environment => format!("OTB_FILE is {}; ", sanitize_for_display(&file.display().to_string())),
        NamedBy::CommandLine | NamedBy::DirectoryAbove => String::new(),
    };
    if let Some(found) = found(file) {
        return failure.hint(format!("{named}did you mean {}?", command_with(&found)));
    }
    failure.hint(format!(
        "{named}no cluster.yaml exists in {looked}, above it, or in its subdirectories: name it with -f FILE, \
            create one with `otb import --coordinator HOST:PORT -o cluster.yaml`, or try `otb demo`"
    ))
}

/// Inside what was named, nearly of that name beside it, above the working directory, or one level below it.
fn found(file: &Path) -> Option<PathBuf> {
    let name = Path::new("cluster.yaml");
    if file.is_dir() {
        return Some(file.join(name)).filter(|path| path.is_file());
    }
    let beside = misspelt(file);
    let below = || {
        let mut dirs: Vec<PathBuf> = entries(Path::new(".")).into_iter().filter(|path| path.is_dir()).collect();
        dirs.sort();
        dirs.into_iter().map(|dir| dir.join(name)).find(|path| path.is_file())
    };
    let here = || Some(name.to_owned()).filter(|path| path.is_file());
    // A relative path was right where it was written.
    let from_above = || above(file).filter(|_| file.is_relative());
    beside.or_else(from_above).or_else(here).or_else(|| above(name)).or_else(below)
}

/// The nearest directory above that has `path`, with it.
fn above(path: &Path) -> Option<PathBuf> {
    (1..=MOST_PARENTS).map(|up| Path::new(&"../".repeat(up)).join(path)).find(|path| path.is_file())
}

fn misspelt(file: &Path) -> Option<PathBuf> {
    let wanted = file.file_name()?.to_str()?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let near = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        strsim::osa_distance(name, wanted)
    };
    let yaml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let near_enough = |path: &PathBuf| near(path) <= 3 && path.is_file();
    entries(dir).into_iter().filter(yaml).filter(near_enough).min_by_key(near)
}

/// What is in a directory, as one types it from here.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(dir).into_iter().flatten().take(MOST_ENTRIES).flatten();
    read.map(|entry| if dir == Path::new(".") { entry.file_name().into() } else { entry.path() }).collect()
}

/// `otb`, with the file where it was named on the command line: what is typed next needs it again.
pub(super) fn otb(file: &Path) -> String {
    let named = std::env::args_os().any(|word| word.to_str().is_some_and(names_file));
    if named { format!("otb -f {}", sanitize_for_display(&file.display().to_string())) } else { "otb".to_owned() }
}

/// `-f`, `-fFILE`, `--file` or `--file=FILE`.
fn names_file(word: &str) -> bool {
    word == "--file" || word.starts_with("--file=") || word.starts_with("-f")
}

/// The command as it was typed, with another file.
fn command_with(file: &Path) -> String {
    let mut words = typed().into_iter();
    let mut rest = vec!["-f".to_owned(), file.display().to_string()];
    while let Some(word) = words.next() {
        if word == "-f" || word == "--file" {
            words.next();
        } else if !names_file(&word) {
            rest.push(word);
        }
    }
    line(&rest)
}

/// The words that were typed behind `otb`.
pub(super) fn typed() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Those of `typed` that name the file: what is typed next needs them again.
pub(super) fn file_words(typed: &[String]) -> Vec<String> {
    let at = typed.iter().position(|word| names_file(word));
    let length = |at: usize| if matches!(typed[at].as_str(), "-f" | "--file") { 2 } else { 1 };
    at.map_or_else(Vec::new, |at| typed[at..].iter().take(length(at)).cloned().collect())
}

/// A command line of otb, ready to paste into a shell.
pub(super) fn line(words: &[String]) -> String {
    let word = |word: &String| match word.split_once('=').filter(|_| word.starts_with("--")) {
        Some((option, value)) => format!("{option}={}", quote(value)),
        None => quote(word),
    };
    words.iter().fold("otb".to_owned(), |line, one| line + " " + &sanitize_for_display(&word(one)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_is_what_a_shell_reads_as_these_words() {
        let words = ["plan", "--reason", "it's over", "--target=dn01", "--log-file=a b"].map(str::to_owned);
        assert_eq!(super::line(&words), r"otb plan --reason 'it'\''s over' --target=dn01 --log-file='a b'");
    }
}
