//! A reference page from a schema: every key with its type and meaning.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

/// The definitions of a schema.
pub(crate) fn names(schema: &Value) -> Vec<String> {
    schema["$defs"].as_object().unwrap().keys().cloned().collect()
}

/// The page of `name`; definitions in `elsewhere` are those of the plan's page.
pub(crate) fn page(name: &str, schema: &Value, elsewhere: &[String]) -> String {
    let (title, about) = match name {
        "plan" => ("otb plan --format json", "Also what `otb plan -o FILE` saves and `otb show --format json` prints."),
        "status" => ("otb status --format json", "With `--watch` one such document per line."),
        _ => (
            "otb apply --format json",
            "One JSON object per line, on standard output, or with `--events FILE` appended to a file beside the human \
             view.\nThe first event is `planned`, unless nothing could be planned; the last one is always `finished`.",
        ),
    };
    let mut out = format!(
        "# `{title}`\n\n{about}\n\n`format_version` has two numbers. A higher second one only adds keys and variants: ignore \
         what you do not know. A higher\nfirst one breaks: refuse it. `otb schema {name}` prints the schema; in the \
         repository it is `schemas/{name}.schema.json`, and\n`schemas/examples/{name}.ndjson` has everything in it.\n\n"
    );
    section(&mut out, schema, schema, elsewhere);
    for (name, definition) in in_order(schema, elsewhere) {
        let _ = writeln!(out, "\n## {name}\n");
        if let Some(text) = description(definition) {
            let _ = writeln!(out, "{text}\n");
        }
        section(&mut out, definition, schema, elsewhere);
    }
    out
}

/// Definitions in the order in which a reader meets them, without those that are a plain text or told elsewhere.
fn in_order<'a>(schema: &'a Value, elsewhere: &[String]) -> Vec<(String, &'a Value)> {
    let (mut met, mut queue, mut order) = (BTreeSet::new(), vec![schema], Vec::new());
    while !queue.is_empty() {
        let mut next = Vec::new();
        for part in queue {
            for name in references(part) {
                let definition = &schema["$defs"][&name];
                if !elsewhere.contains(&name) && met.insert(name.clone()) {
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

fn section(out: &mut String, part: &Value, schema: &Value, elsewhere: &[String]) {
    if let Some(keys) = part["properties"].as_object() {
        out.push_str("| key | type | meaning |\n|---|---|---|\n");
        for (key, value) in keys {
            let _ = writeln!(out, "| `{key}` | {} | {} |", kind(value, elsewhere), cell(&meaning(value, schema)));
        }
    }
    let variants: Vec<&Value> = part["oneOf"].as_array().into_iter().flatten().collect();
    if !variants.is_empty() {
        out.push_str(if part["properties"].is_object() { "\nand one of\n\n" } else { "" });
        out.push_str("| one of | with | meaning |\n|---|---|---|\n");
    }
    for variant in variants {
        let _ = writeln!(out, "{}", variant_row(variant, elsewhere));
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

fn variant_row(variant: &Value, elsewhere: &[String]) -> String {
    if let Some(value) = variant["const"].as_str() {
        return format!("| `\"{value}\"` | | {} |", cell(&description(variant).unwrap_or_default()));
    }
    if let Some(values) = variant["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        return format!("| {} | | {} |", values.join(", "), cell(&description(variant).unwrap_or_default()));
    }
    let empty = serde_json::Map::new();
    let keys = variant["properties"].as_object().unwrap_or(&empty);
    let tag = keys.iter().find_map(|(key, value)| Some(format!("`\"{key}\": {}`", value.get("const")?)));
    let referred = variant.get("$ref").map(|_| format!("the keys of {}", kind(variant, elsewhere)));
    let others = keys.iter().filter(|(_, value)| value.get("const").is_none()).map(|(key, value)| {
        let about = description(value).map_or_else(String::new, |text| format!(" ({})", text.trim_end_matches('.')));
        format!("`{key}`: {}{about}", kind(value, elsewhere))
    });
    let others: Vec<String> = referred.into_iter().chain(others).collect();
    format!(
        "| {} | {} | {} |",
        tag.unwrap_or_else(|| "an object".to_owned()),
        others.join("<br>"),
        cell(&description(variant).unwrap_or_default())
    )
}

fn description(value: &Value) -> Option<String> {
    value["description"].as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What a key says of itself, or else what its type is.
fn meaning(value: &Value, schema: &Value) -> String {
    let of_type = || {
        let first = |text: String| text.split_inclusive(". ").next().unwrap_or_default().trim_end().to_owned();
        references(value).first().and_then(|name| description(&schema["$defs"][name])).map(first)
    };
    description(value).or_else(of_type).unwrap_or_default()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn kind(value: &Value, elsewhere: &[String]) -> String {
    if let Some(path) = value["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap();
        let page = if elsewhere.iter().any(|known| known == name) { "plan-json.md" } else { "" };
        let part = if name == "Plan" { String::new() } else { format!("#{}", name.to_lowercase()) };
        return format!("[{name}]({page}{part})");
    }
    if let Some(variants) = value["anyOf"].as_array() {
        return variants.iter().map(|variant| kind(variant, elsewhere)).collect::<Vec<_>>().join(" or ");
    }
    match &value["type"] {
        Value::String(word) if word == "array" => format!("list of {}", kind(&value["items"], elsewhere)),
        Value::String(word) if word == "object" && value["additionalProperties"].is_object() => {
            format!("map of {}", kind(&value["additionalProperties"], elsewhere))
        }
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "object".to_owned(),
    }
}
