//! Finds the text column of a parquet file, or says why there is none.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::{ColumnDescriptor, Type};

const ALLOWED: &str = "string, large_string, string_view, binary, large_binary, binary_view, or a dictionary of one \
                       of these";

/// The leaf column of that name, or what is wrong with it and what to name instead.
pub(super) fn find_column(
    metadata: &ParquetMetaData,
    name: &str,
) -> std::result::Result<usize, String> {
    let schema = metadata.file_metadata().schema_descr();
    let fields = schema.root_schema().get_fields();
    let text_at = |field: &Type| {
        let text = |&at: &usize| holds_text(&schema.column(at), field.name());
        (0..schema.num_columns()).find(text)
    };
    let found: Vec<_> = fields.iter().filter(|field| field.name() == name).collect();
    let reason = match found[..] {
        [field] => match text_at(field) {
            Some(column) => return Ok(column),
            None => format!(
                "column '{name}' is of type {}; wanted: {ALLOWED}",
                type_name(field)
            ),
        },
        [] => match name.split_once('.') {
            Some((outer, _)) if fields.iter().any(|field| field.name() == outer) => format!(
                "no column '{name}' at the top level; a column inside '{outer}' cannot be the text column"
            ),
            _ => format!("no column '{name}'"),
        },
        _ => format!("{} columns are named '{name}'; one is wanted", found.len()),
    };
    let texts: Vec<String> = fields
        .iter()
        .filter(|field| field.name() != name && text_at(field).is_some())
        .map(|field| format!("'{}'", field.name()))
        .collect();
    let advice = if texts.is_empty() {
        "no other column of this file holds text: use another file".to_owned()
    } else {
        format!("set text_column to {}", texts.join(" or "))
    };
    Err(format!(
        "{reason}; its columns are {}; {advice}",
        listed(fields)
    ))
}

/// Whether a leaf is the column of that name at the top level, and is text.
fn holds_text(column: &ColumnDescriptor, name: &str) -> bool {
    let logical = column.logical_type_ref();
    column.path().parts() == [name]
        && column.max_rep_level() == 0
        && column.physical_type() == Physical::BYTE_ARRAY
        && matches!(
            logical,
            None | Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)
        )
        && column.converted_type() != ConvertedType::DECIMAL
        && column.converted_type() != ConvertedType::BSON
}

fn listed(fields: &[Arc<Type>]) -> String {
    let names: Vec<String> = fields
        .iter()
        .map(|field| format!("'{}' ({})", field.name(), type_name(field)))
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn type_name(field: &Type) -> String {
    let info = field.get_basic_info();
    match (field, info.logical_type_ref(), info.converted_type()) {
        (_, Some(LogicalType::String), _) | (_, None, ConvertedType::UTF8) => "string".to_owned(),
        (Type::GroupType { .. }, Some(logical), _) => format!("{logical:?}").to_lowercase(),
        (Type::GroupType { .. }, None, ConvertedType::NONE) => "struct".to_owned(),
        (Type::GroupType { .. }, None, converted) => converted.to_string().to_lowercase(),
        (Type::PrimitiveType { physical_type, .. }, None, ConvertedType::NONE) => {
            match physical_type {
                Physical::BYTE_ARRAY => "binary".to_owned(),
                other => other.to_string().to_lowercase(),
            }
        }
        (Type::PrimitiveType { physical_type, .. }, Some(logical), _) => {
            format!("{} ({logical:?})", physical_type.to_string().to_lowercase())
        }
        (Type::PrimitiveType { physical_type, .. }, None, converted) => {
            format!("{} ({converted})", physical_type.to_string().to_lowercase())
        }
    }
}
