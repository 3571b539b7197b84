//! Statements that are carried out for each ballot or record: prepared once per connection.

macro_rules! statement {
    ($(#[$doc:meta])* $name:ident($($value:ident: $type:ty => $sql_type:ty),*) -> $row:ty, $file:literal) => {
        $crate::statement::statement! {
            diesel::sqlite::Sqlite, '?', "/src/sqlite/sql/";
            $(#[$doc])* $name($($value: $type => $sql_type),*) -> $row, $file
        }

        impl<C> diesel::RunQueryDsl<C> for $name {}
        impl<C> diesel::RunQueryDsl<C> for &$name {}
    };
}

pub(super) use statement;
