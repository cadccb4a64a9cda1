//! The codes of errors: a command that did not come about, or not to its end.

use std::fmt;

use super::Exit;

macro_rules! codes {
    ($($code:ident = $word:literal, $exit:ident: $title:literal, $why:literal, $next:literal;)*) => {
        /// Why a command ended as it did. The words are stable: scripts and runbooks name them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode { $(#[doc = $title] $code,)* }

        impl ErrorCode {
            /// Every code, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The stable word: `plan.stale`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $word,)* }
            }

            /// How otb ends with it.
            pub fn exit(self) -> Exit {
                match self { $(Self::$code => Exit::$exit,)* }
            }

            /// What happened.
            pub fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }

            /// Why otb stops there.
            pub fn why(self) -> &'static str {
                match self { $(Self::$code => $why,)* }
            }

            /// What to do.
            pub fn next(self) -> &'static str {
                match self { $(Self::$code => $next,)* }
            }
        }
    };
}

codes! {
    UsageCommand = "usage.command", Usage: "otb has no command of that name.",
        "To guess a command that changes masters would be reckless.",
        "Type the command that otb names as the nearest; `otb --help` lists all.";
    UsageOption = "usage.option", Usage: "The command has no such option, or takes no such argument.",
        "An option that is ignored would be taken for one that is obeyed.",
        "Type the option that otb names as the nearest; `otb COMMAND --help` lists all.";
    UsageValue = "usage.value", Usage: "The value of an option or argument is none that it can have.",
        "otb does not round, cut or guess what was meant.",
        "Write one of the values that the message names; times are written as 500ms, 5s or 2m.";
    UsageMissing = "usage.missing", Usage: "A command, argument or value that must be there is not.",
        "There is no default that would be right for everybody.",
        "Add what the message names; `otb COMMAND --help` has an example.";
    UsageCombination = "usage.combination", Usage: "These options do not go together.",
        "One of them would be ignored, and nobody would notice.",
        "Leave one out, or do what the hint says.";
    UsageFormat = "usage.format", Usage: "The command cannot write the format that --format names.",
        "A result in another format would be taken for the one asked for by whatever reads it.",
        "Choose one of the formats that the message names.";
    UsageUnknownNode = "usage.unknown-node", Usage: "The file declares no node of that name.",
        "With a misspelt --target or --skip, otb would act on other nodes than you mean.",
        "Type the name as cluster.yaml has it; the nearest is in the hint. A node (dn01) is meant, not an instance (dn01@s29).";
    UsageUnknownServer = "usage.unknown-server", Usage: "The file declares no server of that name.",
        "A server is named as cluster.yaml has it, which need not be its host name or address.",
        "Type the name as the `servers` of cluster.yaml have it; the nearest is in the hint.";
    UsageWaiver = "usage.waiver", Usage: "A waiver names no check that can be waived, or has no reason.",
        "A waiver lifts one block of one subject, and the plan records who decided that. Checks without which otb would act blindly cannot be waived.",
        "Write --waive CHECK:SUBJECT as the plan prints it, with --reason \"CHG-1234\"; `otb explain CHECK` says whether that check can be waived.";
    UsageOtherCluster = "usage.other-cluster", Usage: "The file to restore from is of another cluster.",
        "Its masters stand on servers of that cluster.",
        "Name an older version of this cluster's file, for instance from `git show HEAD~1:cluster.yaml`.";
    UsageUnknownCode = "usage.unknown-code", Usage: "otb has no such code.",
        "There is nothing to explain.",
        "Type the code that the hint names; `otb explain` lists all.";
    UsageUnknownRun = "usage.unknown-run", Usage: "The journal has no run with that number.",
        "Runs are numbered from 1, in the order in which they began.",
        "Type a number that `otb history` lists, or use --last.";

    PlanUnreadable = "plan.unreadable", Error: "The saved plan cannot be read.",
        "It is missing, cut off, or no plan at all. Nothing was changed.",
        "Make it again with `otb plan -o PLAN`.";
    PlanFormatVersion = "plan.format-version", Error: "The saved plan is of a version that this otb does not read.",
        "A newer otb may have written steps that this one would not understand. Nothing was changed.",
        "Plan again with this otb, or apply with the otb that made the plan.";
    PlanEdited = "plan.edited", Error: "The saved plan was changed after otb wrote it.",
        "A plan is what was reviewed. Its fingerprint covers all of it. Nothing was changed.",
        "Change cluster.yaml and plan again; a plan is not edited.";
    PlanOtherFile = "plan.other-file", Stale: "The saved plan was not made from cluster.yaml as it is now.",
        "The file was changed since, or the plan is of another cluster. Nothing was changed.",
        "Plan again, or name with --file the cluster.yaml that the plan was made from.";
    PlanStale = "plan.stale", Stale: "The plan does not fit the live cluster any more.",
        "Something moved between the plan and its application: a role, a route, a timeline. What was approved is not what would happen. Nothing was changed.",
        "Look at what moved, which the message lists, then plan again.";
    PlanAudit = "plan.audit", Error: "The plan breaks a rule that no plan may break.",
        "Each plan is looked at before it runs by code that shares nothing with the planner. What was done before is in the message.",
        "This is a mistake in otb, or the plan was edited: keep the plan (`otb plan -o PLAN`) and report it.";

    ApplyNotApproved = "apply.not-approved", Error: "The plan was not approved.",
        "Only `yes` on standard input is taken as approval. Nothing was changed.",
        "Answer yes; without a terminal use --auto-approve, or apply a saved plan, which counts as approved.";
    ApplyUnseen = "apply.unseen", Error: "There was nothing to do among what could be seen, and not everything could be.",
        "What was not seen may be anything; \"as declared\" would be a guess. Nothing was changed.",
        "Bring back what the plan lists as not seen, then apply again.";
    ApplyRefused = "apply.refused", Refused: "The plan is refused by at least one check.",
        "The check found, or could not rule out, what would hurt. Nothing was changed.",
        "Mend what the check names, or waive it where that is possible; `otb explain CHECK` tells more of each.";
    ApplyFailed = "apply.failed", Error: "The run failed before anything was changed.",
        "A step did not come about, and nothing of what would have followed was begun.",
        "Mend what the report names, then plan again.";
    ApplyRolledBack = "apply.rolled-back", RolledBack: "The run failed or was interrupted before its point of no return, and took back what it had done.",
        "The old masters run again, which was verified.",
        "After a failure fix what the report names as not done, then plan again; after an interrupt run `otb apply` when you want to.";
    ApplyPartWay = "apply.part-way", PartWay: "The run stopped part-way.",
        "Some steps are done and stay done, others are not. The report lists both, and what is left.",
        "`otb plan` shows the rest, `otb apply` goes on from there.";
    ApplyNotRejoined = "apply.not-rejoined", NotRejoined: "The new master serves, but the old one is not a standby again.",
        "Routes and writes are right; what is missing is the second copy.",
        "Look into the log of the instance that the report names, then `otb apply`.";
    ApplyUnknownOutcome = "apply.unknown-outcome", UnknownOutcome: "Contact was lost after something had been sent that cannot be taken back.",
        "It may or may not have happened, and otb does not guess.",
        "Run `otb plan`: it looks again and plans exactly what is left.";
    ApplyInterrupted = "apply.interrupted", Interrupted: "The run was interrupted before any change.",
        "Ctrl-C or SIGTERM came in time. Nothing was changed in the cluster.",
        "The same command again when you want to.";

    JournalUnreadable = "journal.unreadable", Error: "The journal cannot be read.",
        "It is missing, another user's, or no text, or neither XDG_STATE_HOME nor HOME says where it is, or several clusters of this name have one each.",
        "Name a journal that exists with --journal FILE, or run otb as the user who applied.";

    LockHeld = "lock.held", Locked: "Another otb works on this cluster.",
        "Two runs at once could each undo what the other does. Nothing was changed.",
        "The message says who, since when and from where: wait for it, or use --lock-timeout 5m. A lock dies with its holder; none has to be removed by hand.";
    LockNowhere = "lock.nowhere", Error: "The lock could be taken on no server.",
        "The lock is held by a shell on the cluster's servers, and no shell answered. Nothing was changed.",
        "Check `shell` in cluster.yaml: `ssh -o BatchMode=yes USER@ADDRESS true` must work without a question.";

    DriftUnseen = "drift.unseen", Error: "Whether there is drift is not known: no difference was seen, but not everything was.",
        "What cannot be seen is never \"no drift\".",
        "Bring back what is listed as not seen, then look again.";
    DriftBaseline = "drift.baseline", Error: "The baseline cannot be read.",
        "Known drift counts as known only while its file is understood.",
        "Mend what the message names; docs/reference/drift.md shows a baseline.";

    EditForm = "edit.form", Error: "otb cannot change the `master:` line for you.",
        "The file is changed only where a master is written as one word on a line of its own key. Nothing was changed.",
        "Change the `master:` lines by hand, then `otb plan`.";
    EditUnwritable = "edit.unwritable", Error: "cluster.yaml could not be written.",
        "It is read-only, somebody changed it meanwhile, or its directory cannot be written to. Nothing was changed.",
        "Do what the message names, then run the command again; it is safe to repeat.";
    MoveNoInstance = "move.no-instance", Refused: "The node has no instance on the server that is to have its master.",
        "Only a standby that holds the node's data can become its master. Nothing was changed.",
        "Name a server that has an instance of the node, or declare an instance there, rebuild it as a standby, and move then.";
    DrainStuck = "drain.stuck", Refused: "A node has no other instance, so its master cannot leave the server.",
        "A drain that leaves a master behind is none. Nothing was changed.",
        "Declare a standby of it elsewhere, or leave it there with --skip NODE.";
    RestoreGone = "restore.gone", Refused: "A master of the older file stood on a server where the node has no instance any more.",
        "There is nothing that could become master there. Nothing was changed.",
        "Declare the instance again, or leave the node out with --skip NODE.";

    ImportNoSession = "import.no-session", Error: "otb could not log in to the coordinator that --coordinator names.",
        "Everything else is learned from it.",
        "Name a coordinator that answers, by HOST:PORT, and a user that may log in with --user; passwords come from PGPASSWORD or ~/.pgpass.";
    ImportNoCoordinator = "import.no-coordinator", Error: "What answers there is no OpenTenBase coordinator.",
        "A datanode or a plain PostgreSQL server does not know the whole cluster.",
        "Name a coordinator, by the port that psql uses; of a datanode the hint names the coordinators it knows.";
    ImportNoRoutes = "import.no-routes", Error: "The coordinator could not read its pgxc_node.",
        "Without a GTM no master reads a table.",
        "Start the GTM, name a coordinator's standby, or import from pgxc_ctl.conf.";
    ImportSource = "import.source", Error: "The other tool's configuration cannot be read.",
        "pgxc_ctl.conf is a shell script: otb reads it and does not run it, so that some of what bash can do is not understood.",
        "Mend the line that the message shows, or give what it takes from its environment with --set NAME=VALUE.";
    ImportExists = "import.exists", Error: "The file to be written is there already.",
        "It may be somebody's work. Nothing was written.",
        "Name another file with --out, or add --force to replace it.";

    ConnectionTls = "connection.tls", Error: "TLS cannot be set up as the file wants it.",
        "With a stricter sslmode a certificate that cannot be checked means that nobody knows who answers.",
        "Name a root certificate with `connection.sslrootcert`, or put it into ~/.postgresql/root.crt.";
    ConnectionShell = "connection.shell", Error: "The shells of the servers cannot be used as the file wants it.",
        "Stops, promotions and fences are commands on the servers.",
        "Check `shell` in cluster.yaml.";

    SandboxInUse = "sandbox.in-use", Error: "A sandbox runs in that directory already.",
        "Two would write the same files.",
        "Go on with it (`otb -f DIR/cluster.yaml status`), end it (`otb sandbox down --dir DIR`), or name another --dir.";
    SandboxNotEmpty = "sandbox.not-empty", Error: "The directory is not empty, and no sandbox made what is in it.",
        "A sandbox clears its directory when it starts.",
        "Name an empty or new directory with --dir.";
    SandboxNotRunning = "sandbox.not-running", Error: "No sandbox runs in that directory.",
        "There is nobody to ask.",
        "Name the --dir with which it was started, or start one: `otb sandbox up --dir DIR`.";
    SandboxStart = "sandbox.start", Error: "The sandbox did not start.",
        "It found no free loopback addresses, ended at once, or was not ready in time.",
        "Look into DIR/log; under heavy load try again with fewer nodes.";
    SandboxRefused = "sandbox.refused", Error: "The sandbox cannot do that.",
        "The fault, or the part that it names, does not exist or does not fit.",
        "`otb sandbox fault --help` lists the faults, `otb sandbox status` the parts.";
    SandboxFiles = "sandbox.files", Error: "The sandbox's files could not be read or written.",
        "It keeps its state and its data directories there.",
        "Check the rights and the free space of the directory that the message names.";

    InputUnreadable = "input.unreadable", Error: "Standard input could not be read.",
        "The approval was asked for there. Nothing was changed.",
        "Without a terminal use --auto-approve, or apply a saved plan.";
    OutputUnwritable = "output.unwritable", Error: "A file that was asked for could not be written.",
        "A result, an event or a journal that is lost without a word would be missed when it is needed. Files that a run wants are opened before anything is changed.",
        "Name a file in a directory that exists and that you may write to, and look at the free space.";
    OutputLost = "output.lost", Error: "The result could not be written to standard output.",
        "A result that nobody could read is no success; what `otb apply` did stays done and keeps its own exit code.",
        "Mend what standard output leads to (often a full disk), then run `otb plan` to see how the cluster stands.";
    InternalStart = "internal.start", Error: "otb could not start its own machinery.",
        "The system refused threads, file descriptors or a signal handler. Nothing was changed.",
        "Look at the limits of the process (ulimit -a), then try again.";
    InternalBug = "internal.bug", Error: "otb failed at something that cannot fail.",
        "This is a mistake in otb.",
        "Report it with the command and the message; -v shows what was sent.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
