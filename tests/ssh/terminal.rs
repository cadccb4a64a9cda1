//! A terminal sends Ctrl-C to everything in otb's process group: what otb has started for itself must not be in it.

use std::time::{Duration, Instant};

use crate::Behind;
use crate::support::over_ssh::path;
use crate::support::terminal::{CTRL_C, Terminal};

/// Waits until the sandbox's pg_ctl has been started to stop something.
fn until_it_stops(behind: &Behind) {
    let dir = behind.place.dir().display().to_string();
    let is_it = |words: &[u8]| {
        let words = String::from_utf8_lossy(words);
        let words: Vec<&str> = words.split('\0').collect();
        words[0].ends_with("pg_ctl") && words.contains(&"stop") && words.iter().any(|word| word.starts_with(&dir))
    };
    let begun = Instant::now();
    loop {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        if processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok()).any(|words| is_it(&words))
        {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "pg_ctl was never started");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ctrl_c_cuts_no_connection() {
    let Some(behind) = Behind::up() else { return };
    behind.place.declare("dn01", "s47");
    let before = behind.place.state();
    behind.place.fault("slow pg_ctl 2000");
    let path = path(&behind.sshds);
    let env = [("PATH", path.to_str().unwrap())];
    let mut terminal = Terminal::otb(&behind.place.file(), "apply --auto-approve", 100, &env);
    terminal.until("stop:dn01@s29, ");
    // Its ssh client leaves otb's process group just before it becomes one, and then sends what runs there.
    until_it_stops(&behind);
    terminal.types(CTRL_C);
    let shown = terminal.end();
    shown.ends(6, &["Interrupted. Rolling back ", "done     stop:dn01@s29", "undone   stop:dn01@s29", "rolled back"]);
    assert!(!shown.screen.contains("lost"), "{}", shown.screen);
    assert_eq!(behind.place.state(), before);
}
