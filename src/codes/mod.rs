//! Everything that otb can refuse, report or end with, by a stable code: what it means, why otb stops, what to do.
//!
//! A check has one word (`lag`), as waivers name it; a mistake in the file and an error have an area and a word
//! (`config.unknown-key`, `plan.stale`); how otb ends has a number. Codes are never reused or renamed. `otb explain`,
//! docs/reference/checks.md and docs/reference/errors.md say what stands here.

/// The two texts of each code of an enum, one line or two a code; one that is forgotten does not compile.
macro_rules! texts {
    ($Code:ident, $doc:literal, $($code:ident: $what:literal, $next:literal;)*) => {
        #[doc = $doc]
        pub(super) fn text(code: $Code) -> (&'static str, &'static str) {
            match code { $($Code::$code => ($what, $next),)* }
        }
    };
}

mod check;
mod error;
mod exit;
mod file;
mod finding;
mod zh;

use schemars::JsonSchema;
use serde::Serialize;

pub use error::ErrorCode;
pub use exit::Exit;

use crate::config;
use crate::model::FindingKind;
use crate::plan::CheckCode;

/// The format's version, by Terraform's rules: a minor one adds, a major one breaks.
pub const FORMAT_VERSION: &str = "1.1";

/// `otb explain --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanations {
    /// A minor version adds keys, a major one breaks.
    pub format_version: String,
    /// Those that were asked for, in that order; all, if none was.
    pub codes: Vec<Explanation>,
}

impl From<Vec<Explanation>> for Explanations {
    fn from(codes: Vec<Explanation>) -> Self {
        Self { format_version: FORMAT_VERSION.to_owned(), codes }
    }
}

/// The kind of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CodeKind")]
pub enum Kind {
    /// A check of a plan.
    Check,
    /// What `otb status` and `otb plan` report as wrong.
    Finding,
    /// A mistake in cluster.yaml.
    File,
    /// An error that ends a command.
    Error,
    /// An exit code.
    Exit,
}

/// The code of whatever ends a command early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    File(config::Code),
    Error(ErrorCode),
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File(code) => code.as_str(),
            Self::Error(code) => code.as_str(),
        }
    }

    pub fn exit(self) -> Exit {
        match self {
            Self::File(_) => Exit::Config,
            Self::Error(code) => code.exit(),
        }
    }
}

/// The text of `otb explain CODE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanation {
    /// Stable: never reused or renamed. For an exit, its number.
    pub code: String,
    pub kind: Kind,
    /// For a check, what must be true. For any other code, what happened.
    pub title: String,
    /// Why otb stops there; empty of an exit.
    pub why: String,
    /// What to do.
    pub next: String,
    /// The exit code of a run that ends with it. `None` means that it ends no run.
    pub exit: Option<u8>,
    /// Whether `--waive CODE:SUBJECT` lifts it.
    pub waivable: bool,
    /// The page that has it, from the root of the repository.
    pub page: String,
}

/// A language of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

impl Language {
    /// Returns the language of a locale such as `zh_CN.UTF-8`, as LANG has it.
    pub fn of_locale(locale: &str) -> Self {
        if locale.starts_with("zh") { Self::Chinese } else { Self::English }
    }
}

impl Explanation {
    /// Returns the explanation in `language`, or in English if there is no translation.
    #[must_use]
    pub fn in_language(self, language: Language) -> Self {
        match language {
            Language::English => self,
            Language::Chinese => zh::translated(&self).unwrap_or(self),
        }
    }

    pub fn of_check(code: CheckCode) -> Self {
        let (why, next) = check::text(code);
        Self {
            code: code.word().to_owned(),
            kind: Kind::Check,
            title: code.about().to_owned(),
            why: why.to_owned(),
            next: next.to_owned(),
            exit: Some(Exit::Refused.code()),
            waivable: code.is_waivable(),
            page: format!("docs/reference/checks.md#{}", code.word()),
        }
    }

    /// The code has an area of its own, because some kinds are called as the check of the same matter.
    pub fn of_finding(kind: FindingKind) -> Self {
        let (why, next) = finding::text(kind);
        Self {
            code: format!("{FINDINGS}{}", kind.word()),
            kind: Kind::Finding,
            title: kind.about().to_owned(),
            why: why.to_owned(),
            next: next.to_owned(),
            exit: None,
            waivable: false,
            page: format!("docs/reference/findings.md#finding{}", kind.word()),
        }
    }

    pub fn of_file(code: config::Code) -> Self {
        let (title, next) = file::text(code);
        Self::error(code.as_str(), Kind::File, (title, file::WHY, next), Exit::Config)
    }

    pub fn of_error(code: ErrorCode) -> Self {
        Self::error(code.as_str(), Kind::Error, (code.title(), code.why(), code.next()), code.exit())
    }

    pub fn of_exit(exit: Exit) -> Self {
        Self {
            page: "docs/reference/exit-codes.md".to_owned(),
            ..Self::error(&exit.code().to_string(), Kind::Exit, (exit.meaning(), "", exit.next()), exit)
        }
    }

    fn error(code: &str, kind: Kind, (title, why, next): (&str, &str, &str), exit: Exit) -> Self {
        // A heading's anchor has no dots.
        let anchor = code.replace('.', "");
        Self {
            code: code.to_owned(),
            kind,
            title: title.to_owned(),
            why: why.to_owned(),
            next: next.to_owned(),
            exit: Some(exit.code()),
            waivable: false,
            page: format!("docs/reference/errors.md#{anchor}"),
        }
    }
}

/// In front of a finding's word.
const FINDINGS: &str = "finding.";

/// Everything that has a code, in the order of the reference.
pub fn all() -> Vec<Explanation> {
    let checks = CheckCode::ALL.iter().copied().map(Explanation::of_check);
    let file = config::Code::ALL.into_iter().map(Explanation::of_file);
    let errors = ErrorCode::ALL.iter().copied().map(Explanation::of_error);
    let exits = Exit::ALL.into_iter().map(Explanation::of_exit);
    let findings = FindingKind::ALL.iter().copied().map(Explanation::of_finding);
    checks.chain(findings).chain(file).chain(errors).chain(exits).collect()
}

/// The least similarity of a suggestion (1 is the same word).
const NEAR: f64 = 0.85;

/// What `text` names: a code, a check with its subject as plans print it (`lag:dn01`), or an exit code. None: the
/// code that is nearest to it; empty, where none is near.
pub fn find(text: &str) -> Result<Explanation, String> {
    let word = text.split(':').next().unwrap_or_default().trim().to_lowercase();
    let all = all();
    let is_it = |entry: &&Explanation| entry.code == word || entry.code.strip_prefix(FINDINGS) == Some(&word);
    // A check comes before the finding of the same word.
    if let Some(found) = all.iter().find(is_it) {
        return Ok(found.clone());
    }
    let near = |entry: &Explanation| {
        // A hand that leaves the area out means the word.
        let last = entry.code.rsplit('.').next().unwrap_or_default();
        strsim::jaro_winkler(&entry.code, &word).max(strsim::jaro_winkler(last, &word))
    };
    let nearest = all.iter().filter(|entry| near(entry) > NEAR).max_by(|a, b| near(a).total_cmp(&near(b)));
    Err(nearest.map_or_else(String::new, |entry| entry.code.clone()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_there_once_and_says_all_three() {
        let mut seen = BTreeSet::new();
        for entry in all() {
            assert!(seen.insert(entry.code.clone()), "{} is there twice", entry.code);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
            assert!(entry.code.chars().all(plain), "{}", entry.code);
            if entry.kind == Kind::Exit {
                continue;
            }
            assert_eq!(entry.code.contains('.'), entry.kind != Kind::Check, "{}", entry.code);
            for text in [&entry.title, &entry.why, &entry.next] {
                assert!(text.ends_with('.') && !text.contains("  "), "{}: {text:?}", entry.code);
            }
        }
        assert!(seen.len() > 120, "{}", seen.len());
    }

    #[test]
    fn codes_are_found_as_people_meet_them() {
        for (text, code) in [("lag", "lag"), ("lag:dn01", "lag"), ("Plan.Stale", "plan.stale"), ("9", "9")] {
            assert_eq!(find(text).unwrap().code, code);
        }
    }

    #[test]
    fn what_is_far_from_all_leads_nowhere() {
        assert_eq!(["nonsense", "", "数据"].map(|text| find(text).unwrap_err()), ["", "", ""]);
    }

    #[test]
    fn typing_mistakes_lead_to_the_nearest() {
        for (text, code) in [
            ("lagg", "lag"),
            ("plan-stale", "plan.stale"),
            ("stale", "plan.stale"),
            ("config.unkown-key", "config.unknown-key"),
            ("unknown_key", "config.unknown-key"),
            ("splitbrain", "split-brain"),
        ] {
            assert_eq!(find(text).unwrap_err(), code, "{text}");
        }
    }
}
