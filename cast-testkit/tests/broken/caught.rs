//! What must come of the contract tests of an adapter that is broken on purpose.

/// Makes of each clause a test that it fails on the adapters broken for it, each of them, and a
/// test that no clause was left out.
///
/// `$harness` makes the harness of an adapter that is broken in some way, or not at all:
/// `How::Sound`.
macro_rules! caught {
    ($port:ident, $harness:ident: $($clause:ident => $($how:ident)|+,)*) => {
        $(
            #[test]
            fn $clause() {
                $($crate::caught::assert_caught(stringify!($how), || {
                    ::cast_testkit::contract::$port::prove(stringify!($clause), async || {
                        Ok($harness(How::$how))
                    });
                });)+
            }
        )*

        #[test]
        fn the_decorator_alone_breaks_nothing() {
            for clause in ::cast_testkit::contract::$port::CLAUSES {
                ::cast_testkit::contract::$port::prove(clause.name, async || {
                    Ok($harness(How::Sound))
                });
            }
        }

        #[test]
        fn every_clause_is_seen_to_fail() {
            let clauses = ::cast_testkit::contract::$port::CLAUSES;
            let clauses: Vec<_> = clauses.iter().map(|clause| clause.name).collect();
            assert_eq!(clauses, [$(stringify!($clause)),*]);
        }
    };
}

/// Asserts that a clause fails; what it says is shown by `cargo test -- --nocapture`.
pub(crate) fn assert_caught(how: &str, prove: impl FnOnce() + std::panic::UnwindSafe) {
    let proven = std::panic::catch_unwind(prove);
    assert!(proven.is_err(), "an adapter that is {how} gets through");
}

pub(crate) use caught;
