//! How one list of clauses becomes documented functions, a table, and tests.
//!
//! Each suite has a list macro, `__port_clauses!(callback (arguments))`, which calls `callback!`
//! with the arguments and all clauses, as `"text of the clause" => module::function,`; a clause with several tests
//! has a `=> module::function,` for each.

/// Makes of each clause a public function, documented by its text, and an entry of `CLAUSES`; and a function
/// that proves one of them. A clause is given a scenario that has just started.
#[doc(hidden)]
#[macro_export]
macro_rules! __clause_table {
    (($harness:path) $($text:literal $(=> $module:ident :: $name:ident,)+)*) => {
        $($(
            #[doc = $text]
            pub fn $name(harness: &dyn $harness) -> $crate::contract::Verdict<'_> {
                ::std::boxed::Box::pin(async move {
                    let scenario = scenario::Scenario::start(harness).await;
                    $crate::contract::IntoVerdict::into_verdict($module::$name(scenario).await)
                })
            }
        )+)*

        /// All clauses, in the order of the port's doc.
        pub static CLAUSES: &[$crate::contract::Clause<dyn $harness>] = &[
            $($($crate::contract::Clause {
                name: stringify!($name),
                text: $text,
                test: $name,
            },)+)*
        ];

        /// Proves one clause by name. The macro of tests calls it for each.
        pub fn prove<H: $harness + 'static>(
            clause: &str,
            make: impl AsyncFnOnce() -> ::std::result::Result<H, $crate::contract::Skipped>,
        ) {
            let make =
                async || Ok(::std::boxed::Box::new(make().await?) as ::std::boxed::Box<dyn $harness>);
            $crate::contract::prove($crate::contract::find(CLAUSES, clause), make);
        }
    };
}

/// Makes of each clause a test.
#[doc(hidden)]
#[macro_export]
macro_rules! __clause_tests {
    (($port:ident, $make:expr) $($text:literal $(=> $module:ident :: $name:ident,)+)*) => {
        $($(
            #[doc = $text]
            #[test]
            fn $name() {
                $crate::contract::$port::prove(stringify!($name), $make);
            }
        )+)*
    };
}
