//! The meaning of each kind of finding for users, and what to do.

use crate::model::FindingKind;

texts! { FindingKind,
    "Returns what a kind of finding means, and what to do.",
    TwoMasters: "Clients write to both instances, and their data diverges. With two GTMs, clients see different data. Nothing merges the two histories.",
        "Run `otb plan`: it shows where routers lead and what each instance has. Declare the one to keep as master, then run the `otb apply` line that the finding prints.";
    SilentServer: "Every process of the server and its shell are silent: the server is off, or the network to it is down. A server that is only cut off may still accept writes.",
        "Find out whether the server is off. If it is off and stays off, run the `otb drain` line that the finding prints. Otherwise wait until it is back.";
    NoCommits: "Coordinators and datanodes get no timestamps, so every statement fails or waits.",
        "Run `otb apply` if the declared GTM can start again. Otherwise move the GTM to its standby with the `otb move` line that the finding prints.";
    NoMaster: "Statements that need rows of the node fail. If the node is a coordinator, its clients cannot connect.",
        "Run the command that the finding prints: `otb apply` starts the declared master again, `otb move` promotes its standby.";
    CannotWork: "The process accepts connections, but it gets no timestamp from the GTM: its GTM route is wrong, or its GTM is down.",
        "Run `otb apply`: it sets the route to the active GTM, reloads the pooler and proves it.";
    NoSlot: "New sessions fail with \"too many clients\" (53300). otb cannot log in either, so it does not know the state of the instance.",
        "End idle sessions, or raise max_connections and restart the instance.";
    Hung: "Clients that need the instance wait without an end. The process may continue at any moment.",
        "If it does not come back by itself, move its master to the standby: the plan ends and fences the process first. Without a standby, end it with kill -9; `otb apply` starts it again.";
    Blocked: "These sessions wait for a transaction that is prepared and not finished. No time limit ends their wait, and a fast stop of the master may not end.",
        "Run the psql line that the finding prints: it finishes the transactions with pg_clean.";
    WrongRoute: "Statements through that router fail, or read and write on an instance that is not the master.",
        "Run `otb apply`: it updates the routes, reloads the pooler and proves it.";
    Pooler: "Open connections of that router still go to old addresses, although its pgxc_node is right.",
        "Run `otb apply`: it reloads the pooler.";
    InDoubt: "A commit over several nodes stopped in the middle. A client that reads its rows will wait.",
        "Run the psql line that the finding prints: it finishes the transaction with pg_clean.";
    StandbyDown: "Users are served. If the master fails, this standby cannot take over.",
        "Run `otb apply`: it starts the standby and waits until it streams.";
    NotStreaming: "Users are served. The standby does not receive new WAL, so a failover would lose transactions.",
        "Read the standby's log. `otb apply` corrects its upstream, or rebuilds it if it cannot follow its master.";
    Paused: "Users are served. The standby receives WAL but does not replay it, so a promotion would wait without an end.",
        "Run `select pg_wal_replay_resume()` on the standby.";
    Lagging: "Users are served. A switchover must wait until the standby has replayed everything, so otb refuses it above policy.max_lag.",
        "Wait and watch it with `otb status --watch`. If it does not catch up, check the load and the disk of its server.";
    PromotionAsked: "pg_ctl promote left a request. The standby obeys it at any moment and would then be a second master.",
        "Run the stop that the finding prints, then `otb apply`: the start removes the request.";
    NotReady: "Users are served. A failover to this standby would fail or lose transactions.",
        "Run `otb ready --target NODE`: it shows the checks that do not pass, with their hints.";
    NextStart: "Nothing shows until the instance restarts for another reason. Then a standby becomes a second master, or a master becomes a standby.",
        "Run the command that the finding prints, before the instance restarts.";
    Unseen: "otb does not know the state of the instance, so it plans nothing that depends on it.",
        "Fix what the finding names: the network, the login or the shell. Then run `otb status` again.";
    Elsewhere: "Users are served. The live cluster and the file disagree about the master's server.",
        "Run `otb apply` to move the master to the declared server. To keep it where it is, run the `otb move` line that the finding prints: it changes the file.";
}
