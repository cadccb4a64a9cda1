//! How long statements fail while the GTM moves under writers, beside how long stop and promote take by hand.

use std::time::{Duration, Instant};

use crate::cluster::Real;
use crate::rows::{median, settle, switch_by_otb, table, writers};
use crate::say;
use crate::writer::Writer;

/// How much longer than stop and promote by hand a client may wait.
const BEYOND: Duration = Duration::from_millis(1500);

/// There and back again, by hand and by otb, in the same minute.
pub(crate) fn statements_fail_briefly(real: &Real) {
    table(real);
    let writers = writers(real);
    std::thread::sleep(Duration::from_secs(1));
    let (mut gaps, mut hands) = (Vec::new(), Vec::new());
    for (from, to) in [("s29", "s47"), ("s47", "s29")] {
        hands.push(by_hand(real, from, to));
        settle(&writers);
    }
    for to in ["s47", "s29", "s47", "s29"] {
        gaps.push(switch_by_otb(real, "gtm_1", to, &writers));
    }
    writers.into_iter().map(Writer::finish).for_each(drop);
    let (gap, hand) = (median(&mut gaps), median(&mut hands));
    say(&format!(
        "real lane: {} switchovers of gtm_1 under writes: clients waited {gap:.3} s (median), stop and promote by hand \
         {hand:.3} s: {:.3} s beyond",
        gaps.len(),
        gap - hand
    ));
    assert!(gap - hand <= BEYOND.as_secs_f64(), "{gap:.3} s are more than {BEYOND:?} beyond {hand:.3} s by hand");
}

/// The two commands of the guide, timed; then what it leaves out.
fn by_hand(real: &Real, from: &str, to: &str) -> Duration {
    let (old, new) = (real.instance(&format!("gtm_1@{from}")), real.instance(&format!("gtm_1@{to}")));
    let begun = Instant::now();
    real.hands().must(&format!("gtm_ctl -Z gtm -D {} stop -m fast", old.data), 60);
    let stopped = begun.elapsed();
    let begun = Instant::now();
    real.promote_gtm(new);
    let promoted = begun.elapsed();
    real.tell_of_gtm(new);
    real.make_gtm_standby(old, new);
    stopped + promoted
}
