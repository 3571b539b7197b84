//! Statements from SQL files, prepared once per connection.

use diesel::{QueryResult, pg::Pg, query_builder::AstPass};

/// Writes one value of a statement.
pub(super) type Value<'a, 'b> = dyn Fn(AstPass<'_, 'b, Pg>) -> QueryResult<()> + 'a;

/// A placeholder, whose number is 0 where there is none, and the text after it.
pub(super) type Piece = (usize, &'static str);

/// Splits a file at its placeholders. Comments are left out: they would hide the statement in
/// `pg_stat_activity`.
pub(super) fn parse(file: &'static str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let lines = file.split_inclusive('\n');
    for line in lines.filter(|line| !line.starts_with("--")) {
        let mut parts = line.split('$');
        pieces.push((0, parts.next().unwrap_or_default()));
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = part.split_at(digits);
            pieces.push((number.parse().expect("a $ begins a placeholder"), after));
        }
    }
    pieces
}

/// Writes a statement, and a value where a placeholder appears for the first time.
///
/// The placeholders `$1`, `$2` … must first appear in this order, in which they get their values.
pub(super) fn write<'b>(
    pieces: &[Piece],
    mut out: AstPass<'_, 'b, Pg>,
    values: &[&Value<'_, 'b>],
) -> QueryResult<()> {
    let mut given = 0;
    for &(number, text) in pieces {
        if number > given {
            given += 1;
            assert_eq!(number, given, "placeholders first appear in order");
            values[given - 1](out.reborrow())?;
        } else if number > 0 {
            out.push_sql(&format!("${number}"));
        }
        out.push_sql(text);
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
                use $crate::postgres::statement::{Piece, Value, parse, write};

                static PIECES: std::sync::LazyLock<Vec<Piece>> = std::sync::LazyLock::new(|| {
                    parse(include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"),
                        "/src/postgres/sql/",
                        $file
                    )))
                });
                let values: &[&Value<'_, 'b>] = &[
                    $(&|mut out| out.push_bind_param::<$sql_type, _>(&self.$value)),*
                ];
                write(&PIECES, out, values)
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
            let file =
                "-- $1 is an id.\nSELECT $1 + $2,\n-- again\n$1, $3$4$5$6$7$8$9$10 $11 $10 END";
            let id: &Value<'_, 'b> = &|mut out| out.push_bind_param::<BigInt, _>(&self.0);
            let name: &Value<'_, 'b> = &|mut out| out.push_bind_param::<Text, _>(self.1);
            let values = [id, name, id, id, id, id, id, id, id, id, name];
            write(&parse(file), out, &values)
        }
    }

    #[test]
    fn a_file_is_written_with_its_values_and_without_its_comments() {
        let written = debug_query::<Pg, _>(&Probe(7, "x")).to_string();
        let expected = "SELECT $1 + $2,\n$1, $3$4$5$6$7$8$9$10 $11 $10 END \
                        -- binds: [7, \"x\", 7, 7, 7, 7, 7, 7, 7, 7, \"x\"]";
        assert_eq!(written, expected);
    }
}
