//! Loops and conditions.

use std::collections::BTreeMap;

use super::super::bash::{Command, Word};
use super::{Variables, effects};

impl Variables {
    pub(super) fn chain(&mut self, first: &Command, rest: &[(bool, Command)]) -> Option<bool> {
        let mut status = self.command(first);
        for (after_success, command) in rest {
            match status {
                Some(status) if status != *after_success => {}
                Some(_) => status = self.command(command),
                None => drop(self.may_run(command)),
            }
        }
        status
    }

    pub(super) fn each(&mut self, command: &Command, name: &str, words: &[Word], body: &[Command]) -> Option<bool> {
        let known = self
            .all_fields(words)
            .ok()
            .filter(|fields| fields.iter().all(Result::is_ok) && !effects::leaves_early(body));
        let Some(fields) = known else { return self.may_run(command) };
        for field in fields {
            self.set_elements(name, Ok(BTreeMap::from([(0, field)])));
            self.run(body);
            if self.ended {
                break;
            }
        }
        Some(true)
    }

    pub(super) fn count(
        &mut self,
        command: &Command,
        [start, condition, step]: [&Word; 3],
        body: &[Command],
    ) -> Option<bool> {
        if effects::leaves_early(body) || self.arithmetic(start).is_err() {
            return self.may_run(command);
        }
        loop {
            match self.arithmetic(condition) {
                Ok(0) => return Some(true),
                // Without a condition it would never end.
                Ok(_) if !condition.is_empty() => {}
                _ => return self.may_run(command),
            }
            self.run(body);
            if self.ended {
                return None;
            }
            if self.arithmetic(step).is_err() {
                return self.may_run(command);
            }
            self.commands += 1;
        }
    }

    pub(super) fn while_so(
        &mut self,
        command: &Command,
        until: bool,
        condition: &[Command],
        body: &[Command],
    ) -> Option<bool> {
        while !self.ended {
            match self.run(condition) {
                Some(status) if status == until => return Some(true),
                Some(_) if !effects::leaves_early(body) => drop(self.run(body)),
                _ => return self.may_run(command),
            }
        }
        None
    }

    pub(super) fn branches(
        &mut self,
        command: &Command,
        branches: &[(Vec<Command>, Vec<Command>)],
        otherwise: &[Command],
    ) -> Option<bool> {
        for (condition, body) in branches {
            match self.run(condition) {
                Some(true) => return self.run(body),
                Some(false) => {}
                None => return self.may_run(command),
            }
        }
        self.run(otherwise)
    }
}
