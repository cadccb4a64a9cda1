//! Several scripts in one shell, side by side, and the reader of what they print.
//!
//! Each line of the output is `NUMBER KEY TEXT`: the number is the script's place, the key says what of it follows.

use std::fmt::Write as _;

use super::quote;

/// The most scripts in one shell.
pub const MOST_JOINED: usize = 32;

const _: () = assert!(MOST_JOINED <= 100, "9 is what two digits, ` says ` and a line end add to a line");

/// The longest output of one script that is kept.
const MOST_BYTES: usize = 1 << 20;

/// Runs `$2` in a subshell and prints its output and its status, each with the number `$1`. Every script costs some
/// processes here, so a script's output and errors are one text.
///
/// A captured text loses line ends at its end, so it is closed by a dot: by the subshell's end, for a script may
/// `exit`. A line is written by one system call, and is not torn up to PIPE_BUF bytes (4096); what is torn all the same
/// shows in the count of lines.
///
/// To cut a text line by line takes a shell the square of its length, and pg_controldata's is 2 KB. So what goes into one
/// system call, the words before its lines included, is split into fields and printed at once; fields lose empty lines,
/// and a text that has some is cut.
///
/// The scripts are the members of one pipeline, through which nothing goes: those of a list in the background (`&`)
/// would ignore SIGINT and SIGQUIT, and a server started there would inherit that.
const FUNCTIONS: &str = r#"LC_ALL=C nl='
'
one() { number=$1; said=$( { trap 'printf .' EXIT; eval "$2"; } 2>&1 4>&- ); status=$?; lines=0
case $said in "$nl"*|*"$nl$nl"*) ;; *) IFS=$nl; set -f; set -- $said
if test $((${#said} + 9 * $#)) -le 4096; then lines=$#; printf "$number says %s\n" "$@" >&4; said=; fi;; esac
said=${said:+$said$nl}
while test -n "$said"; do printf '%s\n' "$number says ${said%%"$nl"*}"; said=${said#*"$nl"}; lines=$((lines + 1)); done >&4
printf '%s\n' "$number lines $lines" "$number status $status" >&4; }
exec 4>&1
"#;

/// A script that runs all of `scripts` side by side.
pub fn joint_script<'a>(scripts: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = FUNCTIONS.to_owned();
    for (number, script) in scripts.into_iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}one {number} {} </dev/null", if number == 0 { "" } else { " |\n" }, quote(script));
    }
    text.push('\n');
    text
}

/// The output of one of the scripts, and its exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: i32,
    pub text: String,
    /// Something of the text was left out.
    pub truncated: bool,
}

/// Reads the lines as they come.
#[derive(Debug)]
pub struct Answers(Vec<Draft>);

#[derive(Debug, Default)]
struct Draft {
    kept: String,
    lines: usize,
    /// As many were written.
    told: Option<usize>,
    truncated: bool,
}

impl Answers {
    /// For this number of scripts.
    pub fn to(count: usize) -> Self {
        Self(std::iter::repeat_with(Draft::default).take(count).collect())
    }

    /// Takes the next line, without its end. The script that it ends, if any, with its answer; none for it if lines of
    /// it were lost.
    pub fn line(&mut self, line: &str) -> Option<(usize, Option<Answer>)> {
        let mut words = line.splitn(3, ' ');
        let number: usize = words.next()?.parse().ok()?;
        let draft = self.0.get_mut(number)?;
        let (key, text) = (words.next()?, words.next()?);
        match key {
            "says" => draft.add(text),
            "lines" => draft.told = text.parse().ok(),
            "status" => return Some((number, std::mem::take(draft).answer(text))),
            _ => {}
        }
        None
    }
}

impl Draft {
    fn add(&mut self, line: &str) {
        self.lines += 1;
        if self.kept.len() + line.len() > MOST_BYTES {
            self.truncated = true;
        } else if !self.truncated {
            self.kept.push_str(line);
            self.kept.push('\n');
        }
    }

    /// None, if lines were lost.
    fn answer(self, status: &str) -> Option<Answer> {
        let end = if self.truncated { "\n" } else { ".\n" };
        let text = self.kept.strip_suffix(end).filter(|_| self.told == Some(self.lines))?;
        Some(Answer { status: status.parse().ok()?, text: text.to_owned(), truncated: self.truncated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_as_their_scripts_end() {
        let mut answers = Answers::to(2);
        for line in ["1 says a", "0 says .", "1 says .", "1 lines 2"] {
            assert_eq!(answers.line(line), None);
        }
        let one = Answer { status: 3, text: "a\n".to_owned(), truncated: false };
        assert_eq!(answers.line("1 status 3"), Some((1, Some(one))));
        assert_eq!(answers.line("0 status 0"), Some((0, None)), "its lines are missing");
        assert_eq!(["", "7 status 0", "x", "0"].map(|line| answers.line(line)), [None, None, None, None]);
    }

    #[test]
    fn lines_that_were_lost_make_no_answer() {
        let mut answers = Answers::to(1);
        for line in ["0 says a", "0 says .", "0 lines 3"] {
            answers.line(line);
        }
        assert_eq!(answers.line("0 status 0"), Some((0, None)));
    }

    #[test]
    fn long_output_is_cut() {
        let mut answers = Answers::to(1);
        let long = format!("0 says {}", "x".repeat(MOST_BYTES / 2));
        for line in [&long, &long, &long, "0 says .", "0 lines 4"] {
            answers.line(line);
        }
        let (_, answer) = answers.line("0 status 0").unwrap();
        assert!(answer.is_some_and(|answer| answer.truncated && answer.text.len() == MOST_BYTES / 2));
    }

    #[test]
    fn scripts_are_members_of_a_pipeline() {
        let script = joint_script(["it's", "exit 3"]);
        assert!(script.ends_with("one 0 'it'\\''s' </dev/null |\none 1 'exit 3' </dev/null\n"), "{script}");
    }
}
