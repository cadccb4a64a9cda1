//! The codes of errors: a command that failed.

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

            /// Returns what happened.
            pub fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }

            /// Why otb stops there.
            pub fn why(self) -> &'static str {
                match self { $(Self::$code => $why,)* }
            }

            /// Returns what to do.
            pub fn next(self) -> &'static str {
                match self { $(Self::$code => $next,)* }
            }
        }
    };
}

codes! {
    UsageCommand = "usage.command", Usage: "otb has no command of that name.",
        "otb does not guess a command: a wrong guess could move a master.",
        "Type the most similar command, which otb names. `otb --help` lists all commands.";
    UsageOption = "usage.option", Usage: "The command has no such option or argument.",
        "otb refuses an unknown option, because you would expect it to have an effect.",
        "Type the most similar option, which otb names. `otb COMMAND --help` lists all options.";
    UsageValue = "usage.value", Usage: "An option or argument has a value that is not allowed.",
        "otb does not round, cut or guess values.",
        "Write one of the values that the message names. Write times as 500ms, 5s or 2m.";
    UsageMissing = "usage.missing", Usage: "A required command, argument or value is missing.",
        "No default would be right for every cluster.",
        "Add what the message names; `otb COMMAND --help` has an example.";
    UsageCombination = "usage.combination", Usage: "These options cannot be used together.",
        "otb would have to ignore one of them without a message.",
        "Remove one of them, or follow the hint.";
    UsageFormat = "usage.format", Usage: "The command cannot write the format that --format names.",
        "A program that reads the result expects the format that you named.",
        "Choose one of the formats that the message names.";
    UsageUnknownNode = "usage.unknown-node", Usage: "The file declares no node of that name.",
        "With a misspelled --target or --skip, otb would act on other nodes than you mean.",
        "Type the name as it is in cluster.yaml; the hint shows the most similar one. Name a node (dn01), not an \
            instance (dn01@s29).";
    UsageUnknownServer = "usage.unknown-server", Usage: "The file declares no server of that name.",
        "Servers have the names that cluster.yaml gives them. They can differ from host names and addresses.",
        "Type the name as it is under `servers` in cluster.yaml; the hint shows the most similar one.";
    UsageWaiver = "usage.waiver", Usage: "The waiver names no check that can be waived, or it has no reason.",
        "A waiver accepts one block of one subject, and the plan records the reason. Checks that protect otb from \
            acting blindly cannot be waived.",
        "Write --waive CHECK:SUBJECT as the plan prints it, with --reason \"CHG-1234\". `otb explain CHECK` shows \
            whether the check can be waived.";
    UsageOtherCluster = "usage.other-cluster", Usage: "The file to restore from belongs to another cluster.",
        "Its masters are on the servers of that cluster.",
        "Name an older version of this cluster's file, for example from `git show HEAD~1:cluster.yaml`.";
    UsageUnknownCode = "usage.unknown-code", Usage: "otb has no such code.",
        "otb has no text for it.",
        "Type the code that the hint names. `otb explain` lists all codes.";
    UsageUnknownRun = "usage.unknown-run", Usage: "The journal has no run with that number.",
        "Runs are numbered from 1, in the order in which they started.",
        "Type a number that `otb history` lists, or use --last.";

    PlanUnreadable = "plan.unreadable", Error: "The saved plan cannot be read.",
        "It is missing, incomplete, or not a plan. Nothing was changed.",
        "Create it again with `otb plan -o PLAN`.";
    PlanFormatVersion = "plan.format-version", Error: "The saved plan has a format version that this otb does not \
        read.",
        "A newer otb may have written steps that this otb does not understand. Nothing was changed.",
        "Plan again with this otb, or apply with the otb that created the plan.";
    PlanEdited = "plan.edited", Error: "The saved plan was changed after otb wrote it.",
        "Reviewers approved the plan as otb wrote it. Its fingerprint covers the whole plan. Nothing was changed.",
        "Change cluster.yaml and plan again. Do not edit a plan.";
    RehearsalNoObservation = "rehearsal.no-observation", Error: "The saved plan cannot be rehearsed: it contains no \
        observation of the cluster.",
        "A rehearsal starts from the observed cluster. Without it the result would be a guess.",
        "Plan again and save: `otb plan --rehearse -o PLAN`.";
    RehearsalUnknown = "rehearsal.unknown", Error: "The plan is not rehearsed: half of the cluster or more was not \
        observed.",
        "otb uses a bad value for each unknown fact. With so many of them the result says nothing about the real cluster.",
        "Bring back what the plan lists as not observed, then rehearse again.";
    RehearsalOtherPlan = "rehearsal.other-plan", Error: "The plan is not rehearsed: the simulated copy of the cluster \
        leads to another plan.",
        "The copy lacks a fact that this plan relies on, or another otb made the plan. Its rehearsal would say nothing.",
        "Rehearse with the otb that made the plan. Otherwise report it with the plan.";
    PlanOtherFile = "plan.other-file", Stale: "The saved plan was made from another version of cluster.yaml.",
        "The file was changed after the plan was made, or the plan belongs to another cluster. Nothing was changed.",
        "Plan again, or use --file to name the cluster.yaml that the plan was made from.";
    PlanStale = "plan.stale", Stale: "The cluster changed since the plan was made.",
        "A role, a route or a timeline is different now. The plan would do something else than what was approved. \
            Nothing was changed.",
        "Read what changed (the message lists it), then plan again.";
    PlanAudit = "plan.audit", Error: "The plan breaks a rule that no plan may break.",
        "An audit checks each plan before it runs. The audit shares no code with the planner. The message lists \
            what was done before.",
        "This is a defect in otb, or the plan was edited. Keep the plan (`otb plan -o PLAN`) and report it.";

    ApplyNotApproved = "apply.not-approved", Error: "The plan was not approved.",
        "Only `yes` on standard input approves a plan. Nothing was changed.",
        "Answer yes. Without a terminal, use --auto-approve, or apply a saved plan, which counts as approved.";
    ApplyUnseen = "apply.unseen", Error: "otb found nothing to do, but it could not observe the whole cluster.",
        "A part that was not observed can be in any state, so \"as declared\" would be a guess. Nothing was changed.",
        "Bring back what the plan lists as not observed, then apply again.";
    ApplyRefused = "apply.refused", Refused: "At least one check refuses the plan.",
        "The check found a danger, or could not exclude one. Nothing was changed.",
        "Fix what the check names, or waive it where that is possible. `otb explain CHECK` explains each check.";
    ApplyFailed = "apply.failed", Error: "The run failed before anything was changed.",
        "A step failed, and no step after it was started.",
        "Fix what the report names, then plan again.";
    ApplyRolledBack = "apply.rolled-back", RolledBack: "The run failed or was interrupted before its point of no \
        return, and was rolled back.",
        "The old masters run again. otb verified that.",
        "After a failure: fix what the report lists as not done, then plan again. After an interrupt: run `otb \
            apply` when you are ready.";
    ApplyPartWay = "apply.part-way", PartWay: "The run stopped partway.",
        "Some steps are done and stay done, others are not. The report lists both, and the steps that remain.",
        "`otb plan` shows the remaining steps, `otb apply` does them.";
    ApplyNotRejoined = "apply.not-rejoined", NotRejoined: "The new master serves, but the old master is not a \
        standby yet.",
        "Routes and writes work. The node has no standby for now.",
        "Read the log of the instance that the report names, then run `otb apply`.";
    ApplyUnknownOutcome = "apply.unknown-outcome", UnknownOutcome: "otb lost contact after it sent a command that \
        cannot be undone.",
        "The command may or may not have succeeded. otb does not guess.",
        "Run `otb plan`: it observes the cluster again and plans the remaining steps.";
    ApplyInterrupted = "apply.interrupted", Interrupted: "The run was interrupted before any change.",
        "Ctrl-C or SIGTERM arrived before the first change. Nothing was changed in the cluster.",
        "Run the same command again when you are ready.";

    JournalUnreadable = "journal.unreadable", Error: "The journal cannot be read.",
        "It is missing, belongs to another user, or is not text. Or neither XDG_STATE_HOME nor HOME is set, or \
            several clusters of this name have a journal.",
        "Name an existing journal with --journal FILE, or run otb as the user who ran `otb apply`.";

    LockHeld = "lock.held", Locked: "Another otb is working on this cluster.",
        "Two runs at the same time could undo each other's work. Nothing was changed.",
        "The message names the holder, the time and the machine. Wait for it, or use --lock-timeout 5m. The lock \
            ends when its holder ends; never remove it by hand.";
    LockNowhere = "lock.nowhere", Error: "otb could not take the lock on any server.",
        "A shell on each of the cluster's servers holds the lock, and no shell answered. Nothing was changed.",
        "Check `shell` in cluster.yaml: `ssh -o BatchMode=yes USER@ADDRESS true` must succeed without a question.";

    DriftUnseen = "drift.unseen", Error: "otb found no drift, but it could not observe the whole cluster.",
        "A part that was not observed may have drifted.",
        "Bring back what is listed as not observed, then run `otb drift` again.";
    DriftBaseline = "drift.baseline", Error: "The baseline cannot be read.",
        "Without the baseline, otb cannot separate known drift from new drift.",
        "Fix what the message names. docs/reference/drift.md shows a baseline.";

    EditForm = "edit.form", Error: "otb cannot change the `master:` line for you.",
        "otb changes the file only where `master:` and its value are alone on one line. Nothing was changed.",
        "Change the `master:` lines by hand, then run `otb plan`.";
    EditUnwritable = "edit.unwritable", Error: "cluster.yaml could not be written.",
        "It is read-only, another program changed it meanwhile, or otb may not write to its directory. Nothing was \
            changed.",
        "Do what the message names, then run the command again. It is safe to repeat.";
    MoveNoInstance = "move.no-instance", Refused: "The node has no instance on the server that you named for its \
        master.",
        "Only a standby that holds the node's data can become its master. Nothing was changed.",
        "Name a server that has an instance of the node. Or declare an instance there, rebuild it as a standby, and \
            move then.";
    DrainStuck = "drain.stuck", Refused: "A node has no other instance, so its master cannot leave the server.",
        "After the drain a master would still be on the server. Nothing was changed.",
        "Declare a standby of the node elsewhere, or leave its master there with --skip NODE.";
    RestoreGone = "restore.gone", Refused: "In the older file a master is on a server where the node has no \
        instance any more.",
        "No instance could become the master there. Nothing was changed.",
        "Declare the instance again, or skip the node with --skip NODE.";

    ImportNoSession = "import.no-session", Error: "otb could not log in to the coordinator that --coordinator names.",
        "otb reads the whole cluster from that coordinator.",
        "Use --coordinator HOST:PORT with a coordinator that answers, and --user with a user that may log in. \
            Passwords come from PGPASSWORD or ~/.pgpass.";
    ImportNoCoordinator = "import.no-coordinator", Error: "The server at that address is not an OpenTenBase \
        coordinator.",
        "A datanode or a plain PostgreSQL server does not know the whole cluster.",
        "Name a coordinator and the port that psql uses. If you named a datanode, the hint lists the coordinators \
            that it knows.";
    ImportNoRoutes = "import.no-routes", Error: "The coordinator could not read its pgxc_node.",
        "Without a GTM no master can read a table.",
        "Start the GTM, name a coordinator's standby, or import from pgxc_ctl.conf.";
    ImportSource = "import.source", Error: "The other tool's configuration cannot be read.",
        "pgxc_ctl.conf is a shell script. otb reads it without running it, so it does not understand everything \
            that bash can do.",
        "Fix the line that the message shows. If the line uses the environment, give the value with --set \
            NAME=VALUE.";
    ImportExists = "import.exists", Error: "The output file exists already.",
        "It may contain another person's work. Nothing was written.",
        "Name another file with --out, or replace it with --force.";

    ConnectionTls = "connection.tls", Error: "otb cannot use TLS as the file requires it.",
        "With a stricter sslmode otb must verify the server's certificate. Otherwise it does not know which server \
            answers.",
        "Name a root certificate with `connection.sslrootcert`, or save it as ~/.postgresql/root.crt.";
    ConnectionShell = "connection.shell", Error: "otb cannot use the servers' shells as the file describes them.",
        "otb stops, promotes and fences with commands on the servers.",
        "Check `shell` in cluster.yaml.";

    SandboxInUse = "sandbox.in-use", Error: "A sandbox already runs in that directory.",
        "Two sandboxes would write the same files.",
        "Use it (`otb -f DIR/cluster.yaml status`), stop it (`otb sandbox down --dir DIR`), or name another --dir.";
    SandboxNotEmpty = "sandbox.not-empty", Error: "The directory is not empty, and its content does not come from a \
        sandbox.",
        "A sandbox deletes the content of its directory when it starts.",
        "Name an empty or new directory with --dir.";
    SandboxNotRunning = "sandbox.not-running", Error: "No sandbox runs in that directory.",
        "The command needs a running sandbox.",
        "Use the --dir with which it was started, or start one: `otb sandbox up --dir DIR`.";
    SandboxStart = "sandbox.start", Error: "The sandbox did not start.",
        "It found no free loopback addresses, it ended at once, or it was not ready in time.",
        "Read DIR/log. If the machine is busy, try again with fewer nodes.";
    SandboxRefused = "sandbox.refused", Error: "The sandbox refused the command.",
        "The fault, or the part that it names, does not exist, or they do not fit together.",
        "`otb sandbox fault --help` lists the faults, `otb sandbox status` lists the parts.";
    SandboxFiles = "sandbox.files", Error: "The sandbox's files could not be read or written.",
        "The sandbox keeps its state and its data directories in these files.",
        "Check the permissions and the free space of the directory that the message names.";

    InputUnreadable = "input.unreadable", Error: "Standard input could not be read.",
        "otb reads the approval from standard input. Nothing was changed.",
        "Without a terminal, use --auto-approve, or apply a saved plan.";
    OutputUnwritable = "output.unwritable", Error: "otb could not write a file that you asked for.",
        "You need the result, the events or the journal later, so otb does not go on without them. It opens these \
            files before it changes anything.",
        "Name a file in an existing directory that you may write to, and check the free space.";
    OutputLost = "output.lost", Error: "The result could not be written to standard output.",
        "Without its result a command is not a success. What `otb apply` did stays done and keeps its own exit code.",
        "Fix the target of standard output (often a full disk). Then run `otb plan` to see the state of the cluster.";
    InternalStart = "internal.start", Error: "otb could not start.",
        "The system refused threads, file descriptors or a signal handler. Nothing was changed.",
        "Check the limits of the process (ulimit -a), then try again.";
    InternalBug = "internal.bug", Error: "otb reached a state that must be impossible.",
        "This is a defect in otb.",
        "Report it with the command and the message. -v shows what otb sent.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
