//! What holds for every plan, whatever state the cluster is in.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::seed::{cluster, fence, healthy, id, make_plan, make_plan_of, perform, reroute, stop};
use crate::model::*;
use crate::plan::{Plan, audit};

/// States that runs, operators and crashes leave behind.
#[derive(Debug, Clone)]
enum Blow {
    Stop(&'static str, ControlState),
    FenceStopped,
    WrongRoute {
        router: &'static str,
        node: &'static str,
        port: u16,
    },
    StalePool(&'static str),
    OutOfSight(&'static str),
    Lag(u64),
    /// Commits on every copy of dn01 wait for such standbys.
    Synchronous(&'static str),
    /// The first steps of the plan towards s47.
    CutOff(usize),
}

const INSTANCES: [&str; 6] = ["cn01@s29", "cn02@s47", "dn01@s29", "dn01@s47", "dn02@s29", "dn02@s47"];
const ROUTERS: [&str; 4] = ["cn01@s29", "cn02@s47", "dn01@s29", "dn02@s47"];

fn blow() -> impl Strategy<Value = Blow> {
    let state = prop_oneof![
        Just(ControlState::ShutDown),
        Just(ControlState::InProduction),
        Just(ControlState::ShutDownInRecovery)
    ];
    prop_oneof![
        (prop::sample::select(&INSTANCES[..]), state).prop_map(|(at, state)| Blow::Stop(at, state)),
        Just(Blow::FenceStopped),
        (prop::sample::select(&ROUTERS[..]), prop::sample::select(&["cn01", "dn01", "dn02"][..]), 1u16..9)
            .prop_map(|(router, node, port)| Blow::WrongRoute { router, node, port }),
        prop::sample::select(&ROUTERS[..2]).prop_map(Blow::StalePool),
        prop::sample::select(&INSTANCES[..]).prop_map(Blow::OutOfSight),
        (0u64..40 << 20).prop_map(Blow::Lag),
        prop::sample::select(&["*", "dn01_s29", "2 (*)", "other"][..]).prop_map(Blow::Synchronous),
        (0usize..17).prop_map(Blow::CutOff),
    ]
}

fn strike(seen: &mut Observation, blow: &Blow) {
    match blow {
        Blow::Stop(at, state) => stop(seen, at, *state),
        Blow::FenceStopped => {
            let upstream = cluster("s47").instance(&id("dn01@s47")).unwrap().endpoint.clone();
            if seen.instances[&id("dn01@s29")].is_stopped() {
                fence(seen, "dn01@s29", &upstream);
            }
        }
        Blow::WrongRoute { router, node, port } => {
            reroute(seen, &id(router).node, node, "172.16.0.47", *port);
        }
        Blow::StalePool(at) => seen.instances.get_mut(&id(at)).unwrap().pool_agrees = Fact::Known(false),
        Blow::OutOfSight(at) => {
            seen.instances.insert(id(at), InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5 s"));
        }
        Blow::Lag(bytes) => {
            seen.instances.get_mut(&id("dn01@s29")).unwrap().wal_end = Fact::Known(Lsn(1000 + bytes));
        }
        Blow::Synchronous(names) => {
            for at in ["dn01@s29", "dn01@s47"] {
                if let Fact::Known(settings) = &mut seen.instances.get_mut(&id(at)).unwrap().settings {
                    settings.0.insert("synchronous_commit".to_owned(), "on".to_owned());
                    settings.0.insert("synchronous_standby_names".to_owned(), (*names).to_owned());
                }
            }
        }
        Blow::CutOff(steps) => {
            let towards = cluster("s47");
            for step in make_plan(&towards, &healthy(&towards)).steps.iter().take(*steps) {
                perform(&step.action, &towards, seen);
            }
        }
    }
}

/// A state and what the file asks for. `CutOff` can only be the first blow.
fn state() -> impl Strategy<Value = (Cluster, Observation)> {
    let start = prop_oneof![Just(0usize), 0usize..17];
    let others = blow().prop_filter("only at the start", |blow| !matches!(blow, Blow::CutOff(_)));
    (prop::sample::select(&["s29", "s47"][..]), start, prop::collection::vec(others, 0..3)).prop_map(
        |(on, cut, blows)| {
            let declared = cluster(on);
            let mut seen = healthy(&declared);
            strike(&mut seen, &Blow::CutOff(cut));
            for blow in &blows {
                // A blow needs something to hit: a process out of sight has no WAL end to stop at.
                let hits = match blow {
                    Blow::Stop(at, _) => seen.instances[&id(at)].process == Fact::Known(Process::Running),
                    _ => true,
                };
                if hits {
                    strike(&mut seen, blow);
                }
            }
            (declared, seen)
        },
    )
}

fn needs_are_earlier_steps(plan: &Plan) -> Result<(), TestCaseError> {
    for (n, step) in plan.steps.iter().enumerate() {
        for need in &step.needs {
            prop_assert!(plan.steps[..n].iter().any(|earlier| earlier.id == *need), "{} needs {need}", step.id);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn planning_twice_gives_the_same_bytes((declared, seen) in state()) {
        let bytes = || serde_json::to_string(&make_plan(&declared, &seen)).unwrap();
        prop_assert_eq!(bytes(), bytes());
    }

    #[test]
    fn a_plan_that_is_carried_out_leaves_nothing_to_plan((declared, mut seen) in state()) {
        let plan = make_plan(&declared, &seen);
        needs_are_earlier_steps(&plan)?;
        if !plan.is_refused() {
            for step in &plan.steps {
                perform(&step.action, &declared, &mut seen);
            }
            let rest = make_plan(&declared, &seen);
            prop_assert!(rest.changes.is_empty(), "{:#?}", rest.changes);
        }
    }

    #[test]
    fn the_audit_accepts_every_plan_that_is_not_refused((declared, seen) in state()) {
        let plan = make_plan(&declared, &seen);
        prop_assume!(!plan.is_refused());
        prop_assert_eq!(audit(&plan), Vec::<String>::new());
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written((declared, seen) in state()) {
        let plan = make_plan(&declared, &seen);
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }

    /// Some masters of a server at a time: the other wishes of the file must not lead the steps astray.
    #[test]
    fn where_the_file_wants_what_a_target_leaves_aside_does_not_matter((declared, seen) in state()) {
        let mut more = declared.clone();
        for (name, node) in more.nodes.iter_mut().filter(|(name, _)| name.as_str() != "dn01") {
            if let Some(other) = node.instances.keys().find(|server| **server != node.master).cloned() {
                prop_assert!(["dn02", "gtm_1"].contains(&name.as_str()));
                node.master = other;
            }
        }
        let (plan, same) = (make_plan_of(&["dn01"], &more, &seen), make_plan_of(&["dn01"], &declared, &seen));
        prop_assert_eq!(&plan.steps, &same.steps);
        prop_assume!(!plan.is_refused());
        let is_master = |id: &InstanceId| seen.instances[id].is_running(Role::Master);
        for at in plan.steps.iter().map(|step| step.action.target()).filter(|at| at.node.as_str() != "dn01") {
            prop_assert!(is_master(at), "{at} is told, and is no master");
        }
    }

    #[test]
    fn what_a_refused_plan_sets_apart_can_be_done_alone((mut declared, seen) in state()) {
        declared.nodes.get_mut(&NodeName::new("dn02").unwrap()).unwrap().master = ServerName::new("s29").unwrap();
        let plan = make_plan(&declared, &seen);
        prop_assume!(!plan.independent_nodes.is_empty());
        prop_assert!(plan.is_refused());
        let apart: Vec<&str> = plan.independent_nodes.iter().map(NodeName::as_str).collect();
        let alone = make_plan_of(&apart, &declared, &seen);
        prop_assert!(!alone.is_refused(), "{:?}", alone.checks);
        let changed: BTreeSet<&str> = alone.changes.iter().map(|change| change.node.as_str()).collect();
        prop_assert_eq!(changed.into_iter().collect::<Vec<_>>(), apart);
    }

    #[test]
    fn only_a_fully_seen_cluster_is_called_right((declared, seen) in state()) {
        let hidden = seen.instances.values().any(|facts| facts.process.known().is_none());
        prop_assert!(!(hidden && make_plan(&declared, &seen).is_empty()));
    }

    #[test]
    fn nothing_is_promoted_beside_a_copy_that_may_be_written_to((declared, seen) in state()) {
        let plan = make_plan(&declared, &seen);
        if plan.is_refused() {
            return Ok(());
        }
        for step in plan.steps.iter().filter(|step| step.point_of_no_return) {
            let to = step.action.target();
            for (other, facts) in seen.instances.iter().filter(|(other, _)| other.node == to.node && *other != to) {
                let stopped_first = plan.steps.iter().any(|s| s.id.as_str() == format!("stop:{other}"));
                prop_assert!(stopped_first || facts.is_stopped() || facts.is_running(Role::Standby), "{other}");
            }
        }
    }
}
