//! Findings on a page: each with what it means and its commands.

use maud::{Markup, html};

use crate::model::{Finding, NextCommand};
use crate::view::escape::visible;

/// The most findings of a page.
const SHOWN: usize = 50;

pub(super) fn findings(found: &[Finding]) -> Markup {
    html! {
        @if !found.is_empty() {
            h2 { "What is wrong" }
            @for finding in found.iter().take(SHOWN) {
                div class="finding" {
                    p {
                        span class=(if finding.severity.is_problem() { "tag refuses" } else { "tag" }) { (finding.severity) }
                        " " strong { (visible(&finding.what)) }
                    }
                    p { (visible(&finding.means)) }
                    @for NextCommand { command, when } in &finding.next {
                        @if let Some(when) = when { p class="quiet" { (visible(when)) ":" } }
                        pre { (visible(command)) }
                    }
                }
            }
            @if found.len() > SHOWN { p class="quiet" { "And " (found.len() - SHOWN) " more." } }
        }
    }
}
