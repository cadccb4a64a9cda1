//! Obeys a plan: re-checks a step's precondition, acts, verifies the postcondition, records, and proceeds,
//! waits or stops. It never chooses.

mod act;
mod cluster_access;
mod condition;
mod event;
mod executor;
mod held;
mod ledger;
mod lock;
mod process_probes;
mod proof;
mod report;
mod takeback;

pub use act::{Failed, judge, left_of, not_begun};
pub use condition::Found;
pub use event::{EVENTS_VERSION, Event, EventLine, Outcome};
pub use executor::{Interrupts, Run};
pub use held::HoldReport;
pub use ledger::{Ledger, Undoing};
pub use lock::{Lock, LockError};
pub use report::{End, Report, StepReport, Undone};
pub use takeback::can_be_taken_back;
