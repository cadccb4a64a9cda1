//! Text for a window of so many columns: what is longer goes on below where it began, not at the left edge.

use unicode_width::UnicodeWidthStr as _;

/// The first column in which a line's last part may begin: behind it two blanks are no gap between columns.
const LAST_GAP: usize = 40;

/// How a statement or command of a plan begins: it is copied, so nothing is put into it.
const STATEMENTS: [&str; 3] = ["      | ", "      .   ", "  next"];

/// `text` with each line that is longer than `columns` folded between its words.
pub fn fold(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let statement = STATEMENTS.iter().any(|start| line.starts_with(start));
        let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
        if statement || width(words) <= columns {
            out.push_str(words);
        } else {
            fold_line(&mut out, words, columns);
        }
        out.push_str(end);
    }
    out
}

fn fold_line(out: &mut String, line: &str, columns: usize) {
    let hang = hang(line, columns);
    let mut column = 0;
    // Blanks belong to the word behind them, so that columns stay where they are.
    for (blanks, letters) in words(line) {
        let begins = column + blanks.len();
        if column > hang && begins + width(letters) > columns {
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            column = hang;
        } else {
            out.push_str(blanks);
            column = begins;
        }
        out.push_str(letters);
        column += width(letters);
    }
}

/// Each word's letters behind the blanks before it.
fn words(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (blanks, begun) = rest.split_at(rest.len() - rest.trim_start_matches(' ').len());
        let (letters, left) = begun.split_at(begun.find(' ').unwrap_or(begun.len()));
        let is_word = !rest.is_empty();
        rest = left;
        is_word.then_some((blanks, letters))
    })
}

/// The column where a line continues: under its last column, or a little further in than its beginning.
fn hang(line: &str, columns: usize) -> usize {
    let (mut column, mut last) = (0, 2);
    for (blanks, letters) in words(line) {
        let begins = column + blanks.len();
        if blanks.len() > 1 && begins <= LAST_GAP.min(columns / 2) {
            last = begins;
        }
        column = begins + width(letters);
    }
    last
}

/// Columns on a screen: colours take none.
fn width(text: &str) -> usize {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().map_or(0, str::width);
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, part)| part.width())).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn lines_go_on_under_their_last_column() {
        let check = "  block   fence:dn01             whether dn01@s29 still runs is not known: no answer within 5 s";
        let (first, rest) = fold(check, 80).split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(first, "  block   fence:dn01             whether dn01@s29 still runs is not known: no");
        assert_eq!(rest, format!("{}answer within 5 s", " ".repeat(33)));
        assert_eq!(fold("one two three", 8), "one two\n  three");
    }

    #[test]
    fn what_fits_and_what_is_copied_stays_as_it_is() {
        let statement = format!("      | s29$ pg_ctl {}\n", "stop ".repeat(40));
        for text in ["", "\n", "short\n", "no end", statement.as_str()] {
            assert_eq!(fold(text, 40), text);
        }
    }

    #[test]
    fn colours_and_wide_letters_are_counted_as_they_are_seen() {
        let red = format!("\u{1b}[31m{}\u{1b}[0m", "a ".repeat(19));
        assert_eq!(fold(&red, 40), red);
        assert_eq!(fold("数据 数据 数据", 9), "数据 数据\n  数据");
    }

    #[test]
    fn nothing_but_blanks_is_lost() {
        let letters = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = format!("  unknown  promote:dn01@s47: {}\n", "contact with the shell of s47 was lost ".repeat(9));
        for columns in 1..120 {
            let folded = fold(&text, columns);
            assert_eq!(letters(&folded), letters(&text), "{columns}");
            assert!(columns < 60 || folded.lines().all(|line| line.len() <= columns), "{folded}");
        }
    }
}
