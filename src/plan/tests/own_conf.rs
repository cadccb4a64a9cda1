//! A standby's own recovery.conf: what of it a plan keeps, and what it warns of.

use super::seed::{cluster, healthy, id, make_plan};
use crate::model::*;
use crate::plan::{Action, Plan, Verdict, audit};

fn with(seen: &mut Observation, at: &str, own: RecoverySettings) {
    let Fact::Known(dir) = &mut seen.instances.get_mut(&id(at)).unwrap().data_dir else { panic!() };
    dir.recovery_conf.as_mut().unwrap().own = own;
}

fn verdict(plan: &Plan, check: &str) -> Option<Verdict> {
    plan.checks.iter().find(|found| found.id.as_str() == check).map(|found| found.verdict)
}

#[test]
fn a_delayed_standby_is_not_promoted_without_a_waiver() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    assert_eq!(verdict(&make_plan(&declared, &seen), "delay:dn01@s47"), None);
    with(&mut seen, "dn01@s47", RecoverySettings { delay: Some("4h".to_owned()), ..RecoverySettings::default() });
    let plan = make_plan(&declared, &seen);
    assert_eq!(verdict(&plan, "delay:dn01@s47"), Some(Verdict::Block));
    seen.instances.get_mut(&id("dn01@s29")).unwrap().process = Fact::Known(Process::Stopped);
    assert_eq!(verdict(&make_plan(&declared, &seen), "delay:dn01@s47"), Some(Verdict::Block));
}

#[test]
fn what_a_standby_keeps_is_in_the_plan_and_a_slot_is_warned_of() {
    let declared = cluster("s29");
    let mut seen = healthy(&declared);
    let own = RecoverySettings {
        keeps: vec!["primary_slot_name".to_owned(), "restore_command".to_owned()],
        delay: None,
        slot: Some("dr".to_owned()),
    };
    with(&mut seen, "dn01@s47", own);
    // It follows another master.
    let stranger = Endpoint { host: Host::new("172.16.0.99").unwrap(), port: 1 };
    let Fact::Known(standby) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().standby else { panic!() };
    standby.upstream = Some(stranger);
    let plan = make_plan(&declared, &seen);
    let step = plan.steps.iter().find(|step| step.id.as_str() == "rejoin:dn01@s47").unwrap();
    assert!(matches!(&step.action, Action::Rejoin { keeps, .. } if keeps.len() == 2), "{step:?}");
    let lines: Vec<String> = step.run.iter().collect();
    assert!(lines[0].contains("recovery.conf.otb-old"), "{lines:?}");
    assert!(lines[1].ends_with(", with its own primary_slot_name, restore_command"), "{lines:?}");
    assert_eq!(verdict(&plan, "slots:dn01@s47"), Some(Verdict::Warn));
    assert_eq!(audit(&plan), Vec::<String>::new());
}
