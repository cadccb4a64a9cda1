//! Documents as JSON: laid out for people and diffs, or one to a line for streams.

use serde::Serialize;

use super::failure::Failure;
use crate::codes::ErrorCode;

pub(super) fn pretty(document: &impl Serialize) -> Result<String, Failure> {
    ended(serde_json::to_string_pretty(document))
}

pub(super) fn line(document: &impl Serialize) -> Result<String, Failure> {
    ended(serde_json::to_string(document))
}

fn ended(text: serde_json::Result<String>) -> Result<String, Failure> {
    text.map(|text| text + "\n")
        .map_err(|error| Failure::new(ErrorCode::InternalBug, format!("failed to write JSON: {error}")))
}
