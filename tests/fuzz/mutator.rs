//! Random numbers, and what they do to a text: to its bytes, its words, its lines, and to a JSON value as a tree.

use serde_json::Value;

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere, and no crate.
pub(crate) struct Mutator(pub(crate) u64);

/// Words at which readers of numbers, names and documents stumble.
const WORDS: [&str; 40] = [
    "0",
    "-1",
    "1",
    "65535",
    "65536",
    "2147483648",
    "4294967296",
    "18446744073709551616",
    "1e309",
    "0x10",
    "NaN",
    "0/0",
    "FFFFFFFF/FFFFFFFF",
    "1/100000000",
    "null",
    "true",
    "~",
    "''",
    "\"",
    "!!binary",
    "&a",
    "*a",
    "<<",
    "---",
    "{}",
    "[]",
    "\u{202e}",
    "\u{feff}",
    "\u{2028}",
    "é",
    "\u{1b}[2J",
    "\0",
    "%s",
    "$(id)",
    "`id`",
    ";",
    "--",
    "../..",
    "\\u0000",
    "localhost",
];

impl Mutator {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A letter that readers stumble over more often than others.
    fn byte(&mut self) -> u8 {
        const SHARP: &[u8] = b"\0\n\r\t \"'\\:=,{}[]#-&*!|>%@`0189/.;\x1b\x7f\xff\xc3\xe2";
        if self.below(3) == 0 { self.roll().to_le_bytes()[0] } else { *self.one_of(SHARP) }
    }

    /// One of `seeds` with up to eight changes; most leave it a text that its reader gets far with.
    pub(crate) fn mutilate(&mut self, seeds: &[&[u8]]) -> Vec<u8> {
        let mut bytes = self.one_of(seeds).to_vec();
        for _ in 0..=self.below(8) {
            bytes = match self.below(8) {
                0..3 => self.bytes(bytes),
                3..5 => self.words(&bytes, seeds),
                5..7 => self.lines(&bytes, seeds),
                _ => self.splice(bytes, seeds),
            };
        }
        bytes
    }

    /// Cuts, doublings, foreign bytes.
    fn bytes(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(24)).min(bytes.len());
        match self.below(6) {
            0 if self.below(4) == 0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            3 if at < bytes.len() => bytes[at] = self.byte(),
            4 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            _ => bytes.insert(at, self.byte()),
        }
        bytes
    }

    /// A word (letters and digits, or one sign) becomes another word of any seed, a sharp one, or none.
    fn words(&mut self, bytes: &[u8], seeds: &[&[u8]]) -> Vec<u8> {
        let mut parts = split(bytes, |a, b| is_word(a) && is_word(b));
        let other = self.one_of(seeds);
        let others = split(other, |a, b| is_word(a) && is_word(b));
        if parts.is_empty() || others.is_empty() {
            return bytes.to_vec();
        }
        let at = self.below(parts.len());
        match self.below(4) {
            0 => drop(parts.remove(at)),
            1 => parts[at] = *self.one_of(&others),
            2 => parts[at] = self.one_of(&WORDS).as_bytes(),
            _ => {
                let near = self.below(parts.len().min(at + 8));
                parts.swap(at, near);
            }
        }
        parts.concat()
    }

    /// Whole lines: doubled, left out, exchanged, taken from elsewhere, indented otherwise.
    fn lines(&mut self, bytes: &[u8], seeds: &[&[u8]]) -> Vec<u8> {
        let mut parts = split(bytes, |a, _| a != b'\n');
        let other = self.one_of(seeds);
        let others = split(other, |a, _| a != b'\n');
        if parts.is_empty() || others.is_empty() {
            return bytes.to_vec();
        }
        let (at, to) = (self.below(parts.len()), self.below(parts.len()));
        match self.below(6) {
            0 => drop(parts.remove(at)),
            1 => parts.insert(to, parts[at]),
            2 => parts.swap(at, to),
            3 => parts.insert(at, *self.one_of(&others)),
            4 => parts.insert(at, *self.one_of(&[b"  ".as_slice(), b"\t", b" ", b"- "])),
            _ => parts[at] = parts[at].strip_prefix(b"  ").unwrap_or(parts[at]),
        }
        parts.concat()
    }

    /// The beginning of one and the end of another.
    fn splice(&mut self, mut bytes: Vec<u8>, seeds: &[&[u8]]) -> Vec<u8> {
        let other = self.one_of(seeds);
        let from = self.below(other.len() + 1);
        bytes.truncate(self.below(bytes.len() + 1));
        bytes.extend_from_slice(&other[from..]);
        bytes
    }

    /// Up to six places of a JSON value become another place's value, a sharp one, or are left out.
    pub(crate) fn reshape(&mut self, value: &mut Value) {
        for _ in 0..=self.below(6) {
            let donor = self.place(value).clone();
            let sharp = self.sharp();
            let choice = self.below(5);
            match (self.place(value), choice) {
                (Value::Array(items), 0) if !items.is_empty() => drop(items.pop()),
                (Value::Array(items), 1) if !items.is_empty() => items.push(items[0].clone()),
                (Value::Object(fields), 0) => {
                    let first = fields.keys().next().cloned();
                    first.map(|key| fields.remove(&key));
                }
                (place, 2) => *place = donor,
                (Value::String(text), _) => {
                    let edited = self.bytes(std::mem::take(text).into_bytes());
                    *text = String::from_utf8_lossy(&edited).into_owned();
                }
                (place, _) => *place = sharp,
            }
        }
    }

    fn sharp(&mut self) -> Value {
        let word = *self.one_of(&WORDS);
        match self.below(4) {
            0 => Value::from(self.roll()),
            1 => Value::from(-1),
            2 => serde_json::from_str(word).unwrap_or(Value::Null),
            _ => Value::from(word),
        }
    }

    /// A random place below `value`, deep ones included.
    fn place<'a>(&mut self, value: &'a mut Value) -> &'a mut Value {
        let count = match &*value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if count == 0 || self.below(12) == 0 {
            return value;
        }
        let at = self.below(count);
        match value {
            Value::Array(items) => self.place(&mut items[at]),
            Value::Object(fields) => self.place(fields.values_mut().nth(at).unwrap()),
            other => other,
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Cuts between neighbours that do not belong together.
fn split(bytes: &[u8], together: impl Fn(u8, u8) -> bool) -> Vec<&[u8]> {
    bytes.chunk_by(|a, b| together(*a, *b)).collect()
}
