//! How one list of clauses becomes documented functions, a table, and tests.
//!
//! Each suite has a list macro, `__port_clauses!(callback (arguments))`, which calls `callback!`
//! with the arguments and all clauses, as `"text of the clause" => module::function,`.

/// Makes of each clause a public function, documented by its text, and an entry of `CLAUSES`.
#[doc(hidden)]
#[macro_export]
macro_rules! __clause_table {
    (($harness:path) $($text:literal => $module:ident :: $name:ident,)*) => {
        $(
            #[doc = $text]
            pub fn $name(harness: &dyn $harness) -> $crate::contract::Verdict<'_> {
                ::std::boxed::Box::pin($module::$name(harness))
            }
        )*

        /// All clauses, in the order of the port's doc.
        pub static CLAUSES: &[$crate::contract::Clause<dyn $harness>] = &[
            $($crate::contract::Clause {
                name: stringify!($name),
                text: $text,
                test: $name,
            },)*
        ];
    };
}

/// Makes of each clause a test.
#[doc(hidden)]
#[macro_export]
macro_rules! __clause_tests {
    (($port:ident, $make:expr) $($text:literal => $module:ident :: $name:ident,)*) => {
        $(
            #[doc = $text]
            #[test]
            fn $name() {
                $crate::contract::$port::prove(stringify!($name), $make);
            }
        )*
    };
}
