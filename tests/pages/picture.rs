//! The README's picture of a plan: what `otb plan` prints on a terminal, drawn.

use anstyle_svg::Term;

use super::root;
use super::shell::Shell;

const FILE: &str = "docs/plan.svg";

/// The colours of a terminal, for pages that are light and for those that are dark. The picture has a ground of its own:
/// it can be read where the page's theme is not the browser's.
const COLOURS: &str = "    .fg { fill: #1f2328 } .bg { fill: #f6f8fa; stroke: #d1d9e0 }
    .fg-magenta { fill: #8250df } .fg-green { fill: #1a7f37 } .fg-red { fill: #c1121f }
    @media (prefers-color-scheme: dark) {
      .fg { fill: #e6edf3 } .bg { fill: #0d1117; stroke: #3d444d }
      .fg-magenta { fill: #d2a8ff } .fg-green { fill: #56c271 } .fg-red { fill: #ff8a80 }
    }
  </style>";

/// `OTB_BLESS=1` draws it anew.
#[test]
fn the_picture_is_the_plan() {
    let drawn = draw(&plan());
    let path = root().join(FILE);
    if std::env::var_os("OTB_BLESS").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    assert!(roxmltree::Document::parse(&drawn).is_ok());
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        without_times(&committed) == without_times(&drawn),
        "{FILE} is not what otb plan prints now: OTB_BLESS=1 cargo test --test pages, and look at it"
    );
}

/// The write gap that a plan expects depends on how fast its questions were answered.
fn without_times(drawing: &str) -> String {
    let times = |line: &str| line.contains(" ms expected");
    drawing.lines().filter(|line| !times(line)).collect::<Vec<_>>().join("\n")
}

/// The tutorial's first plan in colour, with the addresses and directories of the file in examples/.
fn plan() -> String {
    let shell = Shell::new();
    let script = "otb sandbox up --dir demo >/dev/null\nsed -i '/dn01:/,/master:/ s/s29/s47/' demo/cluster.yaml\n\
                  otb -f demo/cluster.yaml --color always plan 2>/dev/null";
    let (code, said) = shell.run(script, true);
    assert_eq!(code, 0, "{said}");
    let dir = shell.work().join("demo").display().to_string();
    let said = shell.public(&said).replace("127.0.0.", "172.16.0.").replace(&dir, "/data");
    let lines: Vec<&str> = said.lines().collect();
    let at = |word: &str, nth: usize| {
        let found = lines.iter().enumerate().filter(|(_, line)| plain(line).contains(word));
        found.map(|(at, _)| at).nth(nth).unwrap()
    };
    // What other routers are told is alike; the fingerprint below the checks is another one in each directory.
    let (second, checks) = (at(". reroute:", 1), at("Checks: ", 0));
    [&["$ otb plan"], &lines[..second], &["[...]", ""], &lines[checks..=checks]].concat().join("\n")
}

fn plain(line: &str) -> String {
    anstream::adapter::strip_str(line).to_string()
}

fn draw(text: &str) -> String {
    let svg = Term::new().render_svg(text);
    assert_eq!(svg.matches("</style>").count(), 1);
    let svg = svg.replacen("  </style>", COLOURS, 1);
    // Scaled to the page it stands on.
    let size = |name: &str| {
        let rest = svg.split(&format!("{name}=\"")).nth(1).unwrap();
        rest.split("px").next().unwrap().to_owned()
    };
    let view = format!(
        "<svg role=\"img\" aria-label=\"otb plan\" viewBox=\"0 0 {} {}\" width=",
        size("width"),
        size("height")
    );
    svg.replacen("<svg width=", &view, 1)
}
