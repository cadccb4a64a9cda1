use proptest::prelude::*;

use super::arithmetic::{Names, evaluate};
use super::*;

/// The kinds of the commands at the top, with their lines.
fn kinds(text: &str) -> Vec<(usize, String)> {
    let kind = |kind: &Kind| format!("{kind:?}").split(['(', ' ']).next().unwrap_or_default().to_owned();
    read(text).unwrap().iter().map(|command| (command.line, kind(&command.kind))).collect()
}

#[test]
fn commands_are_told_apart() {
    let script = "#!/usr/bin/env bash\nexport a=1 # one\nb=(x\n  y) # list\nif true; then c='d e'; fi >/dev/null 2>&1\n\
                  cat > $f <<-EOF\nz=9 (\n\tEOF\nd=$HOME/\"$a\"\nfor i in 1 2\ndo :; done < <(x)\n(a=1)\ne=1 f\n\
                  f() { g=1; }\nfunction h\n{ i=1\n}\nj=()\ncase $x in (a|b) c=1;; *) d=2 ;; esac\n((k++))\n[[ a == b && c ]]\n\
                  l=1 && m=2 || n=3\no=1 | p=2\nq=1 & r[1+1]+=x\nwhile [ x ]; do s=1; done\n! t\nuntil u; do v; done\n\
                  select w in a b; do x=1; done\nfor ((y=0; y<3; y++)); do z=1; done; 2>x\n";
    let expected = [
        (2, "Declare"),
        (3, "Assign"),
        (5, "If"),
        (6, "Simple"),
        (9, "Assign"),
        (10, "For"),
        (12, "Subshell"),
        (13, "Simple"),
        (14, "Function"),
        (15, "Function"),
        (18, "Assign"),
        (19, "Perhaps"),
        (20, "Arithmetic"),
        (21, "Test"),
        (22, "Chain"),
        (23, "Subshell"),
        (24, "Subshell"),
        (24, "Assign"),
        (25, "While"),
        (26, "Not"),
        (27, "While"),
        (28, "Perhaps"),
        (29, "Count"),
    ];
    let found = kinds(script);
    let found: Vec<(usize, &str)> = found.iter().map(|(line, kind)| (*line, kind.as_str())).collect();
    assert_eq!(found[..23], expected);
}

#[test]
fn mistakes_have_lines() {
    for (script, line) in [
        ("a=1\nb='x\n", 2),
        ("a=(1\n2\n", 1),
        ("a=\n\nb=\"$(x\"\n", 3),
        ("cat <<E\nx\n", 2),
        ("a=1\nif true; then\nb=1\n", 2),
        ("a=1\nfi\n", 2),
        ("for i in 1 2; do\n", 1),
        ("x\n)\n", 2),
        ("case x in\na) b\n", 1),
    ] {
        let error = read(script).unwrap_err();
        assert_eq!(error.line, Some(line), "{script}: {error}");
    }
    assert!(read(&"(".repeat(100_000)).is_err());
    assert!(read(&format!("a={}x{}", "${a:-".repeat(1000), "}".repeat(1000))).is_err());
}

#[test]
fn braces_are_written_out() {
    for (word, words) in [
        ("dn{1..3}", "dn1 dn2 dn3"),
        ("dn{08..11}", "dn08 dn09 dn10 dn11"),
        ("{3..1}", "3 2 1"),
        ("{1..7..3}x", "1x 4x 7x"),
        ("{a..c}", "a b c"),
        ("a{b,c{d,e}}f", "abf acdf acef"),
        ("{a,b}{1,2}", "a1 a2 b1 b2"),
        ("{a}", "{a}"),
        ("{a..}", "{a..}"),
        ("a{,b}", "a ab"),
        ("{{a,b}}", "{a} {b}"),
        ("{", "{"),
        ("{-1..1}", "-1 0 1"),
    ] {
        let written: Word = vec![Piece::Text { text: word.to_owned(), quoted: false }];
        let all: Vec<String> = braces(&written).unwrap().iter().filter_map(literal).collect();
        assert_eq!(all.join(" "), words, "{word}");
    }
    let quoted: Word = vec![Piece::Text { text: "{1..3}".to_owned(), quoted: true }];
    assert_eq!(braces(&quoted).unwrap(), [quoted]);
    let long: Word = vec![Piece::Text { text: "{1..99999}".to_owned(), quoted: false }];
    assert_eq!(braces(&long), None);
}

/// Every name is 7; what is set is written down.
#[derive(Default)]
struct Sevens(Vec<(String, i64)>);

impl Names for Sevens {
    fn get(&mut self, name: &str) -> Result<i64, String> {
        if name == "none" { Err("none".to_owned()) } else { Ok(7) }
    }

    fn set(&mut self, name: &str, value: i64) {
        self.0.push((name.to_owned(), value));
    }
}

#[test]
fn arithmetic_is_as_bash_does_it() {
    for (text, value) in [
        ("", 0),
        (" 1 + 2*3 ", 7),
        ("(1+2)*3", 9),
        ("23001 + i", 23008),
        ("-i", -7),
        ("2**3**2", 512),
        ("-2**2", 4),
        ("10/3%2", 1),
        ("1<2==1", 1),
        ("010+0x1f", 39),
        ("!i", 0),
        ("~0", -1),
        ("i++ + 1", 8),
        ("--i", 6),
        ("i += 3", 10),
        ("a = b = 4", 4),
        ("1 << 4 | 1", 17),
        ("i && 0 || 1", 1),
        ("6 & 3 ^ 1", 3),
        ("i - -1", 8),
    ] {
        assert_eq!(evaluate(text, &mut Sevens::default()), Ok(value), "{text}");
    }
    for text in
        ["1 +", "1 2", "08", "a[1]", "1 ? 2 : 3", "1/0", "none", "0 && i++", "16#ff", "(", "9999999999*9999999999"]
    {
        assert!(evaluate(text, &mut Sevens::default()).is_err(), "{text}");
    }
    assert!(evaluate(&"(".repeat(100_000), &mut Sevens::default()).is_err());
    assert!(evaluate(&"-".repeat(99_999), &mut Sevens::default()).is_err());
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(text in "[a-c=()$\"'` \\n{}\\[\\]<|&+\\\\#;~-]{0,40}") {
        let _ = read(&text);
    }
}
