//! The laws of documents.

use std::{convert::Infallible, sync::Arc};

use async_graphql::{
    Positioned, ServerError, Value, Variables,
    parser::{
        parse_query,
        types::{BaseType, Directive, ExecutableDocument, Selection, SelectionSet, Type},
    },
};
use cast_adapters::memory;
use cast_core::{
    Cast, Roles,
    domain::KeyRing,
    ports::{Clock, Entropy},
};
use cast_testkit::ManualClock;
use tokio::runtime::Runtime;

use super::{
    CastSchema, DocumentLimits, Engine,
    backend::Backend,
    document as weight,
    engine::{Answer, Refused},
    guard, schemas,
};
use crate::telemetry::metrics::Metrics;

/// The text of a document.
///
/// What the guard lets through is parsed without nesting deeper than it counted. What is let in then
/// takes no longer to follow, and nests no deeper, than was reckoned. And it is answered the same
/// whether it is known or not.
pub fn document(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        is_answered_alike(text, None, &Variables::default());
    }
}

/// The laws of [`document`], for a request with variables.
pub(crate) fn is_answered_alike(text: &str, operation: Option<&str>, variables: &Variables) {
    let limits = DocumentLimits::default();
    if guard::check(text, limits.max_size, limits.max_nesting).is_err() {
        return;
    }
    let Ok(document) = parse_query(text) else {
        return;
    };
    assert!(nesting(&document) <= limits.max_nesting);
    if weight::check(&document, &limits).is_err() {
        return;
    }
    follow(&document, &limits);
    WORLD.with(|world| {
        let engine = Engine::new(world.strict.clone(), world.fast.clone(), limits);
        let first = world.answer(&engine, text, operation, variables);
        assert_eq!(world.answer(&engine, text, operation, variables), first);
    });
}

/// A server whose time stands still and whose randomness is none: what is asked twice is answered
/// twice the same.
struct World {
    runtime: Runtime,
    strict: CastSchema,
    fast: CastSchema,
    _cast: Cast,
}

thread_local! {
    /// Never dropped: a runtime cannot be while its thread ends.
    static WORLD: &'static World = Box::leak(Box::new(World::new()));
}

/// Not even the tickets of this world can be guessed by a fuzzer: their tags are not random, but keyed.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime without I/O");
        let (clock, entropy) = (Arc::new(ManualClock::new()), Arc::new(NoEntropy));
        let ports = memory::ports_on(clock.clone(), entropy.clone());
        let roles = Roles {
            consumers: 0,
            ..Roles::ALL
        };
        let start = Cast::builder(ports, KeyRing::generate(&NoEntropy))
            .roles(roles)
            .start();
        let cast = runtime.block_on(start).expect("ports in memory are there");
        let max_votes = 1_000;
        let clock: Arc<dyn Clock> = clock;
        let metrics = Metrics::new(&clock);
        let backend = Backend {
            cast: cast.clone(),
            max_votes,
            clock,
            entropy,
            metrics,
        };
        let (strict, fast) = schemas(&backend, &DocumentLimits::default());
        Self {
            runtime,
            strict,
            fast,
            _cast: cast,
        }
    }

    /// What a client is answered, as text.
    fn answer(
        &self,
        engine: &Engine<CastSchema>,
        text: &str,
        operation: Option<&str>,
        variables: &Variables,
    ) -> String {
        let answer = self.runtime.block_on(async {
            let plan = engine.plan(text, operation, false)?;
            engine
                .execute(plan, text, operation, variables.clone())
                .await
        });
        // The library finds errors in the order of its hash tables.
        let sorted = |errors: &[ServerError], show: fn(&ServerError) -> String| {
            let mut errors: Vec<_> = errors.iter().map(show).collect();
            errors.sort_unstable();
            errors.join(" ")
        };
        let whole = |error: &ServerError| serde_json::to_string(error).expect("it is JSON");
        let place = |error: &ServerError| format!("{:?} {:?}", error.locations, error.extensions);
        match answer {
            Ok(Answer { data, errors }) => format!("{data} {}", sorted(&errors, whole)),
            Err(Refused::Parse(error)) => whole(&error),
            // What it says of one may depend on which it found first.
            Err(Refused::Validation(errors)) => sorted(&errors, place),
            Err(Refused::NotOverGet) => unreachable!("it did not come by GET"),
        }
    }
}

/// How deep anything nests in a document for which there is a bracket in its text.
fn nesting(document: &ExecutableDocument) -> usize {
    let fragments = document.fragments.values().map(|fragment| {
        let fragment = &fragment.node;
        of_set(&fragment.selection_set.node).max(of_directives(&fragment.directives))
    });
    let operations = document.operations.iter().map(|(_, operation)| {
        let operation = &operation.node;
        let variables = operation.variable_definitions.iter().map(|variable| {
            let variable = &variable.node;
            let default = variable
                .default_value
                .as_ref()
                .map_or(0, |v| of_value(&v.node));
            let inside = of_type(&variable.var_type.node).max(default);
            1 + inside.max(of_directives(&variable.directives))
        });
        let variables = variables.max().unwrap_or(0);
        variables
            .max(of_set(&operation.selection_set.node))
            .max(of_directives(&operation.directives))
    });
    fragments.chain(operations).max().unwrap_or(0)
}

fn of_set(set: &SelectionSet) -> usize {
    if set.items.is_empty() {
        return 0;
    }
    let inside = set.items.iter().map(|selection| {
        let directives = of_directives(selection.node.directives());
        directives.max(match &selection.node {
            Selection::Field(field) => {
                let field = &field.node;
                let arguments = field.arguments.iter().map(|(_, value)| {
                    // Variables have brackets of their own, elsewhere.
                    let value = value
                        .node
                        .clone()
                        .into_const_with(|_| Ok::<_, Infallible>(Value::Null));
                    1 + of_value(&value.unwrap_or_else(|never| match never {}))
                });
                arguments
                    .max()
                    .unwrap_or(0)
                    .max(of_set(&field.selection_set.node))
            }
            Selection::InlineFragment(inline) => of_set(&inline.node.selection_set.node),
            Selection::FragmentSpread(_) => 0,
        })
    });
    1 + inside.max().unwrap_or(0)
}

fn of_directives(directives: &[Positioned<Directive>]) -> usize {
    let arguments = directives
        .iter()
        .flat_map(|directive| &directive.node.arguments);
    let values = arguments.map(|(_, value)| {
        let value = value
            .node
            .clone()
            .into_const_with(|_| Ok::<_, Infallible>(Value::Null));
        1 + of_value(&value.unwrap_or_else(|never| match never {}))
    });
    values.max().unwrap_or(0)
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(of_value).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(of_value).max().unwrap_or(0),
        _ => 0,
    }
}

fn of_type(declared: &Type) -> usize {
    match &declared.base {
        BaseType::Named(_) => 0,
        BaseType::List(item) => 1 + of_type(item),
    }
}

/// Follows each operation as the engine does, a fragment at each place that it is spread: that takes no
/// longer and leads no deeper than it may.
fn follow(document: &ExecutableDocument, limits: &DocumentLimits) {
    for (_, operation) in document.operations.iter() {
        let mut walk = Walk {
            document,
            limits,
            steps: 0,
            roots: 0,
            votes: 0,
        };
        walk.set(&operation.node.selection_set.node, 0);
        assert!(walk.votes <= 1, "{} votes", walk.votes);
        assert!(
            walk.roots <= limits.max_root_fields,
            "{} root fields",
            walk.roots
        );
    }
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    limits: &'a DocumentLimits,
    steps: u64,
    roots: usize,
    votes: usize,
}

impl Walk<'_> {
    fn set(&mut self, set: &SelectionSet, depth: usize) {
        for selection in &set.items {
            self.steps += 1;
            assert!(self.steps <= self.limits.max_cost, "{} steps", self.steps);
            match &selection.node {
                Selection::Field(field) => {
                    assert!(depth < self.limits.max_depth, "{depth} deep");
                    self.roots += usize::from(depth == 0);
                    self.votes += usize::from(depth == 0 && field.node.name.node == "vote");
                    self.set(&field.node.selection_set.node, depth + 1);
                }
                Selection::InlineFragment(inline) => {
                    self.set(&inline.node.selection_set.node, depth);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name) {
                        self.set(&fragment.node.selection_set.node, depth);
                    }
                }
            }
        }
    }
}
