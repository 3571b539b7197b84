//! Statements from SQL files, prepared once per connection.

use diesel::{QueryResult, backend::Backend, query_builder::AstPass};

/// Writes one value of a statement.
pub(crate) type Value<'a, 'b, DB> = dyn Fn(AstPass<'_, 'b, DB>) -> QueryResult<()> + 'a;

/// A placeholder, whose number is 0 where there is none, and the text after it.
pub(crate) type Piece = (usize, &'static str);

/// Splits a file at its placeholders. Comments are left out: they would hide the statement in
/// `pg_stat_activity`.
pub(crate) fn parse(file: &'static str) -> Vec<Piece> {
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
///
/// PostgreSQL names a repeated one `$1`, and SQLite `?1`: `sign` is what stands before the number.
pub(crate) fn write<'b, DB: Backend>(
    pieces: &[Piece],
    sign: char,
    mut out: AstPass<'_, 'b, DB>,
    values: &[&Value<'_, 'b, DB>],
) -> QueryResult<()> {
    let mut given = 0;
    for &(number, text) in pieces {
        if number > given {
            given += 1;
            assert_eq!(number, given, "placeholders first appear in order");
            values[given - 1](out.reborrow())?;
        } else if number > 0 {
            out.push_sql(&format!("{sign}{number}"));
        }
        out.push_sql(text);
    }
    assert_eq!(values.len(), given, "each value has its placeholder");
    Ok(())
}

/// Declares a statement of a backend whose files are in a folder: a struct with a field for each placeholder,
/// the file with its text, and the SQL types of a row of its answer.
macro_rules! statement {
    ($backend:ty, $sign:literal, $folder:literal; $(#[$doc:meta])* $name:ident($($value:ident: $type:ty => $sql_type:ty),*) -> $row:ty, $file:literal) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(super) struct $name {
            $(pub(super) $value: $type,)*
        }

        impl diesel::query_builder::QueryFragment<$backend> for $name {
            fn walk_ast<'b>(
                &'b self,
                out: diesel::query_builder::AstPass<'_, 'b, $backend>,
            ) -> diesel::QueryResult<()> {
                use $crate::statement::{Piece, Value, parse, write};

                static PIECES: std::sync::LazyLock<Vec<Piece>> = std::sync::LazyLock::new(|| {
                    parse(include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"),
                        $folder,
                        $file
                    )))
                });
                let values: &[&Value<'_, 'b, $backend>] = &[
                    $(&|mut out| out.push_bind_param::<$sql_type, _>(&self.$value)),*
                ];
                write(&PIECES, $sign, out, values)
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

pub(crate) use statement;

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use diesel::{
        debug_query,
        pg::Pg,
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
            let id: &Value<'_, 'b, Pg> = &|mut out| out.push_bind_param::<BigInt, _>(&self.0);
            let name: &Value<'_, 'b, Pg> = &|mut out| out.push_bind_param::<Text, _>(self.1);
            let values = [id, name, id, id, id, id, id, id, id, id, name];
            write(&parse(file), '$', out, &values)
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
