//! The structure that the JSON schema requires of the file, as a type to match on. Keys, types and bounds are written
//! only in the schema. Its rules for the *text* of a value (pattern, length) are for editors, because the constructors
//! of [`crate::model`] check the text with better messages.

use std::collections::BTreeMap;

use serde_json::Value;

/// The required form of a value.
#[derive(Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) form: Form,
    /// A value that would do, as one writes it in YAML.
    pub(super) example: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Form {
    /// A mapping with known keys.
    Record {
        fields: BTreeMap<String, Shape>,
        required: Vec<String>,
    },
    /// A mapping from names to values of one shape.
    Table {
        entries: Box<Shape>,
        least: u64,
        most: u64,
    },
    List {
        items: Box<Shape>,
        least: u64,
    },
    Text,
    /// One of some words.
    Choice(Vec<String>),
    Integer {
        least: i64,
        most: i64,
    },
    /// A number of bytes or a text with a unit.
    Size {
        least: i64,
        most: i64,
    },
}

impl Shape {
    pub(super) fn of(schema: &Value) -> Self {
        Self { form: form(schema), example: example(schema) }
    }
}

fn form(schema: &Value) -> Form {
    if let Some(words) = words(schema) {
        return Form::Choice(words);
    }
    match schema.get("type") {
        Some(Value::Array(_)) => {
            let (least, most) = bounds(schema);
            Form::Size { least, most }
        }
        Some(Value::String(name)) => match name.as_str() {
            "object" => mapping(schema),
            "array" => Form::List { items: Box::new(below(schema, "items")), least: number(schema, "minItems", 0) },
            "integer" => {
                let (least, most) = bounds(schema);
                Form::Integer { least, most }
            }
            _ => Form::Text,
        },
        _ => Form::Text,
    }
}

fn mapping(schema: &Value) -> Form {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        let entries = Box::new(below(schema, "additionalProperties"));
        let least = number(schema, "minProperties", 0);
        return Form::Table { entries, least, most: number(schema, "maxProperties", u64::MAX) };
    };
    let fields = properties.iter().map(|(name, schema)| (name.clone(), Shape::of(schema))).collect();
    Form::Record { fields, required: texts(schema.get("required")) }
}

fn bounds(schema: &Value) -> (i64, i64) {
    let bound = |name: &str| schema.get("const").or_else(|| schema.get(name)).and_then(Value::as_i64);
    (bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::MAX))
}

/// The words of `enum`, or of `oneOf` when each has a description of its own.
fn words(schema: &Value) -> Option<Vec<String>> {
    if schema.get("enum").is_some() {
        return Some(texts(schema.get("enum")));
    }
    let choices = schema.get("oneOf")?.as_array()?;
    Some(choices.iter().flat_map(|choice| texts(choice.get("enum").or(choice.get("const")))).collect())
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn below(schema: &Value, key: &str) -> Shape {
    Shape::of(schema.get(key).unwrap_or(&Value::Null))
}

fn number(schema: &Value, key: &str, default: u64) -> u64 {
    schema.get(key).and_then(Value::as_u64).unwrap_or(default)
}

fn example(schema: &Value) -> Option<String> {
    let examples = schema.get("examples").and_then(Value::as_array);
    let example = schema.get("const").or_else(|| examples?.first()).or_else(|| schema.get("default"))?;
    Some(inline(example))
}

/// A value in YAML's flow style.
fn inline(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Value::String(text) if text.contains(['{', '}']) => format!("\"{text}\""),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(inline).collect())),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", inline(value)));
            format!("{{{}}}", joined(entries.collect()))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every keyword the shape follows, and those that are for editors only.
    const FOLLOWED: &[&str] = &[
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "oneOf",
        "const",
        "minimum",
        "maximum",
        "minItems",
        "minProperties",
        "maxProperties",
    ];
    const FOR_EDITORS: &[&str] = &[
        "$schema",
        "title",
        "description",
        "default",
        "examples",
        "pattern",
        "minLength",
        "maxLength",
        "propertyNames",
    ];

    fn keywords(schema: &Value, found: &mut Vec<String>) {
        let Value::Object(map) = schema else { return };
        for (keyword, value) in map {
            found.push(keyword.clone());
            match (keyword.as_str(), value) {
                ("properties", Value::Object(properties)) => properties.values().for_each(|s| keywords(s, found)),
                ("oneOf", Value::Array(choices)) => choices.iter().for_each(|s| keywords(s, found)),
                ("items" | "additionalProperties", schema) => keywords(schema, found),
                _ => {}
            }
        }
    }

    #[test]
    fn no_keyword_of_the_schema_is_overlooked() {
        let mut found = Vec::new();
        keywords(&crate::config::schema(), &mut found);
        assert!(found.len() > 100, "the walk found nothing");
        for keyword in found {
            let known = FOLLOWED.contains(&keyword.as_str()) || FOR_EDITORS.contains(&keyword.as_str());
            assert!(known, "teach Shape the keyword {keyword:?}");
        }
    }

    #[test]
    fn the_shape_of_the_file() {
        let Form::Record { fields, required } = Shape::of(&crate::config::schema()).form else {
            panic!("the file is a mapping")
        };
        assert_eq!(fields["version"].form, Form::Integer { least: 1, most: 1 });
        let Form::Table { entries, least: 1, most: 1 } = &fields["gtm"].form else { panic!("{:?}", fields["gtm"]) };
        let Form::Record { fields: node, required: of_node } = &entries.form else { panic!("{entries:?}") };
        assert_eq!(node["port"].form, Form::Integer { least: 1, most: 65535 });
        assert_eq!(node["port"].example.as_deref(), Some("15432"));
        assert_eq!(node["instances"].example.as_deref(), Some("[{server: s29}, {server: s47}]"));
        assert_eq!(of_node.len(), 2);
        assert_eq!(required.len(), 6);
        let Form::Record { fields: policy, .. } = &fields["policy"].form else { panic!("{:?}", fields["policy"]) };
        assert_eq!(policy["max_lag"].form, Form::Size { least: 0, most: 1 << 60 });
        assert_eq!(policy["old_master"].form, Form::Choice(vec!["rejoin".into(), "leave".into()]));
    }
}
