//! Finds the text column of a parquet file, or says why there is none.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::{ColumnDescriptor, Type};

/// The leaf column of that name, or what is wrong with it.
pub(super) fn find_column(
    metadata: &ParquetMetaData,
    name: &str,
) -> std::result::Result<usize, String> {
    let schema = metadata.file_metadata().schema_descr();
    let fields = schema.root_schema().get_fields();
    let found = |field: &&Arc<Type>| field.name() == name;
    let Some(field) = fields.iter().find(found) else {
        return Err(format!(
            "no column {name:?}; the columns are {}",
            listed(fields)
        ));
    };
    if field.is_group() {
        return Err(format!(
            "column {name:?} is nested, text is wanted; the columns are {}",
            listed(fields)
        ));
    }
    let column = (0..schema.num_columns()).find(|&column| {
        let path = schema.column(column);
        path.path().parts().len() == 1 && path.name() == name
    });
    let Some(column) = column else {
        return Err(format!(
            "no column {name:?}; the columns are {}",
            listed(fields)
        ));
    };
    let descriptor = schema.column(column);
    if descriptor.max_rep_level() > 0 || !holds_text(&descriptor) {
        return Err(format!(
            "column {name:?} is of type {}; allowed are string, large_string, string_view, \
             a dictionary of strings, binary and large_binary; name another column",
            type_name(field)
        ));
    }
    Ok(column)
}

fn holds_text(column: &ColumnDescriptor) -> bool {
    let logical = column.logical_type_ref();
    column.physical_type() == Physical::BYTE_ARRAY
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
        .map(|field| format!("{:?} ({})", field.name(), type_name(field)))
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
