//! The progress of apply: bars on a terminal, one line per event elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use super::{style, words};
use crate::apply::{Event, Outcome};
use crate::plan::{Plan, StepId};

/// What the terminal on standard error can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// It is none, or it cannot go back: lines only.
    None,
    /// Bars of ASCII letters.
    Ascii,
    Unicode,
}

impl Motion {
    fn style(self, text: &str) -> ProgressStyle {
        let style = ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner());
        if self == Self::Ascii { style.progress_chars("#>-").tick_chars("|/-\\ ") } else { style }
    }
}

/// Shows that otb observes, as long as this value lives.
pub struct Looking {
    _bar: Option<ProgressBar>,
}

impl Looking {
    pub fn at(instances: usize, motion: Motion) -> Self {
        let bar = (motion != Motion::None).then(|| {
            let bar = ProgressBar::new_spinner().with_style(motion.style("  {spinner} {msg}, {elapsed}"));
            bar.set_message(format!("observing {}", words::count(instances, "instance")));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { _bar: bar }
    }
}

/// Shows events on standard error.
pub struct ProgressView {
    bars: Option<Bars>,
}

struct Bars {
    motion: Motion,
    all: MultiProgress,
    total: ProgressBar,
    running: Mutex<BTreeMap<StepId, ProgressBar>>,
}

impl ProgressView {
    pub fn new(plan: &Plan, motion: Motion) -> Self {
        let bars = (motion != Motion::None).then(|| Bars::new(plan.steps.len(), motion));
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

    /// Shows that the operator asked to stop; events report what happens to each node.
    pub fn interrupted(&self) {
        if let Some(bars) = &self.bars {
            bars.total.set_message(", interrupted");
            bars.total.force_draw();
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
    fn new(steps: usize, motion: Motion) -> Self {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(steps as u64));
        total.set_style(motion.style("  {bar:24} {pos}/{len} steps{msg}, {elapsed}"));
        total.enable_steady_tick(Duration::from_millis(100));
        Self { motion, all, total, running: Mutex::default() }
    }

    fn event(&self, event: &Event) {
        let mut running = self.running.lock();
        match event {
            Event::StepStarted { step } => {
                running.insert(step.clone(), self.spinner(step.to_string()));
            }
            Event::StepEnded { step, outcome, .. } => {
                if let Some(bar) = running.remove(step) {
                    bar.finish_and_clear();
                }
                if outcome.is_done() {
                    self.total.inc(1);
                    // All bars share one limit of drawings a second: left to its own ticks this one may never get its turn.
                    self.total.force_draw();
                }
                self.print(event);
            }
            Event::Undoing { step } => {
                self.total.set_style(self.motion.style("  rolling back, {elapsed}"));
                self.total.force_draw();
                running.insert(step.clone(), self.spinner(format!("undoing {step}")));
            }
            Event::Undone(undone) => {
                if let Some(bar) = running.remove(&undone.step) {
                    bar.finish_and_clear();
                }
                self.print(event);
            }
            _ => self.print(event),
        }
    }

    /// The line that moves above the bar during the work.
    fn spinner(&self, what: String) -> ProgressBar {
        let bar = self.all.insert_before(&self.total, ProgressBar::new_spinner());
        bar.set_style(self.motion.style("  {spinner} {msg}, {elapsed}"));
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// Prints what stays, above what moves.
    fn print(&self, event: &Event) {
        if let Some(line) = event_line(event) {
            self.all.suspend(|| write_line(&line));
        }
    }
}

/// One event as a line; none where a line would only be noise.
pub fn event_line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Locked { servers } => format!("  lock held on {}", words::count(*servers, "server")),
        Event::Planned { .. }
        | Event::Started { .. }
        | Event::StepStarted { .. }
        // The report lists these once for each reason, so that they do not hide the failure that caused them.
        | Event::StepEnded { outcome: Outcome::Skipped { .. }, .. }
        // The report shows it beside the expected value.
        | Event::Gap { .. }
        | Event::Hold(_)
        | Event::Finished { .. } => return None,
        Event::StepEnded { step, outcome, milliseconds } => ended(step, outcome, Duration::from_millis(*milliseconds)),
        Event::Undone(undone) => words::undone(undone),
        Event::Undoing { step } => format!("  undoing  {step}"),
        Event::Note { text } => format!("  {text}"),
    })
}

/// A step's end as a line.
pub(super) fn ended(step: &StepId, outcome: &Outcome, took: Duration) -> String {
    match outcome {
        Outcome::Done => format!("  {} {step:<28} {}", style::good("done    "), words::duration(took)),
        Outcome::NotBegun { why } => format!("  {} {step}: not started: {why}", style::bad("not done")),
        Outcome::NotDone { why } => format!("  {} {step}: {why}", style::bad("not done")),
        Outcome::Unknown { why } => format!("  {} {step}: {why}", style::bad("unknown ")),
        Outcome::Skipped { why } => format!("  skipped {step}: {why}"),
    }
}
