//! The page in a real browser: on a phone and on a desk, by day and by night.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use otb::view::plan_html;
use serde_json::Value;

use crate::skip::skipped;
use crate::values::Shape;

/// What the page is asked once it is laid out. The page itself has no script and forbids any: a copy without that rule
/// is asked.
const QUESTIONS: &str = r#"<script>
const boxes = [...document.querySelectorAll("svg.otb g")].map(g => ({
  box: g.querySelector("rect").getBoundingClientRect(), texts: [...g.querySelectorAll("text")].map(t => t.getBoundingClientRect()) }));
const over = boxes.filter(b => b.texts.some(t => t.right > b.box.right || t.bottom > b.box.bottom + 1)).length;
const [before, after] = [...document.querySelectorAll("svg.otb")].map(s => s.getBoundingClientRect());
const answer = { width: innerWidth, needed: document.documentElement.scrollWidth, boxes: boxes.length, over,
  letters: Math.min(...boxes.flatMap(b => b.texts.map(t => t.height))), stacked: after.top >= before.bottom,
  page: getComputedStyle(document.body).backgroundColor, text: getComputedStyle(document.body).color };
parent.postMessage("ANSWER" + JSON.stringify(answer) + "END", "*");
</script></body>"#;

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name))).find(|file| file.is_file())
}

/// Opens the page in a window of that width, in the dark or not, and asks.
fn ask(browser: &Path, dir: &Path, width: u32, dark: bool) -> Value {
    let profile = dir.join(format!("profile-{width}-{dark}"));
    let mut command = Command::new("timeout");
    command.arg("60").arg(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"]);
    // Chromium's own numbers: 0 is dark, 1 is light.
    command.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)));
    command
        .args(["--window-size=1400,1200", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.display()));
    // A window is never narrower than 500; a frame is as narrow as a phone.
    let frame = format!(
        "<script>onmessage = event => document.body.append(event.data)</script>\
         <iframe src='page.html' style='width:{width}px;height:1000px;border:0;color-scheme:{}'></iframe>",
        if dark { "dark" } else { "light" }
    );
    std::fs::write(dir.join("frame.html"), frame).unwrap();
    let output = command.arg(format!("file://{}/frame.html", dir.display())).stdin(Stdio::null()).output().unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let answer = dom.rsplit_once("ANSWER").and_then(|(_, rest)| rest.split("END").next());
    let answer = answer.unwrap_or_else(|| panic!("no answer: {dom}\n{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(&answer.replace("&quot;", "\"")).unwrap()
}

/// How light a `rgb(…)` is, from 0 to 255.
fn light(color: &Value) -> u32 {
    let numbers = color.as_str().unwrap().trim_start_matches("rgb(").trim_end_matches(')');
    numbers.split(',').map(|number| number.trim().parse::<u32>().unwrap()).sum::<u32>() / 3
}

#[test]
fn readable_on_a_phone_and_on_a_desk_by_day_and_by_night() {
    let Some(browser) = browser() else {
        skipped("1 browser test", "no chromium on the PATH");
        return;
    };
    let dir = tempfile::Builder::new().prefix("otb-page-").tempdir().unwrap();
    let plan =
        Shape { servers: 3, coordinators: 2, datanodes: 4, moved: 2, name: "a_datanode_with_a_long_name_" }.plan();
    let page = plan_html(&plan);
    let rule = page.find("<meta http-equiv").unwrap();
    let rule_end = rule + page[rule..].find('>').unwrap() + 1;
    let page = format!("{}{}", &page[..rule], &page[rule_end..]).replace("</body>", QUESTIONS);
    std::fs::write(dir.path().join("page.html"), page).unwrap();
    for (width, dark) in [(375, false), (375, true), (1200, false), (1200, true)] {
        let answer = ask(&browser, dir.path(), width, dark);
        assert_eq!(answer["width"], width, "{answer}");
        assert!(answer["needed"].as_u64() <= answer["width"].as_u64(), "nobody scrolls sideways: {answer}");
        assert_eq!((&answer["boxes"], &answer["over"]), (&(2 * (2 + 2 + 8)).into(), &0.into()), "{answer}");
        assert!(answer["letters"].as_f64().unwrap() >= 11.0, "letters can be read: {answer}");
        assert_eq!(answer["stacked"], width == 375, "{answer}");
        let (page, text) = (light(&answer["page"]), light(&answer["text"]));
        assert!(if dark { page < 40 && text > 200 } else { page > 240 && text < 60 }, "{answer}");
    }
}
