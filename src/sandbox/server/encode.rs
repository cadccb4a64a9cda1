//! Values → the wire, in text and in binary.

use std::sync::Arc;

use futures_util::stream;
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo, QueryResponse};
use pgwire::error::PgWireResult;
use pgwire::messages::data::DataRow;
use pgwire::types::format::FormatOptions;

use crate::sandbox::sql::{Column, Kind, Relation, Value};

/// Field descriptions in the formats the client asked for.
pub(super) fn fields(columns: &[Column], format: &Format) -> Vec<FieldInfo> {
    let field = |(index, column): (usize, &Column)| {
        let kind = Type::from_oid(column.kind.oid()).unwrap_or(Type::TEXT);
        FieldInfo::new(column.name.clone(), None, None, kind, format_for(format, index))
    };
    columns.iter().enumerate().map(field).collect()
}

/// A client may ask for fewer formats than there are columns: text, then.
fn format_for(format: &Format, index: usize) -> FieldFormat {
    match format {
        Format::UnifiedText => FieldFormat::Text,
        Format::UnifiedBinary => FieldFormat::Binary,
        Format::Individual(codes) => codes.get(index).map_or(FieldFormat::Text, |code| FieldFormat::from(*code)),
    }
}

/// A result set.
pub(super) fn response(relation: &Relation, tag: &str, format: &Format) -> QueryResponse {
    let fields = Arc::new(fields(&relation.columns, format));
    let rows: Vec<PgWireResult<DataRow>> = relation.rows.iter().map(|row| encode(row, relation, &fields)).collect();
    let mut response = QueryResponse::new(fields, stream::iter(rows));
    response.set_command_tag(tag);
    response
}

fn encode(row: &[Value], relation: &Relation, fields: &Arc<Vec<FieldInfo>>) -> PgWireResult<DataRow> {
    let mut encoder = DataRowEncoder::new(Arc::clone(fields));
    let options = FormatOptions::default();
    for ((value, column), field) in row.iter().zip(&relation.columns).zip(fields.iter()) {
        let bytes = match field.format() {
            FieldFormat::Text => value.to_text().map(String::into_bytes),
            FieldFormat::Binary => binary(value, column.kind),
        };
        // As raw bytes: the type is ours to say.
        encoder.encode_field_with_type_and_format(&bytes, &Type::BYTEA, FieldFormat::Binary, &options)?;
    }
    Ok(encoder.take_row())
}

/// PostgreSQL's binary form of a value of this kind; none for NULL.
fn binary(value: &Value, kind: Kind) -> Option<Vec<u8>> {
    // A value that does not fit its own column cannot occur; if it does, the client gets NULL.
    let value = value.cast(kind).ok()?;
    let text = || value.to_text().map(String::into_bytes);
    match (&value, kind) {
        (Value::Null, _) => None,
        (Value::Bool(b), _) => Some(vec![u8::from(*b)]),
        (Value::Int(n), Kind::Int4) => i32::try_from(*n).ok().map(|n| n.to_be_bytes().to_vec()),
        (Value::Int(n), Kind::Oid | Kind::Xid) => u32::try_from(*n).ok().map(|n| n.to_be_bytes().to_vec()),
        (Value::Int(n), Kind::Numeric) => Some(numeric(*n)),
        (Value::Int(n), _) => Some(n.to_be_bytes().to_vec()),
        (Value::Lsn(lsn), _) => Some(lsn.0.to_be_bytes().to_vec()),
        (Value::Time(moment), _) => Some(moment.since_postgres_epoch().to_be_bytes().to_vec()),
        (Value::Text(text), Kind::Inet) => inet(text),
        (Value::Text(_), Kind::Interval) => Some(vec![0; 16]),
        (Value::Text(_), _) => text(),
    }
}

/// numeric: count of base-10000 digits, weight, sign, scale, digits.
fn numeric(n: i64) -> Vec<u8> {
    let mut digits = Vec::new();
    let mut rest = n.unsigned_abs();
    while rest > 0 {
        digits.push(u16::try_from(rest % 10_000).unwrap_or(0));
        rest /= 10_000;
    }
    digits.reverse();
    let count = u16::try_from(digits.len()).unwrap_or(0);
    let sign: u16 = if n < 0 { 0x4000 } else { 0 };
    let header = [count, count.saturating_sub(1), sign, 0];
    header.iter().chain(&digits).flat_map(|part| part.to_be_bytes()).collect()
}

/// inet: family (2: IPv4), bits, is_cidr, length, address.
fn inet(text: &str) -> Option<Vec<u8>> {
    let address: std::net::Ipv4Addr = text.parse().ok()?;
    let mut bytes = vec![2, 32, 0, 4];
    bytes.extend(address.octets());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_forms() {
        assert_eq!(binary(&Value::Int(7), Kind::Int4), Some(vec![0, 0, 0, 7]));
        assert_eq!(binary(&Value::Int(123_456), Kind::Numeric), Some(vec![0, 2, 0, 1, 0, 0, 0, 0, 0, 12, 0x0d, 0x80]));
        assert_eq!(binary(&Value::text("127.0.0.1"), Kind::Inet), Some(vec![2, 32, 0, 4, 127, 0, 0, 1]));
        assert_eq!(binary(&Value::Null, Kind::Text), None);
    }
}
