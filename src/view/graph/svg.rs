//! The drawing itself. Servers stand side by side, a node's copies in one row: its line needs no layout engine.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};

use super::state_words;
use crate::model::{NodeKind, NodeName};
use crate::view::escape::visible;
use crate::view::topology::{Machine, Seat, StateKind, Topology};

const BOX_WIDTH: usize = 148;
const BOX_HEIGHT: usize = 40;
const ROW: usize = 50;
/// Room around boxes within a server's frame, and between frames.
const PAD: usize = 10;
const GAP: usize = 18;
const HEAD: usize = 40;
const FRAME: usize = BOX_WIDTH + 2 * PAD;
/// From a box's edge to its text.
const INSET: usize = 8;
/// How wide a letter of a name, and of the small print, is at the most, unless it is a wide one.
const LETTER: usize = 9;
const SMALL: usize = 8;

/// Which of the two states is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::view) enum When {
    Now,
    Then,
    /// `master → standby` where it changes.
    Both,
}

/// A picture that stands alone, as `otb graph --as svg` writes it.
pub fn svg_graph(topology: &Topology) -> String {
    // About as wide as high, and never wider than a page.
    let columns = (1..=6).find(|n| n * n >= topology.machines.len()).unwrap_or(6).max(2);
    drawing(topology, When::Both, columns, Some(style())).into_string() + "\n"
}

/// Colours for light and dark, as variables that boxes use.
pub(in crate::view) fn style() -> &'static str {
    include_str!("svg.css")
}

/// One drawing; `style` goes into a picture that stands alone.
pub(in crate::view) fn drawing(topology: &Topology, when: When, columns: usize, style: Option<&str>) -> Markup {
    let columns = columns.min(topology.machines.len()).max(1);
    let shelves: Vec<Shelf<'_>> = topology.machines.chunks(columns).map(Shelf::new).collect();
    let width = columns * FRAME + (columns - 1) * GAP + 2;
    let height: usize = shelves.iter().map(|shelf| shelf.height() + GAP).sum::<usize>().saturating_sub(GAP) + 2;
    let tops = shelves.iter().scan(1, |top, shelf| {
        *top += shelf.height() + GAP;
        Some(*top - shelf.height() - GAP)
    });
    let tops: Vec<usize> = tops.collect();
    let title = match when {
        When::Now => "now",
        When::Then => "after",
        When::Both => "topology",
    };
    html! {
        svg xmlns="http://www.w3.org/2000/svg" class="otb" viewBox=(format!("0 0 {width} {height}")) role="img"
            aria-label=(format!("{}: {title}", visible(&topology.cluster))) width=(width) height=(height) {
            @if let Some(style) = style { style { (PreEscaped(style)) } rect class="page" width="100%" height="100%" {} }
            @for (shelf, top) in shelves.iter().zip(tops) { (shelf.draw(when, top)) }
        }
    }
}

/// Some servers side by side; each node has a row of its own across them.
struct Shelf<'a> {
    machines: &'a [Machine],
    rows: BTreeMap<(NodeKind, &'a NodeName), usize>,
}

impl<'a> Shelf<'a> {
    fn new(machines: &'a [Machine]) -> Self {
        let seats = machines.iter().flat_map(|machine| &machine.seats);
        let mut rows: BTreeMap<_, usize> = seats.map(|seat| ((seat.kind, &seat.id.node), 0)).collect();
        rows.values_mut().enumerate().for_each(|(n, row)| *row = n);
        Self { machines, rows }
    }

    fn height(&self) -> usize {
        HEAD + self.rows.len() * ROW + PAD
    }

    fn top_of(&self, seat: &Seat, top: usize) -> usize {
        top + HEAD + self.rows.get(&(seat.kind, &seat.id.node)).copied().unwrap_or_default() * ROW
    }

    fn draw(&self, when: When, top: usize) -> Markup {
        let left = |column: usize| 1 + column * (FRAME + GAP);
        html! {
            @for (column, machine) in self.machines.iter().enumerate() {
                rect class="server" x=(left(column)) y=(top) width=(FRAME) height=(self.height()) rx="8" {}
                text class="name" x=(left(column) + PAD) y=(top + 18) { (fitting(&machine.name, LETTER)) }
                text class="small" x=(left(column) + PAD) y=(top + 32) { (fitting(&machine.address, SMALL)) }
            }
            // Lines first: boxes lie over their ends.
            @for (column, pair) in self.machines.windows(2).enumerate() {
                @for seat in &pair[0].seats {
                    @if pair[1].seats.iter().any(|other| other.id.node == seat.id.node) {
                        @let y = self.top_of(seat, top) + BOX_HEIGHT / 2;
                        line class="copies" x1=(left(column) + PAD + BOX_WIDTH) x2=(left(column + 1) + PAD) y1=(y) y2=(y) {}
                    }
                }
            }
            @for (column, machine) in self.machines.iter().enumerate() {
                @for seat in &machine.seats { (instance(seat, when, left(column) + PAD, self.top_of(seat, top))) }
            }
        }
    }
}

fn instance(seat: &Seat, when: When, x: usize, y: usize) -> Markup {
    let state = if when == When::Now { &seat.now } else { &seat.then };
    let words = match when {
        When::Both if seat.changes() => state_words(seat),
        _ => format!("{} {} :{}", mark(state.kind), state.kind.word(), seat.port),
    };
    let changed = if seat.changes() { " changed" } else { "" };
    html! {
        g class=(format!("{}{changed}", state.kind.word())) {
            title { (visible(&format!("{} {}, {}, port {}", seat.kind, seat.id, state.words, seat.port))) }
            rect x=(x) y=(y) width=(BOX_WIDTH) height=(BOX_HEIGHT) rx="6" {}
            text class="name" x=(x + INSET) y=(y + 17) { (fitting(seat.id.node.as_str(), LETTER)) }
            text class="small" x=(x + INSET) y=(y + 32) { (words) }
        }
    }
}

/// As much of a name as fits in its box: the text cannot be measured here, so letters count as wide ones.
fn fitting(name: &str, letter: usize) -> String {
    let room = BOX_WIDTH - 2 * INSET;
    let mut used = 0;
    let name = visible(name);
    let fits = |c: &char| {
        used += match c {
            'm' | 'w' | 'M' | 'W' | '@' | '%' => letter + 5,
            c if c.is_ascii() => letter,
            _ => 2 * letter,
        };
        used <= room
    };
    let kept: String = name.chars().take_while(fits).collect();
    if kept == name { name } else { kept.chars().take(kept.chars().count().saturating_sub(1)).chain(['…']).collect() }
}

/// A state must be recognisable without its colour too.
fn mark(kind: StateKind) -> char {
    match kind {
        StateKind::Master => '●',
        StateKind::Standby => '○',
        StateKind::Stopped => '✕',
        StateKind::Unknown => '?',
    }
}
