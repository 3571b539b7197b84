//! Statements from SQL files, prepared once per connection.

use diesel::{QueryResult, pg::Pg, query_builder::AstPass};

/// Writes one value of a statement.
type Value<'a, 'b> = dyn Fn(AstPass<'_, 'b, Pg>) -> QueryResult<()> + 'a;

/// Writes a statement, and a value where a placeholder appears for the first time.
///
/// The placeholders `$1`, `$2` … must first appear in this order, in which they get their values. Comments
/// are left out: they would hide the statement in `pg_stat_activity`.
pub(super) fn write<'b>(
    file: &str,
    mut out: AstPass<'_, 'b, Pg>,
    values: &[&Value<'_, 'b>],
) -> QueryResult<()> {
    let mut given = 0;
    for line in file.lines().filter(|line| !line.starts_with("--")) {
        let mut pieces = line.split('$');
        out.push_sql(pieces.next().unwrap_or_default());
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = piece.split_at(digits);
            let number: usize = number.parse().expect("a $ begins a placeholder");
            if number <= given {
                out.push_sql(&format!("${number}"));
            } else {
                given += 1;
                assert_eq!(number, given, "placeholders first appear in order");
                values[given - 1](out.reborrow())?;
            }
            out.push_sql(after);
        }
        out.push_sql("\n");
    }
    assert_eq!(values.len(), given, "each value has its placeholder");
    Ok(())
}

/// Declares a statement: a struct with a field for each placeholder, the file with its text, and
/// the SQL types of a row of its answer.
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident($($value:ident: $type:ty => $sql_type:ty),*) -> $row:ty, $file:literal) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(super) struct $name {
            $(pub(super) $value: $type,)*
        }

        impl diesel::query_builder::QueryFragment<diesel::pg::Pg> for $name {
            fn walk_ast<'b>(
                &'b self,
                out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                let file = include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/src/postgres/sql/",
                    $file
                ));
                $crate::postgres::statement::write(file, out, &[$(&|mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>| {
                    out.push_bind_param::<$sql_type, _>(&self.$value)
                }),*])
            }
        }

        impl diesel::query_builder::QueryId for $name {
            // The text never changes, so one prepared statement per connection serves all values.
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::Query for $name {
            type SqlType = $row;
        }
    };
}

pub(super) use statement;

#[cfg(test)]
mod tests {
    use diesel::{
        debug_query,
        query_builder::{QueryFragment, QueryId},
        sql_types::{BigInt, Text},
    };

    use super::*;

    #[derive(QueryId)]
    struct Probe(i64, &'static str);

    impl QueryFragment<Pg> for Probe {
        fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            let file = "-- $1 is an id.\nSELECT $1 + $2,\n-- again\n$1 END";
            write(
                file,
                out,
                &[
                    &|mut out: AstPass<'_, 'b, Pg>| out.push_bind_param::<BigInt, _>(&self.0),
                    &|mut out: AstPass<'_, 'b, Pg>| out.push_bind_param::<Text, _>(self.1),
                ],
            )
        }
    }

    #[test]
    fn a_file_is_written_with_its_values_and_without_its_comments() {
        let written = debug_query::<Pg, _>(&Probe(7, "x")).to_string();
        let expected = "SELECT $1 + $2,\n$1 END\n -- binds: [7, \"x\"]";
        assert_eq!(written, expected);
    }
}
