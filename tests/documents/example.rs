//! Makes documents from a schema so that every key and every variant occurs.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Documents that together have every variant; of the definitions in `once` only the first instance is used.
pub(crate) fn documents(schema: &Value, once: &[&str]) -> Vec<Value> {
    Maker { schema, once }.object_or_variants(schema)
}

/// Every key and every constant that a schema knows.
pub(crate) fn words(schema: &Value) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    collect(schema, &mut words);
    words
}

fn collect(value: &Value, words: &mut BTreeSet<String>) {
    if let Some(keys) = value.get("properties").and_then(Value::as_object) {
        words.extend(keys.keys().cloned());
    }
    words.extend(value.get("const").and_then(Value::as_str).map(str::to_owned));
    for constant in value.get("enum").and_then(Value::as_array).into_iter().flatten() {
        words.extend(constant.as_str().map(str::to_owned));
    }
    match value {
        Value::Object(map) => map.values().for_each(|value| collect(value, words)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, words)),
        _ => {}
    }
}

struct Maker<'a> {
    schema: &'a Value,
    once: &'a [&'a str],
}

impl Maker<'_> {
    /// Every instance that `part` needs to show all it may be.
    fn instances(&self, part: &Value, key: &str) -> Vec<Value> {
        if let Some(name) = part["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            if let Some(text) = text_of(name) {
                return vec![text.into()];
            }
            let mut all = self.instances(&self.schema["$defs"][name], key);
            // A tag beside the reference belongs to what is referred to.
            if let Some(Value::Object(tag)) = self.objects(part).first() {
                all.iter_mut().filter_map(Value::as_object_mut).for_each(|object| object.extend(tag.clone()));
            }
            if self.once.contains(&name) {
                all.truncate(1);
            }
            return all;
        }
        if let Some(constant) = part.get("const") {
            return vec![constant.clone()];
        }
        if let Some(values) = part["enum"].as_array() {
            return values.clone();
        }
        match &part["type"] {
            Value::Array(types) => types.iter().map(|kind| self.simple(kind.as_str().unwrap(), part, key)).collect(),
            Value::String(kind) if kind != "object" => vec![self.simple(kind, part, key)],
            _ => self.object_or_variants(part),
        }
    }

    fn simple(&self, kind: &str, part: &Value, key: &str) -> Value {
        match kind {
            "null" => Value::Null,
            "boolean" => true.into(),
            "integer" => 7.into(),
            "array" => self.instances(&part["items"], key).into(),
            _ => plain_text(key).into(),
        }
    }

    fn object_or_variants(&self, part: &Value) -> Vec<Value> {
        let own = self.objects(part);
        let variants = ["oneOf", "anyOf"].iter().filter_map(|word| part[*word].as_array()).flatten();
        let variants: Vec<Value> = variants.flat_map(|variant| self.instances(variant, "")).collect();
        // Keys beside variants belong to each of them.
        if variants.is_empty() {
            return own;
        }
        let with_own = |variant: Value| match (variant, own.first()) {
            (Value::Object(mut variant), Some(Value::Object(own))) => {
                variant.extend(own.clone());
                Value::Object(variant)
            }
            (variant, _) => variant,
        };
        variants.into_iter().map(with_own).collect()
    }

    /// As many objects as the key with the most instances needs.
    fn objects(&self, part: &Value) -> Vec<Value> {
        if let Some(values) = part.get("additionalProperties").filter(|values| values.is_object()) {
            return vec![self.map(values)];
        }
        let empty = Map::new();
        let keys = part["properties"].as_object().unwrap_or(&empty);
        let all: Vec<(&String, Vec<Value>)> = keys.iter().map(|(key, part)| (key, self.instances(part, key))).collect();
        let most = all.iter().map(|(_, values)| values.len()).max().unwrap_or(1);
        let object = |n: usize| all.iter().map(move |(key, values)| ((*key).clone(), values[n % values.len()].clone()));
        (0..most).map(|n| Value::Object(object(n).collect())).collect()
    }

    fn map(&self, values: &Value) -> Value {
        let key = match values["$ref"].as_str().unwrap_or_default() {
            "#/$defs/Node" | "#/$defs/TransactionState" => |n| format!("dn{n:02}"),
            "#/$defs/Server" | "#/$defs/Instance" => |n| format!("s{n}"),
            // The gaps, by node.
            _ if values["type"] == "integer" => |n| format!("dn{n:02}"),
            _ => |n| format!("dn01@s{n}"),
        };
        let values = self.instances(values, "").into_iter().enumerate();
        Value::Object(values.map(|(n, value)| (key(n + 1), value)).collect())
    }
}

/// Texts with a form of their own.
fn text_of(definition: &str) -> Option<&'static str> {
    Some(match definition {
        "InstanceId" => "dn01@s29",
        "NodeName" => "dn01",
        "ServerName" => "s29",
        "ClusterName" => "opentenbase_cluster",
        "Host" => "172.16.0.29",
        "Lsn" => "0/3000060",
        "Gts" => "1593594823",
        "SystemId" => "7711080223426993833",
        "StepId" => "promote:dn01@s29",
        "CheckId" => "lag:dn01",
        _ => return None,
    })
}

fn plain_text(key: &str) -> String {
    match key {
        "format_version" => "2.0".to_owned(),
        "at" | "observed_at" => "2026-01-01T00:00:00Z".to_owned(),
        "max_lag" => "16.0 MiB".to_owned(),
        _ => json!(key).as_str().filter(|key| !key.is_empty()).map_or("text".to_owned(), |key| format!("some {key}")),
    }
}
