//! Executes documents: validated the first time, without validation once a document is known to be valid.

use std::sync::Arc;

use async_graphql::{
    Executor, Request, Response, ServerError, Value, Variables,
    parser::{
        parse_query,
        types::{ExecutableDocument, OperationType},
    },
};
use moka::sync::Cache;

use super::{document, guard, variables};
use crate::protocol::{ErrorCode, error_code::has_code};

/// The limits of documents.
#[derive(Clone, Debug)]
pub struct DocumentLimits {
    /// The most bytes of a document.
    pub max_size: usize,
    /// How deep its brackets may nest. The parser recurses with each: a thousand would overflow the
    /// stack; no document of a client has more than a dozen.
    pub max_nesting: usize,
    /// How many root fields an operation may have: each is a query of its own.
    pub max_root_fields: usize,
    /// How deep its fields may nest.
    pub max_depth: usize,
    /// The most fields that answering it is expected to take.
    pub max_cost: u64,
    /// How many directives it may have: the validation compares each with each.
    pub max_directives: usize,
    /// The bytes of text of all documents that are kept parsed. Clients send a few documents of some
    /// hundred bytes.
    pub cache_size: u64,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            max_size: 4 * 1_024,
            max_nesting: 32,
            max_root_fields: 20,
            // The introspection query of common tools is 15 deep and costs about 20,000.
            max_depth: 20,
            max_cost: 50_000,
            max_directives: 20,
            cache_size: 256 * 1_024,
        }
    }
}

/// A pair of executors of the same schema, and the documents that are known to be valid.
///
/// Parsing and validating a document costs several times as much as executing it, and clients send
/// the same few. A document is known once it was executed strictly without an error that the engine
/// found. Then its parsed form is executed by `fast`, which skips validation. What validation
/// would find out about variables is checked for both alike; see `variables`.
pub struct Engine<E> {
    strict: E,
    fast: E,
    limits: DocumentLimits,
    known: Cache<Arc<str>, Arc<ExecutableDocument>>,
}

/// A document that may be executed.
pub(crate) struct Plan {
    source: Source,
    kind: OperationType,
}

enum Source {
    Known(Arc<ExecutableDocument>),
    New {
        document: ExecutableDocument,
        /// Whether its text alone decides whether it is valid.
        is_keepable: bool,
    },
}

/// Why a request was not executed.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A syntax error.
    Parse(ServerError),
    /// The document is not valid, or not with these variables.
    Validation(Vec<ServerError>),
    /// A mutation over GET.
    NotOverGet,
}

/// The result of an execution.
pub(crate) struct Answer {
    pub(crate) data: Value,
    pub(crate) errors: Vec<ServerError>,
}

impl Plan {
    /// Whether executing it may change something.
    pub(crate) fn is_mutation(&self) -> bool {
        self.kind == OperationType::Mutation
    }
}

impl<E: Executor> Engine<E> {
    /// An engine over two executors of one schema: `strict` validates, `fast` need not.
    pub fn new(strict: E, fast: E, limits: DocumentLimits) -> Self {
        let known = Cache::builder()
            .max_capacity(limits.cache_size)
            .weigher(|text: &Arc<str>, _| u32::try_from(text.len()).unwrap_or(u32::MAX))
            .build();
        Self {
            strict,
            fast,
            limits,
            known,
        }
    }

    /// Executes a document that has one operation, without HTTP.
    pub async fn answer(&self, text: &str, variables: Variables) -> Response {
        let refused = |refused| match refused {
            Refused::Parse(error) => vec![error],
            Refused::Validation(errors) => errors,
            Refused::NotOverGet => unreachable!("not over GET"),
        };
        let answer = match self.plan(text, None, false) {
            Ok(plan) => self.execute(plan, text, None, variables).await,
            Err(refused) => Err(refused),
        };
        match answer {
            Ok(Answer { data, errors }) => {
                let mut response = Response::new(data);
                response.errors = errors;
                response
            }
            Err(why) => Response::from_errors(refused(why)),
        }
    }

    /// Parses a document and checks whether it may be executed.
    pub(crate) fn plan(
        &self,
        text: &str,
        operation: Option<&str>,
        read_only: bool,
    ) -> Result<Plan, Refused> {
        let source = match self.known.get(text) {
            Some(document) => Source::Known(document),
            None => self.parse(text)?,
        };
        let selected = document::select(source.document(), operation);
        let kind = selected.map_err(|why| validation(why.to_string()))?.ty;
        if read_only && kind == OperationType::Mutation {
            return Err(Refused::NotOverGet);
        }
        Ok(Plan { source, kind })
    }

    fn parse(&self, text: &str) -> Result<Source, Refused> {
        let limits = &self.limits;
        guard::check(text, limits.max_size, limits.max_nesting)
            .map_err(|why| validation(why.to_string()))?;
        let document = parse_query(text).map_err(|error| Refused::Parse(syntax_error(error)))?;
        variables::check_defaults(&document).map_err(|why| validation(why.to_string()))?;
        let is_keepable =
            document::check(&document, limits).map_err(|why| validation(why.to_string()))?;
        Ok(Source::New {
            document,
            is_keepable,
        })
    }

    /// Executes a plan that was made for `text` and `operation`.
    pub(crate) async fn execute(
        &self,
        plan: Plan,
        text: &str,
        operation: Option<&str>,
        variables: Variables,
    ) -> Result<Answer, Refused> {
        // It was selected before, so it is there.
        if let Ok(selected) = document::select(plan.source.document(), operation) {
            variables::check(selected, &variables).map_err(|why| {
                Refused::Validation(vec![ErrorCode::BadUserInput.server_error(why.to_string())])
            })?;
        }
        // The text is not needed any more: what is parsed is not parsed again.
        let mut request = Request::new(String::new()).variables(variables);
        request.operation_name = operation.map(Into::into);
        match plan.source {
            Source::Known(document) => {
                request.set_parsed_query((*document).clone());
                answer(self.fast.execute(request).await)
            }
            Source::New {
                document,
                is_keepable,
            } => {
                let kept = is_keepable.then(|| Arc::new(document.clone()));
                request.set_parsed_query(document);
                let answer = answer(Box::pin(self.strict.execute(request)).await)?;
                // The errors of our own resolvers are not about the document.
                if let Some(document) = kept
                    && answer.errors.iter().all(has_code)
                {
                    self.known.insert(text.into(), document);
                }
                Ok(answer)
            }
        }
    }
}

impl Source {
    fn document(&self) -> &ExecutableDocument {
        match self {
            Self::Known(document) => document,
            Self::New { document, .. } => document,
        }
    }
}

/// Distinguishes an execution with errors from a request that was not executed: only the errors of
/// an execution have a path.
fn answer(response: Response) -> Result<Answer, Refused> {
    let Response {
        data, mut errors, ..
    } = response;
    let was_executed = data != Value::Null || errors.iter().any(|error| !error.path.is_empty());
    if was_executed || errors.is_empty() {
        Ok(Answer { data, errors })
    } else {
        ErrorCode::ValidationFailed.mark_bare(&mut errors);
        Err(Refused::Validation(errors))
    }
}

/// The parser's error as one sentence; its own text draws the line of the document below it.
fn syntax_error(error: async_graphql::parser::Error) -> ServerError {
    let mut error = ServerError::from(error);
    let at = error.locations.first().map(|at| {
        let (line, column) = (at.line, at.column);
        format!(" at line {line}, column {column}")
    });
    // The last line of the drawing is what the grammar allows: `  = expected selection_set`.
    let why = error.message.lines().rev().find_map(|line| {
        let why = line.trim().strip_prefix("= ")?;
        Some(format!(": {}", why.replace('_', " ")))
    });
    let (at, why) = (at.unwrap_or_default(), why.unwrap_or_default());
    error.message = format!("The document has a syntax error{at}{why}");
    let mut errors = [error];
    ErrorCode::ParseFailed.mark_bare(&mut errors);
    let [error] = errors;
    error
}

fn validation(message: String) -> Refused {
    Refused::Validation(vec![ErrorCode::ValidationFailed.server_error(message)])
}
