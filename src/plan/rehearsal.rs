//! How the plan's rehearsal ended: part of the plan's document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::step::StepId;
use crate::model::{InstanceId, NodeName};

/// The plan was run on a simulated cluster, once without a fault and then with each fault at each moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// How it ends when nothing goes wrong.
    pub without_fault: RehearsedEnd,
    /// At how many moments faults were tried: before each step and twice inside it.
    pub moments: u64,
    /// How many runs with a fault there were.
    pub tried: u64,
    /// How these ended.
    pub outcomes: Outcomes,
    /// The number of runs that another `otb apply` finished only after the fault had ended.
    pub after_the_fault: u64,
    /// The longest time for which clients reach no master of a node that they would reach without otb.
    pub longest_without_master: Option<WithoutMaster>,
    /// The worst run of each kind of end, the worst end first.
    pub worst: Vec<Story>,
    /// Facts that were not seen, and the values that they took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<AssumedFact>,
    /// Nodes that stand for others that are alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Alike>,
    /// Present where pairs of faults were tried.
    #[serde(default)]
    pub pairs: Option<Pairs>,
}

/// How a run ends, and what follows. The last is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RehearsedEnd {
    /// The first `otb apply` does all of it.
    AsPlanned,
    /// A further `otb apply` does the rest.
    Finished,
    /// Nothing has moved, and every node serves that would serve without otb.
    RolledBack,
    /// `otb apply` does not get further, also after the fault is over.
    NeedsPerson,
    /// Two masters take writes, or a commit that was acknowledged is gone.
    LosesData,
}

impl RehearsedEnd {
    /// Every end, the best first.
    pub const ALL: [Self; 5] = [Self::AsPlanned, Self::Finished, Self::RolledBack, Self::NeedsPerson, Self::LosesData];

    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::AsPlanned => "as planned",
            Self::Finished => "finished by another otb apply",
            Self::RolledBack => "rolled back",
            Self::NeedsPerson => "needs a person",
            Self::LosesData => "loses data",
        }
    }

    /// Whether a reviewer should stop here.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::NeedsPerson | Self::LosesData)
    }
}

/// How many runs ended in each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    /// The first `otb apply` did all of it.
    pub as_planned: u64,
    /// A further `otb apply` did the rest.
    pub finished: u64,
    /// Nothing had moved.
    pub rolled_back: u64,
    /// `otb apply` did not get further.
    pub needs_person: u64,
    /// Two masters took writes, or a commit was gone.
    pub loses_data: u64,
}

impl Outcomes {
    /// One more run that ended so.
    pub fn count(&mut self, end: RehearsedEnd) {
        let count = match end {
            RehearsedEnd::AsPlanned => &mut self.as_planned,
            RehearsedEnd::Finished => &mut self.finished,
            RehearsedEnd::RolledBack => &mut self.rolled_back,
            RehearsedEnd::NeedsPerson => &mut self.needs_person,
            RehearsedEnd::LosesData => &mut self.loses_data,
        };
        *count += 1;
    }

    /// How many ended so.
    pub fn of(&self, end: RehearsedEnd) -> u64 {
        match end {
            RehearsedEnd::AsPlanned => self.as_planned,
            RehearsedEnd::Finished => self.finished,
            RehearsedEnd::RolledBack => self.rolled_back,
            RehearsedEnd::NeedsPerson => self.needs_person,
            RehearsedEnd::LosesData => self.loses_data,
        }
    }
}

/// For how long clients reach no master of a node. The longer ones come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The run itself brings it back.
    Run,
    /// The next `otb apply` does.
    NextApply,
    /// `otb apply` does, once the fault is over.
    FaultOver,
    /// A person does.
    Person,
}

/// A node that has no master in reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct WithoutMaster {
    /// What brings it back.
    pub until: Until,
    /// At most, by the plan's own figures: the expected gap of a run that does not fail, the time limits of one that does.
    /// None: the plan has no figure, or it does not lie with otb.
    pub milliseconds: Option<u64>,
    /// The node.
    pub node: NodeName,
}

/// One run with a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Story {
    /// How it ends.
    pub end: RehearsedEnd,
    /// The node that it is about.
    pub node: NodeName,
    /// The fault: `the process dn01@s47 is killed`.
    pub fault: String,
    /// The second fault, where pairs were tried.
    #[serde(default)]
    pub then: Option<String>,
    /// The moment in the step.
    pub moment: When,
    /// The step that the fault meets.
    pub step: StepId,
    /// What clients notice.
    pub clients: String,
    /// The exit code of the first `otb apply`. None: otb itself was killed.
    pub exit: Option<u8>,
    /// How many further runs of `otb apply` there were.
    pub further_applies: u64,
    /// The way out.
    pub way_out: String,
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the step is begun.
    Before,
    /// Its preconditions are proved, and its command is not sent yet.
    During,
    /// Its command is carried out, and not proved yet.
    After,
}

impl When {
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "at the end of",
        }
    }
}

/// A fact that was not seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssumedFact {
    /// The instance of the fault.
    pub instance: InstanceId,
    /// `process`, `role`, `WAL`, …
    pub fact: String,
    /// The value that stands for it.
    pub taken_as: String,
}

/// Nodes that the plan treats alike and that lie alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alike {
    /// The ones that took part in the rehearsal.
    pub nodes: Vec<NodeName>,
    /// How many others they stand for.
    pub stand_for: u64,
}

/// Two faults in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pairs {
    /// How many runs there were.
    pub tried: u64,
    /// How many first faults were left out when the time was over.
    pub left_out: u64,
    /// How they ended.
    pub outcomes: Outcomes,
}
