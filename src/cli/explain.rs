//! `otb explain`: what a code means, why otb stops there, what to do.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::args::{Format, Global};
use super::complete;
use super::failure::Failure;
use super::{Exit, json, terminal};
use crate::codes::{self, ErrorCode, Explanation, Explanations, Language};
use crate::view;

/// Explain the code of a check, a mistake, an error or an exit: what it means, why otb stops, and what to do
///
/// Codes appear in `error[CODE]`, before a check's subject (lag:dn01), and as `code` in JSON output. Without a code, otb
/// lists all codes.
#[derive(Debug, Args)]
#[command(after_help = "Example: otb explain data-loss\nExample: otb explain plan.stale")]
pub(super) struct ExplainArgs {
    /// For example data-loss, lag:dn01, plan.stale, config.unknown-key or 7
    #[arg(value_name = "CODE", add = ArgValueCandidates::new(complete::codes))]
    codes: Vec<String>,
}

pub(super) fn run(global: &Global, args: &ExplainArgs) -> Result<Exit, Failure> {
    let all = args.codes.is_empty();
    let found: Vec<Explanation> =
        if all { codes::all() } else { args.codes.iter().map(|text| find(text)).collect::<Result<_, _>>()? };
    let language = language();
    let translated = |found: Vec<Explanation>| -> Vec<Explanation> {
        found.into_iter().map(|entry| entry.in_language(language)).collect()
    };
    match global.format {
        // JSON does not depend on the locale.
        Format::Json => terminal::result(&json::pretty(&Explanations::from(found))?),
        _ if all => terminal::prose(&view::listed_text(&translated(found))),
        _ => {
            let texts = translated(found).iter().map(|entry| view::explained_text(entry, language)).collect::<Vec<_>>();
            terminal::page(&texts.join("\n"));
        }
    }
    Ok(Exit::Done)
}

/// The language of the locale, by the variables that decide it for messages.
fn language() -> Language {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
    locale.map_or(Language::English, |locale| Language::of_locale(&locale))
}

fn find(text: &str) -> Result<Explanation, Failure> {
    codes::find(text).map_err(|nearest| {
        let text = format!("there is no code {}", crate::opentenbase::sanitize_for_display(text));
        let meant = if nearest.is_empty() { String::new() } else { format!("did you mean otb explain {nearest}? ") };
        Failure::new(ErrorCode::UsageUnknownCode, text).hint(meant + "`otb explain` lists all")
    })
}
