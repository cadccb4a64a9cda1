//! The output of a script, by instance and key.

use std::collections::BTreeMap;

/// The texts of a script's output, by an instance's number and a key.
pub(super) struct Output(BTreeMap<(usize, String), String>);

impl Output {
    pub(super) fn read(text: &str) -> Self {
        let mut texts: BTreeMap<(usize, String), String> = BTreeMap::new();
        // A line without its end is no answer.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let mut words = line.splitn(3, ' ');
            let number = words.next().and_then(|word| word.parse::<usize>().ok());
            if let (Some(number), Some(key)) = (number, words.next()) {
                let lines = texts.entry((number, key.to_owned())).or_default();
                lines.push_str(words.next().unwrap_or_default());
                lines.push('\n');
            }
        }
        Self(texts)
    }

    pub(super) fn of(&self, number: usize) -> ProbeOutput<'_> {
        ProbeOutput { number, output: self }
    }
}

/// The output for one instance.
#[derive(Clone, Copy)]
pub(super) struct ProbeOutput<'a> {
    number: usize,
    output: &'a Output,
}

impl<'a> ProbeOutput<'a> {
    /// Lines of the whole server are under the first instance's number.
    pub(super) fn of_the_server(self) -> Self {
        self.output.of(0)
    }

    pub(super) fn text(self, key: &str) -> &'a str {
        self.output.0.get(&(self.number, key.to_owned())).map_or("", |text| text.trim_end_matches('\n'))
    }

    /// A tool's exit status and output; nothing if the output ends before it.
    pub(super) fn tool(self, key: &str) -> Option<(i32, &'a str)> {
        let status = self.text(&format!("{key}.status")).parse().ok()?;
        Some((status, self.text(key)))
    }
}
