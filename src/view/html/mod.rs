//! One self-contained page for people who approve by looking: no network, no script, light and dark.

mod findings;
mod plan;
mod status;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use findings::findings;
pub use plan::plan_html;
pub use status::status_html;

use super::graph;
use super::topology::Topology;
use super::words::count;

/// The most nodes of a drawing; of a larger cluster those that change are drawn.
const DRAWN: usize = 60;
/// Servers side by side: two fit a phone.
const COLUMNS: usize = 2;

fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Whatever a name might smuggle in, the page loads nothing and runs nothing.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(graph::style())) (PreEscaped(include_str!("page.css"))) }
            }
            body { (body) }
        }
    };
    page.into_string() + "\n"
}

fn figure(caption: &str, topology: &Topology, when: graph::When) -> Markup {
    html! {
        figure {
            figcaption { (caption) }
            (graph::drawing(topology, when, COLUMNS, None))
        }
    }
}

fn legend(topology: &Topology) -> Markup {
    html! {
        ul class="legend quiet" {
            li { "● master" } li { "○ standby" } li { "✕ stopped" } li { "? unknown" }
            li { "thick border: changes" } li { "line: instances of one node" }
        }
        @if topology.left_out > 0 { p class="quiet" { "Not drawn: " (count(topology.left_out, "node")) "." } }
    }
}

/// A table whose cells know their heads: on a phone each row becomes a block of lines.
fn table(heads: &[&str], rows: Vec<Vec<Markup>>) -> Markup {
    html! {
        div class="table" {
            table {
                thead { tr { @for head in heads { th { (head) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (head, cell) in heads.iter().zip(row) { td data-head=(head) { (cell) } } }
                    }
                }
            }
        }
    }
}
