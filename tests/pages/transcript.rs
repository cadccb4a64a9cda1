//! A page's blocks, typed and compared.

use std::fmt::Write as _;
use std::path::Path;

use super::normal::normalise;
use super::shell::Shell;

/// Stands for any number of lines.
const GAP: &str = "[...]";

/// How the test's directory is shown.
const HOME: &str = "/home/ann";

/// Types what the page at `path` tells to type, and compares what comes with what it shows.
pub(crate) fn hold(path: &Path) {
    let page = std::fs::read_to_string(path).unwrap();
    let actual = replay(&page);
    if actual == page {
        return;
    }
    if std::env::var_os("OTB_BLESS").is_some() {
        std::fs::write(path, &actual).unwrap();
        return;
    }
    let diff = similar::TextDiff::from_lines(&page, &actual);
    let diff = diff.unified_diff().context_radius(4).header("shown", "came").to_string();
    panic!("{} shows what does not come:\n{diff}", path.display());
}

/// The page again; where what came differs in more than what always differs, with what came.
fn replay(page: &str) -> String {
    let shell = Shell::new();
    let mut out = String::new();
    let mut lines = page.lines().peekable();
    let mut commands = 0;
    while let Some(line) = lines.next() {
        push(&mut out, line);
        let block = match line {
            "```console" | "```sh" => lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>(),
            _ => continue,
        };
        commands += 1;
        if line == "```sh" {
            let script = block.join("\n");
            let (code, said) = shell.run(&script, true);
            assert_eq!(code, 0, "{script}\n{said}");
            push(&mut out, &script);
        } else {
            console(&mut out, &block, &shell);
        }
        push(&mut out, "```");
    }
    assert!(commands > 0, "the page tells nothing to type");
    out
}

fn console(out: &mut String, block: &[&str], shell: &Shell) {
    let mut at = 0;
    assert!(block.first().is_some_and(|line| line.starts_with("$ ")), "a block begins with a command: {block:?}");
    while at < block.len() {
        let mut end = at + 1;
        while end < block.len() && block[end].starts_with("> ") {
            end += 1;
        }
        let continued = block[at..end].iter().map(|line| line.get(2..).unwrap_or_default());
        let command = continued.collect::<Vec<_>>().join("\n");
        let shown: Vec<&str> = block[end..].iter().copied().take_while(|line| !line.starts_with("$ ")).collect();
        let came = came(&command, shell);
        for line in &block[at..end] {
            push(out, line);
        }
        let came: Vec<&str> = came.lines().collect();
        let fits = fits(&normal(&shown, shell), &normal(&came, shell));
        let kept = if fits { shown.clone() } else { cut_alike(&shown, &came) };
        for line in kept {
            push(out, line);
        }
        at = end + shown.len();
    }
}

/// What came, with as many lines before its first gap and after its last as were shown.
fn cut_alike<'a>(shown: &[&'a str], came: &[&'a str]) -> Vec<&'a str> {
    let is_gap = |line: &&str| *line == GAP;
    let (Some(first), Some(last)) = (shown.iter().position(is_gap), shown.iter().rposition(is_gap)) else {
        return came.to_vec();
    };
    let exits = |lines: &[&str]| usize::from(lines.last().is_some_and(|line| line.starts_with("[exit ")));
    let tail = shown.len() - last - 1 - exits(shown) + exits(came);
    if came.len() <= first + tail {
        return came.to_vec();
    }
    [&came[..first], &[GAP], &came[came.len() - tail..]].concat()
}

/// Everything a command prints, as a page shows it.
fn came(command: &str, shell: &Shell) -> String {
    let (code, said) = shell.run(command, false);
    let mut text = said.replace(&shell.work().display().to_string(), HOME);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if code != 0 {
        writeln!(text, "[exit {code}]").unwrap();
    }
    shell.public(&text)
}

/// Lines without what differs from run to run, and without the blanks that align it.
fn normal(lines: &[&str], shell: &Shell) -> Vec<String> {
    let one = |line: &&str| {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        // On a machine that is busy, what takes milliseconds takes seconds.
        normalise(&words, shell.work()).replace(" T ms", " T s").replace(" N KiB", " N B")
    };
    lines.iter().map(one).collect()
}

/// Whether what is shown, gaps included, is what came. Steps that run side by side end in any order.
fn fits(shown: &[String], came: &[String]) -> bool {
    match shown.iter().position(|line| line == GAP) {
        None => same(shown, came),
        // An exit code is never passed over.
        Some(_) if is_exit(shown.last()) || is_exit(came.last()) => {
            shown.last() == came.last() && fits(&shown[..shown.len() - 1], &came[..came.len() - 1])
        }
        Some(gap) => {
            let (head, rest) = (&shown[..gap], &shown[gap + 1..]);
            came.len() >= gap && same(head, &came[..gap]) && (gap..=came.len()).any(|at| fits(rest, &came[at..]))
        }
    }
}

fn is_exit(line: Option<&String>) -> bool {
    line.is_some_and(|line| line.starts_with("[exit "))
}

fn same(shown: &[String], came: &[String]) -> bool {
    let sorted = |lines: &[String]| {
        let mut lines = lines.to_vec();
        let ended = |line: &String| ["done ", "undone "].iter().any(|word| line.starts_with(word));
        // Only neighbours that report ended steps change places.
        for run in lines.chunk_by_mut(|a, b| ended(a) && ended(b)) {
            run.sort();
        }
        lines
    };
    shown.len() == came.len() && sorted(shown) == sorted(came)
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}
