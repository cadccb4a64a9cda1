//! Arithmetic as bash does it between `((` and `))`, on whole numbers.

/// The values of names.
pub(in super::super) trait Names {
    fn get(&mut self, name: &str) -> Result<i64, String>;
    fn set(&mut self, name: &str, value: i64);
}

/// The value of `text`, whose expansions are done; nothing is 0.
pub(in super::super) fn evaluate(text: &str, names: &mut impl Names) -> Result<i64, String> {
    let mut sum = Sum { letters: text.chars().collect(), at: 0, depth: 0, sets: 0, names };
    sum.skip();
    if sum.letters.get(sum.at).is_none() {
        return Ok(0);
    }
    let value = sum.ternary()?;
    if sum.at < sum.letters.len() { Err(sum.unclear()) } else { Ok(value) }
}

struct Sum<'a, N> {
    letters: Vec<char>,
    at: usize,
    depth: usize,
    /// How often a name was set.
    sets: usize,
    names: &'a mut N,
}

/// From the loosest to the tightest, longer ones first.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl<N: Names> Sum<'_, N> {
    fn unclear(&self) -> String {
        format!("the arithmetic {:?} is not understood", self.letters.iter().collect::<String>().trim())
    }

    fn skip(&mut self) {
        while self.letters.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn ahead(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(n, c)| self.letters.get(self.at + n) == Some(&c))
    }

    fn takes(&mut self, text: &str) -> bool {
        let is = self.ahead(text);
        if is {
            self.at += text.chars().count();
            self.skip();
        }
        is
    }

    fn set(&mut self, name: &str, value: i64) {
        self.sets += 1;
        self.names.set(name, value);
    }

    fn ternary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > 40 {
            return Err(self.unclear());
        }
        let value = self.level(0)?;
        // Only one of both sides would be evaluated.
        if self.ahead("?") || self.ahead(",") {
            return Err(self.unclear());
        }
        self.depth -= 1;
        Ok(value)
    }

    fn level(&mut self, level: usize) -> Result<i64, String> {
        let Some(operators) = LEVELS.get(level) else { return self.power() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.is_operator(operator)) {
            self.takes(operator);
            let sets = self.sets;
            let right = self.level(level + 1)?;
            // If the left side decides, bash does not evaluate the right one.
            if level < 2 && self.sets > sets {
                return Err(self.unclear());
            }
            left = apply(operator, left, right).ok_or_else(|| self.unclear())?;
        }
        Ok(left)
    }

    /// Not the beginning of a longer one.
    fn is_operator(&self, operator: &str) -> bool {
        let next = self.letters.get(self.at + operator.len());
        let longer = match operator {
            "|" | "&" => next == operator.chars().next().as_ref(),
            "<" | ">" => next == operator.chars().next().as_ref() || next == Some(&'='),
            "*" => matches!(next, Some('*' | '=')),
            "+" | "-" | "/" | "%" | "^" | "<<" | ">>" => next == Some(&'='),
            _ => false,
        };
        self.ahead(operator) && !longer
    }

    fn power(&mut self) -> Result<i64, String> {
        let base = self.unary()?;
        if !self.takes("**") {
            return Ok(base);
        }
        let exponent = self.power()?;
        u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent)).ok_or_else(|| self.unclear())
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > 40 {
            return Err(self.unclear());
        }
        let value = if self.ahead("++") || self.ahead("--") {
            let step = if self.takes("++") { 1 } else { -1 };
            self.takes("--");
            let name = self.name();
            if name.is_empty() {
                return Err(self.unclear());
            }
            let value = self.names.get(&name)?.checked_add(step).ok_or_else(|| self.unclear())?;
            self.set(&name, value);
            Some(value)
        } else if self.takes("!") {
            Some(i64::from(self.unary()? == 0))
        } else if self.takes("-") {
            self.unary()?.checked_neg()
        } else if self.takes("~") {
            Some(!self.unary()?)
        } else if self.takes("+") {
            Some(self.unary()?)
        } else {
            Some(self.primary()?)
        };
        self.depth -= 1;
        value.ok_or_else(|| self.unclear())
    }

    fn primary(&mut self) -> Result<i64, String> {
        if self.takes("(") {
            let value = self.ternary()?;
            return if self.takes(")") { Ok(value) } else { Err(self.unclear()) };
        }
        let name = self.name();
        if name.is_empty() {
            return Err(self.unclear());
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return number(&name).ok_or_else(|| self.unclear());
        }
        self.named(&name)
    }

    /// A variable, perhaps with what changes it.
    fn named(&mut self, name: &str) -> Result<i64, String> {
        for (operator, step) in [("++", 1), ("--", -1)] {
            if self.takes(operator) {
                let value = self.names.get(name)?;
                self.set(name, value.checked_add(step).ok_or_else(|| self.unclear())?);
                return Ok(value);
            }
        }
        let operator = ["+", "-", "*", "/", "%", ""].into_iter().find(|operator| self.ahead(&format!("{operator}=")));
        match operator {
            Some(operator) if !self.ahead("==") => {
                self.takes(&format!("{operator}="));
                let right = self.ternary()?;
                let value = match operator {
                    "" => Some(right),
                    _ => apply(operator, self.names.get(name)?, right),
                };
                let value = value.ok_or_else(|| self.unclear())?;
                self.set(name, value);
                Ok(value)
            }
            _ => self.names.get(name),
        }
    }

    /// Letters of a name or a number.
    fn name(&mut self) -> String {
        let rest = self.letters.get(self.at..).unwrap_or_default();
        let name: String = rest.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').collect();
        self.at += name.len();
        self.skip();
        name
    }
}

/// `8`, `010` (octal), `0x1f`
pub(in super::super) fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => i64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

fn apply(operator: &str, left: i64, right: i64) -> Option<i64> {
    let shift = u32::try_from(right).ok();
    match operator {
        "||" => Some(i64::from(left != 0 || right != 0)),
        "&&" => Some(i64::from(left != 0 && right != 0)),
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "&" => Some(left & right),
        "==" => Some(i64::from(left == right)),
        "!=" => Some(i64::from(left != right)),
        "<=" => Some(i64::from(left <= right)),
        ">=" => Some(i64::from(left >= right)),
        "<" => Some(i64::from(left < right)),
        ">" => Some(i64::from(left > right)),
        "<<" => left.checked_shl(shift?),
        ">>" => left.checked_shr(shift?),
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" => left.checked_div(right),
        "%" => left.checked_rem(right),
        _ => None,
    }
}
