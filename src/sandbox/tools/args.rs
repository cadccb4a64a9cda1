//! getopt, as far as the tools need it: short options joined or apart from their value, long ones with `=`.

use std::collections::BTreeMap;

/// A tool's command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// By one-letter name, each as often as it was given; flags have an empty value.
    pub options: BTreeMap<char, Vec<String>>,
    pub words: Vec<String>,
}

impl Parsed {
    /// `with_value` lists the options that take one; `long` maps long names to letters.
    pub(super) fn parse(args: &[String], with_value: &str, flags: &str, long: &[(&str, char)]) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if let Some(name) = arg.strip_prefix("--") {
                let (name, given) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
                let letter = long.iter().find(|(known, _)| *known == name).map(|(_, letter)| *letter);
                let Some(letter) = letter else { return Err(format!("unrecognized option '--{name}'")) };
                let value = match given {
                    Some(value) => value.to_owned(),
                    None if with_value.contains(letter) => args.next().cloned().unwrap_or_default(),
                    None => String::new(),
                };
                parsed.add(letter, value);
            } else if let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                parsed.short(letters, &mut args, with_value, flags)?;
            } else {
                parsed.words.push(arg.clone());
            }
        }
        Ok(parsed)
    }

    fn short<'a>(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = &'a String>,
        with_value: &str,
        flags: &str,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            if with_value.contains(letter) {
                let joined = &letters[at + letter.len_utf8()..];
                let value = if joined.is_empty() { rest.next().cloned() } else { Some(joined.to_owned()) };
                let value = value.ok_or_else(|| format!("option requires an argument -- '{letter}'"))?;
                self.add(letter, value);
                return Ok(());
            }
            if !flags.contains(letter) {
                return Err(format!("invalid option -- '{letter}'"));
            }
            self.add(letter, String::new());
        }
        Ok(())
    }

    fn add(&mut self, letter: char, value: String) {
        self.options.entry(letter).or_default().push(value);
    }

    pub(super) fn has(&self, letter: char) -> bool {
        self.options.contains_key(&letter)
    }

    /// The last one counts.
    pub(super) fn value(&self, letter: char) -> Option<&str> {
        self.values(letter).last().map(String::as_str)
    }

    /// All, in their order.
    pub(super) fn values(&self, letter: char) -> &[String] {
        self.options.get(&letter).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_options_joined_and_apart() {
        let args = ["-Z", "datanode", "-D/d", "stop", "-mf", "-w", "-t5", "--silent"].map(str::to_owned);
        let parsed = Parsed::parse(&args, "ZDmt", "ws", &[("silent", 's')]).unwrap();
        assert_eq!(parsed.words, ["stop"]);
        assert_eq!(
            (parsed.value('Z'), parsed.value('D'), parsed.value('m')),
            (Some("datanode"), Some("/d"), Some("f"))
        );
        assert!(parsed.has('w') && parsed.has('s'));
        assert_eq!(Parsed::parse(&["-q".to_owned()], "", "", &[]), Err("invalid option -- 'q'".to_owned()));
    }
}
