//! Why each check is made, and what to do when it refuses.

use crate::plan::CheckCode;

texts! { CheckCode,
    "Why otb looks at it, and what to do.",
    Identity: "An address in the file that leads to another node's process would have that one stopped or promoted.",
        "Correct `address` and `port` of the instance in the file; `otb status` shows what answers where.";
    System: "Two copies of one node share the system identifier that initdb gave them. A standby with another one is a copy of another node, and its promotion would replace this node's rows by that one's.",
        "Point the file at this node's own standby, or rebuild the standby by pg_basebackup.";
    Version: "A standby of another version may read the WAL differently, or not at all.",
        "Install the same version on both servers. Waive it only for versions that are known to share the WAL format.";
    SplitBrain: "Both took writes, and each has rows that the other lacks. Nothing in OpenTenBase complains about two masters, and no tool can join them.",
        "The higher timeline was promoted last. Declare the one that holds the data that counts as master; with the waiver the other one is stopped, kept aside and rebuilt.";
    KeptCopy: "Clients wrote to the copy that routers lead to: to give that one up would lose what they were told is committed.",
        "Declare the copy that routers lead to, repair, and move the master afterwards: that loses nothing.";
    Standby: "Only a running standby can be promoted. One that is stopped, or whose state nobody can tell, may lack transactions.",
        "Start it as a standby first: declare the present master, apply, then move. Of a node without a master declare the copy that stopped last.";
    Attached: "A standby that streams from another server, or from none, does not get what the master writes now.",
        "Look into the standby's log and its primary_conninfo; a standby that lacks WAL is rebuilt by pg_basebackup. Waive it only if the missing WAL does not matter.";
    Replay: "A promotion first replays everything that was received. Paused, it would wait for ever, with the old master already down.",
        "Run `select pg_wal_replay_resume()` on the standby, then plan again.";
    Delay: "A delayed standby is behind on purpose, as a way back from a mistake. In a switchover clients would wait for its whole delay; in a failover it replays what it has received at once, the mistake too.",
        "Declare another standby as master. Otherwise set recovery_min_apply_delay = 0 in its recovery.conf, restart it and wait until it has caught up; or waive it.";
    Lag: "What the standby has not replayed yet must be replayed inside the write gap: clients wait that long.",
        "Wait until it has caught up, raise policy.max_lag in the file, or accept the longer gap by a waiver.";
    Timeline: "A standby whose timeline is ahead of its master's was promoted once: it has a history of its own.",
        "Find out which copy holds the data that counts before going on; rebuild the other one by pg_basebackup.";
    RecoveryConf: "A promotion renames recovery.conf. A standby that may not do that dies of the promotion, with the old master already down. A live cluster lost both copies that way.",
        "On the standby's server let recovery.conf belong to the server's OS user and be writable for it; correct `data` in the file if it is looked for in the wrong place.";
    Shell: "A stop, a promotion and a fence are commands on the server. Without a shell the old master could not be stopped, and a failed run could not be undone.",
        "Check `shell` in the file: `ssh -o BatchMode=yes USER@ADDRESS true` must work without a question, and with run_as also `sudo -n -u USER true` there.";
    DataDirectory: "A command on another node's directory would stop, promote or fence that node; one on an old copy of the right directory, or on another server, would fence nobody.",
        "Correct `data` of the instance in the file: the message says where its process runs. Where the directory is right, the server's `shell` leads to another machine than its `address`, or the process was started anew in this moment.";
    ToolsVersion: "A pg_ctl or pg_controldata of another version may do harm before it notices.",
        "Correct `install` in the file: it names the directory above bin/ and lib/ of the version that the server runs.";
    Disk: "A promotion writes a WAL segment and a history file. On a full disk it fails half-way, with the old master already down.",
        "Make room on the file system of the standby's data directory.";
    Fence: "If the old master still takes writes somewhere while another copy is promoted, there are two masters, and the writes of one are lost. A server that does not answer may be cut off and alive.",
        "Make sure by hand that the old master is off and stays off (power, network, storage). Then say so: --waive fence:NODE --reason \"...\".";
    DataLoss: "In a failover the standby may not have received what the old master acknowledged last. Those transactions would be gone, and clients were told that they are safe. otb reads the WAL that the standby lacks from the old master's files and brings it to the standby (step salvage), so nothing is lost. Where it cannot, it lists the transactions; WAL without a commit is no loss.",
        "Bring the old master's server back so that otb can read its WAL, or switch over from it; declare another standby that has it all, if there is one. To accept the loss of the listed transactions say so by name: --waive data-loss:NODE --reason \"...\".";
    Gtm: "Without a timestamp nothing commits, not even the ALTER NODE that tells routers of the new master.",
        "Bring the GTM up first, or plan without --target so that its part is planned as well. Of two active GTMs stop the one that the routers do not use, with startup = STANDBY in its gtm.conf.";
    Routes: "A router that cannot be read may go on sending statements to the old master; a row that is missing cannot be altered.",
        "Bring the router back, or create the missing row with CREATE NODE. Waived, the router stays wrong until the next plan.";
    Forward: "On v5 rows travel between datanodes by each node's forward port. With a wrong one in pgxc_node a query that moves rows hangs without an error. A standby does not listen on it: promoted where that port is taken, its server ends and starts again without an end.",
        "Write forward_port of each instance into the file, as in its postgresql.conf (`SHOW forward_port`), or leave it out everywhere: otb then uses what the processes say. Free a port that is taken, or set another one and restart. On v2.6 remove it.";
    Sessions: "A router needs a pool reload after its ALTER NODE. On v5 the reload of a coordinator ends each session that holds connections to datanodes: one in a transaction, or less than 5 s after one (persistent_connections_timeout). Its client reads \"terminating connection due to administrator command\" (57P01).",
        "Move when few clients work, and let clients connect again after 57P01. Where persistent_connections_timeout is 0 on the coordinators, only sessions in a transaction are ended.";
    GtmRow: "A router with no GTM row, or with two, takes its timestamps from nobody knows where.",
        "Repair pgxc_node on that router by hand: exactly one row of type G.";
    Rejoin: "Without a way back the node would stay without a standby.",
        "Do what the hint says, or set policy.old_master: leave, or waive it and rebuild the standby later.";
    Superuser: "ALTER NODE wants a superuser. A refusal half-way would leave some routers with the old routes.",
        "Name a superuser as connection.user in the file.";
    ClusterName: "A standby of another cluster, reached by a wrong address, would become a master of this one.",
        "Correct `cluster`, or the instance's address and port, in the file.";
    HotStandby: "A standby that cannot be asked cannot say what it has replayed, and so never when it is safe to promote it.",
        "Set hot_standby = on in its postgresql.conf and restart it.";
    SyncStandbys: "A base backup copies synchronous_standby_names. Promoted, the standby waits at each commit as its master did, until a standby of that name streams from it. The old master returns as NODE_SERVER (dn01_s29): that name, or *, has to be in the list.",
        "Add the name, or empty the setting until another copy is there; the check prints the statement. Waived, commits hang until such a standby streams.";
    Room: "The old master and the other copies each take a sender of the new master. Without room for them they cannot follow.",
        "Raise max_wal_senders in the standby's postgresql.conf and restart it. Waived, the old master cannot rejoin.";
    WalKeep: "With wal_keep_segments = 0 the new master may recycle WAL before the other copies ask for it.",
        "Set wal_keep_segments to a few; a copy that comes too late is rebuilt by pg_basebackup. This check only warns.";
    PreparedLimit: "A distributed transaction is prepared on each node. A new master that allows fewer makes them fail under load.",
        "Set max_prepared_transactions on the standby to the master's value and restart it.";
    Admission: "The old master can become a standby only if the new one lets it in. That is tried, because pg_hba.conf, passwords and the network all have a say.",
        "Add a `host replication` line for the old master's server to pg_hba.conf of the standby and run pg_reload_conf(). Waived, the old master cannot rejoin.";
    Backup: "The stop of the master would make a running backup worthless.",
        "Wait until the backup is done, or end it.";
    Transactions: "The stop ends open transactions. The older one is, the more work is lost.",
        "Look at pg_stat_activity on the master. This check only warns.";
    InDoubt: "A commit over several nodes was cut in half: it is prepared here and perhaps committed elsewhere. A client that reads such a row waits and holds the page, other clients of that page wait in a way that no signal ends, and then a fast stop of the master does not end either.",
        "Run the psql command of the hint, then plan again. What a client has prepared by PREPARE TRANSACTION is only named: its owner commits it or rolls it back.";
    PgClean: "A move cuts commits over several nodes in half that are in progress. otb finishes them by the cluster's own extension pg_clean, which must be in each database that clients use. otb creates nothing in your databases by itself.",
        "Run `create extension pg_clean` once in each database that clients use. Without it a run that leaves a transaction in doubt ends with exit 7 and names the command. This check only warns.";
    Hold: "While a datanode moves otb holds the statements of all clients, so that none fails. A transaction that stays open keeps the hold away; a session with server-side prepared statements that is idle all the time gets one error afterwards.",
        "End old transactions first. policy.hold says what otb does without a hold: prefer moves all the same, require moves nothing. This check only warns.";
    Slots: "Replication slots do not move to the new master. Who reads through one loses its place.",
        "Create them on the new master for those who use them; otb's standbys use none. This check only warns.";
    Archiver: "A stop waits until all WAL is archived: a backlog becomes a longer write gap.",
        "Mend archive_command on the master first, or expect the gap. This check only warns.";
    Tools: "otb runs pg_ctl, gtm_ctl, pg_controldata and pg_basebackup on the servers. One that is missing would be missed with the master already down.",
        "Correct `install` in the file, or the rights of its bin directory.";
    Clocks: "Logs of servers whose clocks differ cannot be read side by side, and tools that compare times are misled.",
        "Let chrony or ntpd set them right. This check only warns.";
    Supervisor: "systemd, cron or pgxc_ctl may start the old master again while otb works on its directory. otb's fence makes it come up as a standby, not as a second master.",
        "Switch it off until the run is over. This check only warns.";
    Promotion: "pg_ctl promote leaves its request in force when its own wait is over: a standby whose replay is paused or slow obeys later. Were another copy made master meanwhile, there would be two.",
        "Stop that standby: a start takes the request back. Or declare it as the master that it is about to be.";
    NextStart: "Whether a server starts as a standby its recovery.conf decides, a GTM its gtm.conf, and it is read at a start only. A standby that has lost it comes up as a second master after the next reboot, and nothing in OpenTenBase complains; a master that has one comes up as a standby.",
        "Do what the hint says before anything restarts that server. This check only warns.";
    Strangers: "A row for a node that the file does not name is one that otb neither looks at nor changes.",
        "Declare the node in the file, or drop the row with DROP NODE. This check only warns.";
}
