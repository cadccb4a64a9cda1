//! A terminal sends Ctrl-C to everything in otb's process group: what otb has started for itself must not be in it.

use std::time::Duration;

use crate::Behind;
use crate::support::over_ssh::path;
use crate::support::terminal::{CTRL_C, Terminal};

#[test]
fn ctrl_c_cuts_no_connection() {
    let Some(behind) = Behind::up() else { return };
    behind.place.declare("dn01", "s47");
    let before = behind.place.state();
    behind.place.fault("slow pg_ctl 500");
    let path = path(&behind.sshds);
    let env = [("PATH", path.to_str().unwrap())];
    let mut terminal = Terminal::otb(&behind.place.file(), "apply --auto-approve", 100, &env);
    terminal.until("stop:dn01@s29, ");
    // Its ssh client leaves otb's process group just before it becomes one.
    std::thread::sleep(Duration::from_millis(150));
    terminal.types(CTRL_C);
    let shown = terminal.end();
    shown.ends(6, &["interrupted: ", "done     stop:dn01@s29", "undone   stop:dn01@s29", "rolled back"]);
    assert!(!shown.screen.contains("lost"), "{}", shown.screen);
    assert_eq!(behind.place.state(), before);
}
