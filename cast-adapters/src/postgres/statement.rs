//! Statements of this adapter.

macro_rules! statement {
    ($($statement:tt)*) => {
        $crate::statement::statement! { diesel::pg::Pg, '$', "/src/postgres/sql/"; $($statement)* }
    };
}

pub(super) use statement;
