//! A run of apply under way: where it is shown and written down.

use super::apply::ApplyArgs;
use super::args::Global;
use super::events::Events;
use super::journal::Journal;
use super::{Exit, history, outcome, terminal};
use crate::apply::{Event, Interrupts, Lock, Report, Run};
use crate::model::Observation;
use crate::plan::Plan;
use crate::transport::Connections;
use crate::view;

/// The environment of an apply.
pub(super) struct ApplyContext<'a> {
    pub global: &'a Global,
    pub args: &'a ApplyArgs,
    pub connections: &'a Connections,
    pub events: &'a Events,
}

/// A run under way: where it is shown and written down.
pub(super) struct ApplyRun<'a> {
    pub context: &'a ApplyContext<'a>,
    pub journal: Option<Journal>,
    pub interrupts: Interrupts,
}

impl ApplyRun<'_> {
    pub(super) fn is_interrupted(&self) -> bool {
        *self.interrupts.borrow() > 0
    }

    fn tell(&self, event: &Event) {
        if let Some(journal) = &self.journal {
            journal.event(event);
        }
        self.context.events.tell(event);
    }

    /// Runs one plan, made from `seen`, and shows its progress; the `first` plan of a run reports the lock.
    pub(super) async fn act(&self, plan: &Plan, seen: &Observation, first: bool, lock: &mut Lock) -> Report {
        if let Some(journal) = &self.journal {
            journal.plan(plan);
        }
        let progress = view::ProgressView::new(plan, terminal::motion());
        let tell = |event: &Event| {
            if self.is_interrupted() {
                progress.interrupted();
            }
            progress.event(event);
            self.tell(event);
        };
        if first {
            tell(&Event::Locked { servers: lock.servers() });
        }
        let run = Run::new(plan, self.context.connections, lock, self.interrupts.clone(), &tell);
        let report = run.knowing(seen).run().await;
        progress.finish();
        report
    }

    pub(super) fn end(&self, first: Option<&(Plan, Report)>, plan: &Plan, report: &Report, left: &Plan) -> Exit {
        let exit = outcome::finish(
            first,
            plan,
            report,
            left,
            (self.is_interrupted(), self.context.global, self.context.events),
        );
        if let Some(journal) = &self.journal {
            journal.end(report.end, exit);
            if self.context.args.tells_journal() {
                history::say_recorded(self.context.global, &plan.cluster.name, journal.path());
            }
        }
        exit
    }
}
