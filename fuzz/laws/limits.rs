//! How deep a document nests, and what it costs to execute: computed independently of the server.

use std::convert::Infallible;

use async_graphql::{
    Positioned, Value,
    parser::types::{BaseType, Directive, ExecutableDocument, Selection, SelectionSet, Type},
};

/// The limits of a document.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) root_fields: usize,
    pub(crate) depth: usize,
    pub(crate) cost: u64,
}

/// The nesting of everything in a document that stands in brackets.
pub(crate) fn nesting(document: &ExecutableDocument) -> usize {
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
                    // The brackets of a variable's value stand elsewhere.
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

/// Walks through each operation as the engine does, a fragment at each place where it is spread, and
/// asserts that it stays within the limits.
pub(crate) fn assert_within(document: &ExecutableDocument, limits: Limits) {
    for (_, operation) in document.operations.iter() {
        let mut walk = Walk {
            document,
            limits,
            cost: 0,
            root_fields: 0,
            votes: 0,
        };
        walk.set(&operation.node.selection_set.node, 0);
        assert!(walk.votes <= 1, "{} votes", walk.votes);
        let root_fields = walk.root_fields;
        assert!(
            root_fields <= limits.root_fields,
            "{root_fields} root fields"
        );
    }
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    limits: Limits,
    cost: u64,
    root_fields: usize,
    votes: usize,
}

impl Walk<'_> {
    fn set(&mut self, set: &SelectionSet, depth: usize) {
        for selection in &set.items {
            self.cost += 1;
            assert!(self.cost <= self.limits.cost, "a cost of {}", self.cost);
            match &selection.node {
                Selection::Field(field) => {
                    assert!(depth < self.limits.depth, "a depth of {depth}");
                    self.root_fields += usize::from(depth == 0);
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
