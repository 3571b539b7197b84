//! Statements from SQL files, prepared once per connection.

use diesel::{QueryResult, pg::Pg, query_builder::AstPass};

/// Writes one value of a statement.
type Value<'a, 'b> = dyn Fn(AstPass<'_, 'b, Pg>) -> QueryResult<()> + 'a;

/// The text of a statement between its placeholders, and which placeholder follows each part.
///
/// The placeholders `$1`, `$2` … must first appear in this order, in which they get their values.
pub(super) struct Text {
    parts: Vec<(String, usize)>,
    end: String,
}

impl Text {
    /// Splits a file at its placeholders. The comments are removed: they would hide the statement in
    /// `pg_stat_activity`.
    pub(super) fn parse(file: &str) -> Self {
        let code = file.lines().filter(|line| !line.starts_with("--"));
        let code = code.collect::<Vec<_>>().join("\n");
        let mut pieces = code.split('$');
        let mut before = pieces.next().unwrap_or_default().to_owned();
        let mut parts = Vec::new();
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = piece.split_at(digits);
            let number = number.parse().expect("a $ begins a placeholder");
            parts.push((std::mem::replace(&mut before, after.to_owned()), number));
        }
        Self { parts, end: before }
    }

    /// Writes the statement, and a value where a placeholder appears for the first time.
    pub(super) fn write<'b>(
        &self,
        mut out: AstPass<'_, 'b, Pg>,
        values: &[&Value<'_, 'b>],
    ) -> QueryResult<()> {
        let mut given = 0;
        for (sql, number) in &self.parts {
            out.push_sql(sql);
            if *number <= given {
                out.push_sql(&format!("${number}"));
            } else {
                given += 1;
                assert_eq!(*number, given, "placeholders first appear in order");
                values[given - 1](out.reborrow())?;
            }
        }
        assert_eq!(values.len(), given, "each value has its placeholder");
        out.push_sql(&self.end);
        Ok(())
    }
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
                static TEXT: std::sync::LazyLock<$crate::postgres::statement::Text> =
                    std::sync::LazyLock::new(|| {
                        $crate::postgres::statement::Text::parse(include_str!(concat!(
                            env!("CARGO_MANIFEST_DIR"),
                            "/src/postgres/sql/",
                            $file
                        )))
                    });
                TEXT.write(out, &[$(&|mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>| {
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
    use super::Text;

    #[test]
    fn a_file_is_split_at_its_placeholders_without_its_comments() {
        let text = Text::parse("-- $1 is an id.\nSELECT $1 + $12,\n-- again\n$1 END");
        let parts: Vec<_> = text.parts.iter().map(|(sql, n)| (&**sql, *n)).collect();
        assert_eq!(parts, [("SELECT ", 1), (" + ", 12), (",\n", 1)]);
        assert_eq!(text.end, " END");
    }
}
