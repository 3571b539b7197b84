//! Executes documents: the first time with validation, and without once a document is known to be valid.

use std::sync::Arc;

use async_graphql::{
    Executor, Pos, Request, Response, ServerError, Value, Variables,
    parser::{
        self, parse_query,
        types::{ExecutableDocument, OperationType},
    },
};
use moka::sync::Cache;

use super::{
    document, guard,
    limits::{CACHE_SIZE, DocumentLimits, MAX_NESTING},
    variables,
};
use crate::protocol::ErrorCode;

/// A pair of executors of the same schema, and a cache of documents that are known to be valid.
///
/// Parsing and validating a document costs several times as much as executing it, and clients send the
/// same few: docs/adr/0022 has the numbers. A document is cached once `strict` has executed it and the
/// engine found no error in it. From then on its parsed form is executed by `fast`, which does not
/// validate. What validation would find in variables is checked for both alike; see `variables`.
pub struct Engine<E> {
    strict: E,
    fast: E,
    limits: DocumentLimits,
    cache: Cache<Arc<str>, Arc<ExecutableDocument>>,
}

/// A document that may be executed.
pub struct Plan {
    document: ExecutableDocument,
    /// It was found in the cache: it is valid.
    is_cached: bool,
    /// Cached after a valid execution. A document whose validity depends on the variables or on the
    /// operation's name too is never cached.
    is_cacheable: bool,
    /// Whether executing it may change something.
    pub is_mutation: bool,
}

/// Why a request was not executed.
#[derive(Debug)]
pub enum Refused {
    /// The text is not a document.
    Parse(ServerError),
    /// The document must not be executed, or not with these variables.
    Validation(Vec<ServerError>),
    /// A mutation came by a method that must not change anything.
    NotOverGet,
}

/// The result of an execution.
pub struct Answer {
    /// `null` if an error reached the root.
    pub data: Value,
    /// Those of fields; empty if all of them have a value.
    pub errors: Vec<ServerError>,
}

impl<E: Executor> Engine<E> {
    /// An engine over two executors of one schema: `strict` validates, `fast` need not.
    pub fn new(strict: E, fast: E, limits: DocumentLimits) -> Self {
        let cache = Cache::builder()
            .max_capacity(CACHE_SIZE)
            .weigher(|text: &Arc<str>, _| u32::try_from(text.len()).unwrap_or(u32::MAX))
            .build();
        Self {
            strict,
            fast,
            limits,
            cache,
        }
    }

    /// Finds out what a document is, and whether it may be executed at all.
    pub fn plan(
        &self,
        text: &str,
        operation: Option<&str>,
        read_only: bool,
    ) -> Result<Plan, Refused> {
        let cached = self.cache.get(text);
        let is_cached = cached.is_some();
        let (document, is_cacheable) = match cached {
            Some(document) => (ExecutableDocument::clone(&document), false),
            None => self.parse(text)?,
        };
        let selected = document::select(&document, operation);
        let kind = selected.map_err(|error| invalid(&error))?.ty;
        let is_mutation = kind == OperationType::Mutation;
        if read_only && is_mutation {
            return Err(Refused::NotOverGet);
        }
        Ok(Plan {
            document,
            is_cached,
            is_cacheable,
            is_mutation,
        })
    }

    /// The document, and whether it may be cached: whether its text alone says if it is valid.
    fn parse(&self, text: &str) -> Result<(ExecutableDocument, bool), Refused> {
        let limits = &self.limits;
        guard::check(text, limits.max_size, MAX_NESTING).map_err(|error| invalid(&error))?;
        let document = parse_query(text).map_err(|error| Refused::Parse(syntax_error(error)))?;
        variables::check_defaults(&document).map_err(|error| invalid(&error))?;
        let is_cacheable = document::check(&document, limits.max_cost);
        let is_cacheable = is_cacheable.map_err(|error| invalid(&error))?;
        Ok((document, is_cacheable))
    }

    /// Executes a plan that was made for `text` and `operation`.
    pub async fn execute(
        &self,
        plan: Plan,
        text: &str,
        operation: Option<&str>,
        variables: Variables,
    ) -> Result<Answer, Refused> {
        let Plan { document, .. } = plan;
        // It was selected before, so it is there.
        if let Ok(selected) = document::select(&document, operation) {
            variables::check(selected, &variables).map_err(|error| {
                Refused::Validation(vec![
                    ErrorCode::BadUserInput.server_error(error.to_string()),
                ])
            })?;
        }
        // Without the text: what is parsed is not parsed again.
        let mut request = Request::new(String::new()).variables(variables);
        request.operation_name = operation.map(Into::into);
        if plan.is_cached {
            request.set_parsed_query(document);
            return answer(self.fast.execute(request).await);
        }
        let cacheable = plan.is_cacheable.then(|| Arc::new(document.clone()));
        request.set_parsed_query(document);
        // Boxed, so that the future of a cached document does not hold the room for it.
        let answer = answer(Box::pin(self.strict.execute(request)).await)?;
        // What the resolvers of CAST refuse says nothing about the document.
        if let Some(document) = cacheable
            && answer
                .errors
                .iter()
                .all(|error| ErrorCode::of(error).is_some())
        {
            self.cache.insert(text.into(), document);
        }
        Ok(answer)
    }
}

/// Tells an execution with errors from a request that was not executed: only what was executed has a
/// path.
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

fn invalid(error: &dyn std::error::Error) -> Refused {
    Refused::Validation(vec![
        ErrorCode::ValidationFailed.server_error(error.to_string()),
    ])
}

/// One sentence: the parser's own message draws the line, with a marker beneath, over five lines.
fn syntax_error(error: parser::Error) -> ServerError {
    let at = error.positions().next();
    let is_nameless = matches!(error, parser::Error::MultipleOperations { .. });
    let mut error = ServerError::from(error);
    if is_nameless {
        error.message = "An operation without a name must be the only one of its document".into();
        // The second is that of any other operation, because they come out of a hash map.
        error.locations.truncate(1);
    }
    if let (Some(Pos { line, column }), Some((_, what))) = (at, error.message.rsplit_once("= ")) {
        error.message = format!("Syntax error at line {line}, column {column}: {what}");
    }
    ErrorCode::ParseFailed.mark_bare(std::slice::from_mut(&mut error));
    error
}
