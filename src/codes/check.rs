//! Why each check is made, and what to do when it refuses.

use crate::plan::CheckCode;

texts! { CheckCode,
    "Returns why otb makes the check, and what to do when it refuses.",
    Identity: "A wrong address can lead to another node's process. otb would then stop or promote that node.",
        "Correct `address` and `port` of the instance in the file. `otb status` shows which process answers at each \
            address.";
    System: "All instances of one node share the system identifier that initdb created. A standby with another \
        identifier belongs to another node. Its promotion would replace the rows of this node with the rows of that \
        node.",
        "Correct the file so that it names this node's own standby, or rebuild the standby with pg_basebackup.";
    Version: "A standby of another server version may misread the WAL, or not read it at all.",
        "Install the same version on both servers. Waive the check only for versions that are known to share the \
            WAL format.";
    SplitBrain: "Two instances of the node accepted writes. Each has rows that the other one lacks. OpenTenBase \
        does not report two masters, and no tool can merge them.",
        "The instance with the higher timeline was promoted last. Declare the instance with the data that you want \
            to keep as master. With the waiver otb stops the other instance, keeps its directory and rebuilds it.";
    KeptCopy: "Routers lead to this instance, so clients wrote to it. A move away from it loses commits that \
        clients saw succeed.",
        "Declare the instance that routers lead to as master and apply. Move the master afterwards: that loses \
            nothing.";
    Standby: "otb promotes only a running standby. A stopped standby, or one in an unknown state, may lack \
        transactions.",
        "Start it as a standby first: declare the present master, run `otb apply`, then move. When the node has no \
            master, declare the instance that stopped last.";
    Attached: "A standby that streams from another server, or from no server, does not receive what the master \
        writes now.",
        "Read the standby's log and check its primary_conninfo. Rebuild a standby that lacks WAL with \
            pg_basebackup. Waive the check only if the missing WAL does not matter.";
    Replay: "A promotion first replays all WAL that the standby received. If replay is paused, the promotion waits \
        without end, and the old master is already stopped.",
        "Run `select pg_wal_replay_resume()` on the standby, then plan again.";
    Delay: "A delayed standby is behind on purpose, so that an operator can go back from a mistake. In a \
        switchover, clients wait for the whole delay. In a failover, the standby replays all that it received at \
        once, the mistake too.",
        "Declare another standby as master. Or set recovery_min_apply_delay = 0 in its recovery.conf, restart it, \
            and wait until it has caught up. Or waive the check.";
    Lag: "During the write gap the standby replays what it has not replayed yet. Clients wait for that time.",
        "Wait until the standby has caught up, raise policy.max_lag in the file, or accept the longer write gap \
            with a waiver.";
    Timeline: "A standby with a higher timeline than its master was promoted once. Its data has a history of its \
        own.",
        "Find out which instance has the data that you want to keep. Then rebuild the other instance with \
            pg_basebackup.";
    RecoveryConf: "A promotion renames recovery.conf. A standby that may not rename it ends during the promotion, \
        and the old master is already stopped. A live cluster lost both instances that way.",
        "On the standby's server, make the server's OS user the owner of recovery.conf, with write permission. If \
            otb looks for the file in the wrong place, correct `data` in the file.";
    Shell: "otb stops, promotes and fences with commands on the server. Without a shell otb could not stop the old \
        master or undo a failed run.",
        "Check `shell` in the file: `ssh -o BatchMode=yes USER@ADDRESS true` must succeed without a question. With \
            run_as, `sudo -n -u USER true` must succeed there too.";
    DataDirectory: "A command on another node's directory would stop, promote or fence that node. A command on an \
        old copy of the directory, or on another server, would fence no process.",
        "Correct `data` of the instance in the file. The message shows where its process runs. If the directory is \
            right, then `shell` leads to another machine than `address`, or the process restarted at this moment.";
    ToolsVersion: "A pg_ctl or pg_controldata of another version may do harm before it reports the difference.",
        "Correct `install` in the file. It is the directory above bin/ and lib/ of the version that the server runs.";
    Disk: "A promotion writes a WAL segment and a history file. On a full disk it fails in the middle, and the old \
        master is already stopped.",
        "Free space on the file system of the standby's data directory.";
    Fence: "If the old master still accepts writes when another instance is promoted, the node has two masters, and \
        the writes of one are lost. A server that does not answer may only be cut off from the network.",
        "Make sure by hand that the old master is off and stays off (power, network, storage). Then waive the \
            check: --waive fence:NODE --reason \"...\".";
    DataLoss: "In a failover the standby may lack the last transactions that the old master committed. Clients saw \
        these commits succeed. otb reads the missing WAL from the old master's files and brings it to the standby \
        (step salvage), so nothing is lost. If otb cannot read it, the check lists the transactions. Missing WAL \
        without a commit is no loss.",
        "Bring the old master's server back, so that otb can read its WAL or switch over from it. Or declare \
            another standby that has all of it. To accept the loss of the listed transactions: --waive \
            data-loss:NODE --reason \"...\".";
    Gtm: "Without a timestamp from the GTM nothing commits. ALTER NODE, which updates a router's routes, does not \
        commit either.",
        "Bring the GTM up first, or plan without --target so that otb plans the GTM too. If two GTMs are active, \
            stop the one that the routers do not use, and set startup = STANDBY in its gtm.conf.";
    Routes: "A router that otb cannot read may still send statements to the old master. otb cannot alter a row that \
        is missing.",
        "Bring the router back, or create the missing row with CREATE NODE. With a waiver the router keeps its \
            wrong route until the next plan.";
    Forward: "On v5, rows travel between datanodes through each node's forward port. If pgxc_node has a wrong one, \
        a query that moves rows hangs without an error. A standby does not listen on its forward port. If another \
        process has that port, the promoted server ends and restarts again and again.",
        "Write the forward_port of each instance into the file as in its postgresql.conf (`SHOW forward_port`), or \
            write none: otb then uses the ports that the processes report. If the port is taken, free it, or set \
            another one and restart. On v2.6, remove forward_port from the file.";
    Sessions: "A router needs a pool reload after ALTER NODE. On v5 the reload of a coordinator ends each session \
        that holds datanode connections: a session in a transaction, or less than 5 s after one \
        (persistent_connections_timeout). Its client reads \"terminating connection due to administrator command\" \
        (57P01).",
        "Move when few clients work, and let clients reconnect after 57P01. With persistent_connections_timeout = 0 \
            on the coordinators, the reload ends only sessions in a transaction.";
    GtmRow: "A router without a GTM row, or with two, may use the wrong GTM for its timestamps.",
        "Fix pgxc_node on that router by hand: it must have exactly one row of type G.";
    Rejoin: "If the old master cannot become a standby, the node has no standby after the move.",
        "Follow the hint, or set policy.old_master: leave. Or waive the check and rebuild the standby later.";
    Superuser: "ALTER NODE requires a superuser. If one router refuses it, some routers keep the old routes.",
        "Name a superuser as connection.user in the file.";
    ClusterName: "A wrong address can lead to a standby of another cluster. That standby would become a master of \
        this cluster.",
        "Correct `cluster`, or the instance's address and port, in the file.";
    HotStandby: "A standby that accepts no queries cannot report what it has replayed. otb then cannot know when it \
        is safe to promote it.",
        "Set hot_standby = on in its postgresql.conf and restart it.";
    SyncStandbys: "A base backup copies synchronous_standby_names. After its promotion the standby waits at each \
        commit, as its master did, until a standby of that name streams from it. The old master returns as \
        NODE_SERVER (dn01_s29), so the list must contain that name or *.",
        "Add the name, or empty the setting until another standby exists. The check prints the statement. With a \
            waiver, commits hang until such a standby streams.";
    Room: "The old master and the other standbys each use one WAL sender of the new master. Without free senders \
        they cannot follow it.",
        "Raise max_wal_senders in the standby's postgresql.conf and restart it. With a waiver, the old master \
            cannot rejoin.";
    WalKeep: "With wal_keep_segments = 0 the new master may remove WAL before the other instances have read it.",
        "Set wal_keep_segments to a few segments. Rebuild an instance that comes too late with pg_basebackup. This \
            check only warns.";
    PreparedLimit: "A distributed transaction uses one prepared transaction on each node. If the new master allows \
        fewer, transactions fail under load.",
        "Set max_prepared_transactions on the standby to the master's value and restart it.";
    ReplicationAccess: "The old master can become a standby only if the new master accepts its replication connection. otb \
        tries that, because pg_hba.conf, passwords and the network can each prevent it.",
        "Add a `host replication` line for the old master's server to pg_hba.conf of the standby and run \
            pg_reload_conf(). With a waiver, the old master cannot rejoin.";
    Backup: "The stop of the master makes a running backup useless.",
        "Wait until the backup has finished, or end it.";
    Transactions: "The stop ends open transactions. The older a transaction is, the more work is lost.",
        "Look at pg_stat_activity on the master. This check only warns.";
    InDoubt: "A commit over several nodes stopped in the middle: it is prepared on this node and perhaps committed \
        on another one. A client that reads such a row waits and keeps the page locked. Other clients of that page \
        then wait in a way that no signal ends, and a fast stop of the master does not end either.",
        "Run the psql command of the hint, then plan again. otb only lists transactions that a client prepared with \
            PREPARE TRANSACTION: their owner must commit them or roll them back.";
    PgClean: "A move can interrupt commits over several nodes. otb finishes them with OpenTenBase's own extension \
        pg_clean, which must exist in each database that clients use. otb does not create anything in your \
        databases by itself.",
        "Run `create extension pg_clean` once in each database that clients use. Without it, a run that leaves a \
            transaction in doubt ends with exit 7 and prints the command. This check only warns.";
    Hold: "While a datanode moves, otb holds the statements of all clients, so that no statement fails. A \
        transaction that stays open prevents the hold. A session with server-side prepared statements that is idle \
        during the whole move gets one error afterwards.",
        "End old transactions first. policy.hold decides what otb does without a hold: `prefer` moves without it, \
            `require` moves nothing. This check only warns.";
    Slots: "Replication slots do not move to the new master. A client that reads through a slot loses its position.",
        "Create the slots on the new master for the clients that use them. otb's own standbys use no slots. This \
            check only warns.";
    Archiver: "A stop waits until all WAL is archived. WAL that still waits for archiving makes the write gap \
        longer.",
        "Fix archive_command on the master first, or expect the longer write gap. This check only warns.";
    Tools: "otb runs pg_ctl, gtm_ctl, pg_controldata and pg_basebackup on the servers. If otb finds out too late \
        that one is missing, the master is already stopped.",
        "Correct `install` in the file, or the permissions of its bin directory.";
    Clocks: "If the servers' clocks differ, nobody can compare their logs, and tools that compare times give wrong \
        results.",
        "Let chrony or ntpd correct the clocks. This check only warns.";
    Supervisor: "systemd, cron or pgxc_ctl may start the old master while otb works on its directory. otb's fence \
        makes it start as a standby, not as a second master.",
        "Switch it off until the run has finished. This check only warns.";
    Promotion: "A promotion request stays in force when pg_ctl promote stops waiting. A standby with paused or slow \
        replay obeys it later. If otb promoted another instance meanwhile, the node would have two masters.",
        "Stop that standby: its next start removes the request. Or declare it as the master, because it is about to \
            become one.";
    NextStart: "recovery.conf decides whether a server starts as a standby; for a GTM, gtm.conf decides. Both are \
        read only at a start. A standby without its recovery.conf becomes a second master after the next reboot, \
        and OpenTenBase does not report it. A master with a recovery.conf becomes a standby.",
        "Follow the hint before that server restarts. This check only warns.";
    Spelling: "pgxc_node or a standby's upstream has a host name where the file has an address, or the reverse. otb resolved both on the server: they lead to the same server, so otb changes nothing because of it.",
        "Nothing must be done. To have one way only, write the same text into `address` of the file, or change the rows with ALTER NODE when you can afford a pool reload. This check only warns.";
    Strangers: "A router has a row for a node that the file does not declare. otb neither observes nor changes that \
        node.",
        "Declare the node in the file, or remove the row with DROP NODE. This check only warns.";
    Rehearsal: "otb ran the plan on a simulated copy of the cluster, with each fault at each moment. After the named \
        fault, `otb apply` cannot finish by itself, or data is lost.",
        "Read the worst case in the plan: its fault, its moment, its way out. Prepare that way out before you apply, or \
            move at another time. This check only warns.";
}
