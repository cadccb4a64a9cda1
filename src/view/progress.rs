//! What apply is doing right now: bars on a terminal, one line per transition elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{style, words};
use crate::apply::{Event, Outcome};
use crate::plan::{Plan, StepId};

/// Shows events on standard error.
pub struct ProgressView {
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    running: Mutex<BTreeMap<StepId, ProgressBar>>,
}

impl ProgressView {
    pub fn new(plan: &Plan) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| Bars::new(plan.steps.len()));
        Self { bars }
    }

    /// Shows one event.
    pub fn event(&self, event: &Event) {
        match &self.bars {
            Some(bars) => bars.event(event),
            None => {
                if let Some(line) = event_line(event) {
                    write_line(&line);
                }
            }
        }
    }

    /// Clears what moves.
    pub fn finish(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.all.clear();
        }
    }
}

fn write_line(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

impl Bars {
    fn new(steps: usize) -> Self {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(steps as u64));
        total.set_style(template("  {bar:24} {pos}/{len} steps, {elapsed}"));
        total.enable_steady_tick(Duration::from_millis(100));
        Self { all, total, running: Mutex::default() }
    }

    fn event(&self, event: &Event) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::StepStarted { step } => {
                let bar = self.all.insert_before(&self.total, ProgressBar::new_spinner());
                bar.set_style(template("  {spinner} {msg}, {elapsed}"));
                bar.set_message(step.to_string());
                bar.enable_steady_tick(Duration::from_millis(100));
                running.insert(step.clone(), bar);
            }
            Event::StepEnded { step, .. } => {
                if let Some(bar) = running.remove(step) {
                    bar.finish_and_clear();
                }
                self.total.inc(1);
                self.print(event);
            }
            _ => self.print(event),
        }
    }

    fn print(&self, event: &Event) {
        if let Some(line) = event_line(event) {
            self.all.suspend(|| write_line(&line));
        }
    }
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// One event as a line; none where a line would only be noise.
pub fn event_line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Locked { servers } => style::dim(format!("lock held on {}", words::count(*servers, "server"))),
        Event::Planned { .. }
        | Event::Started { .. }
        | Event::StepStarted { .. }
        | Event::Undoing { .. }
        | Event::Finished { .. } => return None,
        Event::StepEnded { step, outcome, milliseconds } => ended(step, outcome, Duration::from_millis(*milliseconds)),
        Event::Undone(undone) => words::undone(undone),
        Event::Note { text } => format!("  {text}"),
        Event::Gap { node, milliseconds } => format!("  {node} serves again after {milliseconds} ms"),
    })
}

fn ended(step: &StepId, outcome: &Outcome, took: Duration) -> String {
    match outcome {
        Outcome::Done => format!("  {} {step:<28} {}", style::good("done    "), style::dim(words::duration(took))),
        Outcome::NotDone { why } => format!("  {} {step}: {why}", style::bad("not done")),
        Outcome::Unknown { why } => format!("  {} {step}: {why}", style::bad("unknown ")),
        Outcome::Skipped { why } => format!("  {} {step}: {why}", style::dim("left out")),
    }
}
