//! The topology as a drawing: text that others draw (Mermaid, DOT), or the picture itself (SVG).

mod dot;
mod mermaid;
mod svg;

pub use dot::dot_graph;
pub use mermaid::mermaid_graph;
pub use svg::svg_graph;
pub(super) use svg::{When, drawing, style};

use super::topology::{Seat, StateKind};

/// `master`, or `master → standby` where that changes.
fn state_words(seat: &Seat) -> String {
    if seat.changes() {
        format!("{} → {}", seat.now.kind.word(), seat.then.kind.word())
    } else {
        seat.now.words.clone()
    }
}

/// Fill and text of a state, where a drawing cannot ask whether it is dark around it.
fn colours(kind: StateKind) -> (&'static str, &'static str) {
    match kind {
        StateKind::Master => ("#1a7f37", "#ffffff"),
        StateKind::Standby => ("#ddf4ff", "#0a3069"),
        StateKind::Stopped => ("#ffebe9", "#82071e"),
        StateKind::Unknown => ("#fff8c5", "#4d2d00"),
    }
}
