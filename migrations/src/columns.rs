//! The kinds of columns that tables are made of.

use sea_orm_migration::prelude::*;

/// A UUID.
pub(crate) fn id(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.uuid().not_null();
    column
}

/// A UUID that may be absent.
pub(crate) fn id_null(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.uuid().null();
    column
}

/// The UUID that identifies a row.
pub(crate) fn primary_id(name: &'static str) -> ColumnDef {
    let mut column = id(name);
    column.primary_key();
    column
}

/// Text of any length.
pub(crate) fn text(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.text().not_null();
    column
}

/// Text that may be absent.
pub(crate) fn text_null(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.text().null();
    column
}

/// A whole number: a count, a size in bytes, or a moment in microseconds.
pub(crate) fn number(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer().not_null();
    column
}

/// A whole number that may be absent.
pub(crate) fn number_null(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer().null();
    column
}

/// A small whole number.
pub(crate) fn small(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.integer().not_null();
    column
}

/// Seconds with a fraction, which may be absent.
pub(crate) fn seconds_null(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.double().null();
    column
}

/// Yes or no.
pub(crate) fn flag(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.boolean().not_null();
    column
}

/// A JSON document.
pub(crate) fn json(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.json_binary().not_null();
    column
}

/// A JSON document that may be absent.
pub(crate) fn json_null(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.json_binary().null();
    column
}

/// A foreign key of one column on another table's `id`.
pub(crate) fn reference(
    name: &'static str,
    from: (&'static str, &'static str),
    to: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.name(name).from(from.0, from.1).to(to, "id").on_delete(on_delete);
    key
}

/// An index with its columns in order.
pub(crate) fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

/// An index that also forbids duplicates.
pub(crate) fn unique(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = index(name, table, columns);
    index.unique();
    index
}
