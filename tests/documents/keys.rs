//! The page of cluster.yaml's keys, from its schema.

use std::fmt::Write as _;

use serde_json::Value;

const BEGIN: &str = "# cluster.yaml

Made from the schema (`otb schema cluster`; in the repository `schemas/cluster.schema.json`), which the first line of the
examples makes editors use. Unknown keys, duplicate keys, anchors and aliases are errors. All mistakes are shown in one
run of `otb validate`, each with its place and what to write instead.

Passwords never stand in the file: PGPASSWORD, PGPASSFILE or ~/.pgpass, with libpq's rules. Examples in the repository:
`examples/seed.yaml`, `examples/minimal.yaml`.
";

/// Every key; panics where one has no meaning.
pub(crate) fn page(schema: &Value) -> String {
    let mut out = BEGIN.to_owned();
    section(&mut out, "Top level", schema);
    // Whatever is a node looks alike: shown once.
    let mut seen = Vec::new();
    for (key, value) in schema["properties"].as_object().unwrap() {
        let (name, inner) = inner(key, value);
        if inner["properties"].is_object() && !seen.contains(&inner) {
            seen.push(inner);
            below(&mut out, &name, inner);
        }
    }
    out
}

fn below(out: &mut String, name: &str, schema: &Value) {
    let title = if name == "coordinators.NAME" { "gtm.NAME, coordinators.NAME, datanodes.NAME" } else { name };
    section(out, title, schema);
    for (key, value) in schema["properties"].as_object().unwrap() {
        let (inner_name, inner) = inner(&format!("{name}.{key}"), value);
        if inner["properties"].is_object() {
            below(out, &inner_name, inner);
        }
    }
}

/// What a key holds: itself, each value of a map, each item of a list.
fn inner<'a>(key: &str, value: &'a Value) -> (String, &'a Value) {
    if value["additionalProperties"].is_object() {
        return (format!("{key}.NAME"), &value["additionalProperties"]);
    }
    if value["items"].is_object() { (format!("{key}[]"), &value["items"]) } else { (key.to_owned(), value) }
}

fn section(out: &mut String, title: &str, schema: &Value) {
    let heading = if title == "Top level" { title.to_owned() } else { format!("`{title}`") };
    write!(
        out,
        "\n## {heading}\n\n{}\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
        meaning(title, schema)
    )
    .unwrap();
    for (key, value) in schema["properties"].as_object().unwrap() {
        let must = schema["required"].as_array().is_some_and(|keys| keys.iter().any(|known| known == key));
        let default = match value.get("default") {
            _ if must => "required".to_owned(),
            Some(Value::Object(_)) | None => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(other) => format!("`{other}`"),
        };
        let cell = meaning(&format!("{title}.{key}"), value);
        writeln!(out, "| `{key}` | {} | {default} | {cell} |", kind(value)).unwrap();
    }
}

fn meaning(of: &str, value: &Value) -> String {
    let text = value["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!text.is_empty(), "{of} has no meaning");
    text.replace('|', "\\|")
}

fn kind(value: &Value) -> String {
    if value["additionalProperties"].is_object() {
        return "map".to_owned();
    }
    if let Some(words) = value["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect::<Vec<_>>().join(", ");
    }
    if let Some(variants) = value["oneOf"].as_array().or(value["anyOf"].as_array()) {
        let about =
            |variant: &Value| variant["description"].as_str().map(|text| format!(" ({})", text.trim_end_matches('.')));
        let one = |variant: &Value| match variant["const"].as_str() {
            Some(word) => format!("`{word}`{}", about(variant).unwrap_or_default()),
            None => kind(variant),
        };
        return variants.iter().map(one).collect::<Vec<_>>().join(", ");
    }
    if let Some(constant) = value.get("const") {
        return format!("`{constant}`");
    }
    let words = match &value["type"] {
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "text".to_owned(),
    };
    match (value["minimum"].as_u64(), value["maximum"].as_u64()) {
        (Some(least), Some(most)) if value["type"] == "integer" => format!("{least} to {most}"),
        _ => words,
    }
}
