//! Bounds the cost of a parsed document before it is validated.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};

use super::limits::{MAX_DEPTH, MAX_DIRECTIVES, MAX_ROOT_FIELDS};

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadDocument {
    #[error("A request has one `vote`, and this document has {count}")]
    Votes { count: usize },
    #[error("The document has {count} root fields, and may have {MAX_ROOT_FIELDS}")]
    RootFields { count: usize },
    #[error("The document nests fields {depth} deep, and may nest them {MAX_DEPTH} deep")]
    Depth { depth: usize },
    #[error("The document asks for too much: its cost is {cost}, and may be {max}")]
    Cost { cost: u64, max: u64 },
    #[error("The document has {count} directives, and may have {MAX_DIRECTIVES}")]
    Directives { count: usize },
    #[error("The fragment \"{name}\" contains itself")]
    Cycle { name: String },
    #[error("There is no operation of this name, or none was named")]
    NoOperation,
    #[error("Subscriptions are not served here")]
    Subscription,
}

/// Checks all operations and fragments of a document, used or not. Returns whether a later request
/// with the same text and other variables is sure to be as valid.
///
/// The engine follows a fragment at each place that it is spread, again and again. This walk does
/// it once and multiplies, so it takes no longer than the document is.
pub(super) fn check(document: &ExecutableDocument, max_cost: u64) -> Result<bool, BadDocument> {
    let mut walk = Walk {
        document,
        fragments: HashMap::new(),
        directives: 0,
    };
    let mut total = Weight::default();
    for name in document.fragments.keys() {
        let weight = walk.fragment(name)?;
        total.follow(weight);
    }
    for (_, operation) in document.operations.iter() {
        let weight = walk.operation(&operation.node)?;
        check_roots(weight)?;
        total.follow(weight);
    }
    let (cost, depth, directives) = (total.cost, total.depth, walk.directives);
    if cost > max_cost {
        let max = max_cost;
        return Err(BadDocument::Cost { cost, max });
    }
    if depth > MAX_DEPTH {
        return Err(BadDocument::Depth { depth });
    }
    if directives > MAX_DIRECTIVES {
        let count = directives;
        return Err(BadDocument::Directives { count });
    }
    // A directive may hide a part from the first execution, and another name ask for another
    // operation: what was seen to be right is then not all there is.
    Ok(directives == 0 && document.operations.iter().len() == 1)
}

fn check_roots(weight: Weight) -> Result<(), BadDocument> {
    if weight.votes > 1 {
        let count = weight.votes;
        return Err(BadDocument::Votes { count });
    }
    if weight.fields > MAX_ROOT_FIELDS {
        let count = weight.fields;
        return Err(BadDocument::RootFields { count });
    }
    Ok(())
}

/// The operation that a request means.
pub(super) fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, BadDocument> {
    let mut named = document.operations.iter().filter(|(known, _)| {
        name.is_none() || known.is_some_and(|known| Some(known.as_str()) == name)
    });
    match (named.next(), named.next()) {
        (Some((_, operation)), None) => match operation.node.ty {
            OperationType::Subscription => Err(BadDocument::Subscription),
            OperationType::Query | OperationType::Mutation => Ok(&operation.node),
        },
        _ => Err(BadDocument::NoOperation),
    }
}

/// What following a selection set means.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    /// Fields, spreads and inline fragments, each as often as it is expected to be followed.
    cost: u64,
    /// How deep fields nest.
    depth: usize,
    /// Fields at the top of the set, aliases and fragments included.
    fields: usize,
    /// How many of them vote.
    votes: usize,
}

impl Weight {
    /// Adds a set that stands at the same place.
    fn follow(&mut self, other: Self) {
        self.cost = self.cost.saturating_add(other.cost).saturating_add(1);
        self.depth = self.depth.max(other.depth);
        self.fields = self.fields.saturating_add(other.fields);
        self.votes = self.votes.saturating_add(other.votes);
    }

    /// Adds a field with a set beneath it.
    fn add_field(&mut self, name: &str, beneath: Self) {
        self.follow(Self {
            cost: beneath.cost.saturating_mul(expected_len(name)),
            depth: beneath.depth.saturating_add(1),
            fields: 1,
            votes: usize::from(name == "vote"),
        });
    }
}

/// How many items a field is expected to answer with. Introspection's lists nest in each other
/// without end.
fn expected_len(field: &str) -> u64 {
    match field {
        "tallies" | "leaderboard" => 100,
        "types" => 20,
        "fields" | "args" | "inputFields" | "enumValues" | "interfaces" | "possibleTypes"
        | "directives" => 6,
        _ => 1,
    }
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    /// `None` while a fragment is being walked.
    fragments: HashMap<&'a str, Option<Weight>>,
    directives: usize,
}

impl<'a> Walk<'a> {
    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Weight, BadDocument> {
        self.directives += operation.directives.len();
        let variables = &operation.variable_definitions;
        self.directives += variables
            .iter()
            .map(|v| v.node.directives.len())
            .sum::<usize>();
        self.set(&operation.selection_set.node)
    }

    fn fragment(&mut self, name: &'a str) -> Result<Weight, BadDocument> {
        match self.fragments.get(name) {
            Some(Some(weight)) => return Ok(*weight),
            Some(None) => return Err(BadDocument::Cycle { name: name.into() }),
            None => {}
        }
        // One that does not exist is for the validation to name.
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Weight::default());
        };
        self.fragments.insert(name, None);
        self.directives += fragment.node.directives.len();
        let weight = self.set(&fragment.node.selection_set.node)?;
        self.fragments.insert(name, Some(weight));
        Ok(weight)
    }

    fn set(&mut self, set: &'a SelectionSet) -> Result<Weight, BadDocument> {
        let mut weight = Weight::default();
        for selection in &set.items {
            self.directives += selection.node.directives().len();
            match &selection.node {
                Selection::Field(field) => {
                    let beneath = self.set(&field.node.selection_set.node)?;
                    weight.add_field(&field.node.name.node, beneath);
                }
                Selection::InlineFragment(inline) => {
                    let beneath = self.set(&inline.node.selection_set.node)?;
                    weight.follow(beneath);
                }
                Selection::FragmentSpread(spread) => {
                    let beneath = self.fragment(&spread.node.fragment_name.node)?;
                    weight.follow(beneath);
                }
            }
        }
        Ok(weight)
    }
}
