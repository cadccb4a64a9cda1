//! A reference page from a schema: every key with its type and meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

/// What pages have told already: each definition, and the page that has it.
#[derive(Default)]
pub(crate) struct Told(BTreeMap<String, (&'static str, Value)>);

impl Told {
    /// The definitions of `schema` are on `page` from here on.
    pub(crate) fn on(&mut self, page: &'static str, schema: &Value) {
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            self.0.entry(name.clone()).or_insert((page, definition.clone()));
        }
    }

    /// The page itself tells what other schemas call `name`.
    pub(crate) fn whole(&mut self, page: &'static str, name: &str) {
        self.0.insert(name.to_owned(), (page, Value::Null));
    }
}

/// A schema, and what of it other pages tell.
struct Source<'a> {
    schema: &'a Value,
    told: &'a Told,
}

impl Source<'_> {
    fn definition(&self, name: &str) -> &Value {
        &self.schema["$defs"][name]
    }

    /// The other page that tells `name`; one that means something else by it does not.
    fn elsewhere(&self, name: &str) -> Option<&'static str> {
        let (page, definition) = self.told.0.get(name)?;
        (definition.is_null() || definition == self.definition(name)).then_some(*page)
    }

    /// What a key or variant means: what it says itself, else what it holds says.
    fn meaning(&self, value: &Value) -> Option<String> {
        let referred = || {
            let name = value["$ref"].as_str()?.rsplit('/').next().unwrap();
            let first = |text: String| text.split_inclusive(". ").next().unwrap_or_default().trim_end().to_owned();
            self.meaning(self.definition(name)).map(first)
        };
        let inner = || {
            let variants = value["anyOf"].as_array().into_iter().flatten();
            let parts = variants.chain([&value["items"], &value["additionalProperties"]]);
            parts.filter(|part| part.is_object()).find_map(|part| self.meaning(part))
        };
        description(value).or_else(referred).or_else(inner)
    }

    /// The cell of `key`; one that says nothing is refused.
    fn cell(&self, key: &str, value: &Value) -> String {
        let meaning =
            self.meaning(value).unwrap_or_else(|| panic!("{key} has no meaning, document it in the code: {value}"));
        meaning.replace('|', "\\|")
    }
}

/// The page of `name`, without what other pages tell.
pub(crate) fn page(name: &str, schema: &Value, told: &Told) -> String {
    let source = &Source { schema, told };
    let (title, about) = match name {
        "plan" => {
            ("`otb plan --format json`", "Also what `otb plan -o FILE` saves and `otb show --format json` prints.")
        }
        "status" => ("`otb status --format json`", "With `--watch` one such document per line."),
        "drift" => ("`otb drift --format json`", "What the kinds mean, and the other formats: [otb drift](drift.md)."),
        "ready" => ("`otb ready --format json`", "How to use it: [Failover readiness](../how-to/readiness.md)."),
        "explain" => (
            "`otb explain --format json`",
            "What every code means, for machines that meet one: the `code` of JSON output, and `error[CODE]`.",
        ),
        "history" => {
            ("`otb history --format json`", "What the text shows, and where it comes from: [the journal](journal.md).")
        }
        "journal" => {
            ("The journal, key by key", "One JSON object per line. What it is for: [the journal](journal.md).")
        }
        _ => (
            "`otb apply --format json`",
            "One JSON object per line, on standard output, or with `--events FILE` appended to a file beside the human \
             view.\nThe first event is `planned`, unless nothing could be planned; the last one is always `finished`.",
        ),
    };
    let example = match name {
        "plan" | "status" | "events" => format!(", and\n`schemas/examples/{name}.ndjson` has everything in it"),
        _ => String::new(),
    };
    let mut out = format!(
        "# {title}\n\n{about}\n\n`format_version` has two numbers. A higher second one only adds keys and variants: ignore \
         what you do not know. A higher\nfirst one breaks: refuse it. `otb schema {name}` prints the schema; in the \
         repository it is `schemas/{name}.schema.json`{example}.\n\n"
    );
    section(&mut out, schema, source);
    for (name, definition) in in_order(source) {
        let _ = writeln!(out, "\n## {name}\n");
        if let Some(text) = description(definition) {
            let _ = writeln!(out, "{text}\n");
        }
        section(&mut out, definition, source);
    }
    out
}

/// Definitions in the order in which a reader meets them, without those that are a plain text or told elsewhere.
fn in_order<'a>(source: &'a Source<'_>) -> Vec<(String, &'a Value)> {
    let (mut met, mut queue, mut order) = (BTreeSet::new(), vec![source.schema], Vec::new());
    while !queue.is_empty() {
        let mut next = Vec::new();
        for part in queue {
            for name in references(part) {
                let definition = source.definition(&name);
                if source.elsewhere(&name).is_none() && met.insert(name.clone()) {
                    next.push(definition);
                    order.push((name, definition));
                }
            }
        }
        queue = next;
    }
    order
}

fn references(part: &Value) -> Vec<String> {
    match part {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "$defs")
            .flat_map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("$ref", Some(path)) => vec![path.rsplit('/').next().unwrap().to_owned()],
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

fn section(out: &mut String, part: &Value, source: &Source<'_>) {
    if let Some(keys) = part["properties"].as_object() {
        out.push_str("| key | type | meaning |\n|---|---|---|\n");
        for (key, value) in keys {
            let _ = writeln!(out, "| `{key}` | {} | {} |", kind(value, source), source.cell(key, value));
        }
    }
    let variants: Vec<&Value> = part["oneOf"].as_array().into_iter().flatten().collect();
    if !variants.is_empty() {
        out.push_str(if part["properties"].is_object() { "\nand one of\n\n" } else { "" });
        out.push_str("| one of | with | meaning |\n|---|---|---|\n");
    }
    for variant in variants {
        let _ = writeln!(out, "{}", variant_row(variant, source));
    }
    match (&part["type"], &part["enum"]) {
        (_, Value::Array(values)) => {
            let values: Vec<String> = values.iter().map(|value| format!("`{}`", value.as_str().unwrap())).collect();
            let _ = writeln!(out, "One of {}.", values.join(", "));
        }
        (Value::String(kind), _) if kind != "object" => {
            let _ = writeln!(out, "Type: {kind}.");
        }
        _ => {}
    }
}

fn variant_row(variant: &Value, source: &Source<'_>) -> String {
    if let Some(value) = variant["const"].as_str() {
        return format!("| `\"{value}\"` | | {} |", source.cell("a variant", variant));
    }
    if let Some(values) = variant["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        return format!("| {} | | {} |", values.join(", "), source.cell("a variant", variant));
    }
    let empty = serde_json::Map::new();
    let keys = variant["properties"].as_object().unwrap_or(&empty);
    let tag = keys.iter().find_map(|(key, value)| Some(format!("`\"{key}\": {}`", value.get("const")?)));
    let referred = variant.get("$ref").map(|_| format!("the keys of {}", kind(variant, source)));
    let others = keys.iter().filter(|(_, value)| value.get("const").is_none()).map(|(key, value)| {
        let about = description(value).map_or_else(String::new, |text| format!(" ({})", text.trim_end_matches('.')));
        format!("`{key}`: {}{about}", kind(value, source))
    });
    let others: Vec<String> = referred.into_iter().chain(others).collect();
    format!(
        "| {} | {} | {} |",
        tag.unwrap_or_else(|| "an object".to_owned()),
        others.join("<br>"),
        source.cell("a variant", variant)
    )
}

fn description(value: &Value) -> Option<String> {
    value["description"].as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn kind(value: &Value, source: &Source<'_>) -> String {
    if let Some(path) = value["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap();
        let page = source.elsewhere(name).unwrap_or_default();
        let part = if name == "Plan" { String::new() } else { format!("#{}", name.to_lowercase()) };
        return format!("[{name}]({page}{part})");
    }
    if let Some(variants) = value["anyOf"].as_array() {
        return variants.iter().map(|variant| kind(variant, source)).collect::<Vec<_>>().join(" or ");
    }
    match &value["type"] {
        Value::String(word) if word == "array" => format!("list of {}", kind(&value["items"], source)),
        Value::String(word) if word == "object" && value["additionalProperties"].is_object() => {
            format!("map of {}", kind(&value["additionalProperties"], source))
        }
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "object".to_owned(),
    }
}
