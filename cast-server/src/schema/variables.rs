//! Checks variables against their declarations before anything is executed.
//!
//! The engine does that while it validates, which a cached document skips, and in the fields, which is
//! too late: with this check a request gets the same response whether its document is cached or not.

use async_graphql::{
    Value, Variables,
    parser::types::{BaseType, ExecutableDocument, OperationDefinition, Type},
};

/// The types that an argument of our schema may be made of: none is an enum or an input object.
const SCALARS: [&str; 6] = ["Int", "Long", "Float", "String", "ID", "Boolean"];

/// A list of an unknown type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("No argument takes a list of \"{name}\"")]
pub(super) struct UnknownItem {
    name: String,
}

/// Checks the declarations of lists with a default. The validation looks up the type of such a list's
/// items, and panics where there is none; any other unknown type it refuses itself.
pub(super) fn check_defaults(document: &ExecutableDocument) -> Result<(), UnknownItem> {
    let definitions = document
        .operations
        .iter()
        .flat_map(|(_, operation)| &operation.node.variable_definitions)
        .filter(|definition| definition.node.default_value.is_some());
    for definition in definitions {
        if let BaseType::List(item) = &definition.node.var_type.node.base {
            let name = innermost(item);
            if !SCALARS.contains(&name) {
                return Err(UnknownItem { name: name.into() });
            }
        }
    }
    Ok(())
}

fn innermost(item: &Type) -> &str {
    match &item.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => innermost(item),
    }
}

/// Why variables are refused. Values are not repeated: one may be a ticket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadVariable {
    #[error("Variable \"${0}\" of type \"{1}\" was not given")]
    Missing(String, String),
    #[error("Variable \"${0}\" does not fit its type \"{1}\"")]
    Unfit(String, String),
}

/// Checks the variables that an operation declares; others are ignored.
pub(super) fn check(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), BadVariable> {
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        let name = definition.name.node.as_str();
        let expected = &definition.var_type.node;
        let bad = match variables.get(name) {
            Some(value) if fits(value, expected) => continue,
            None if expected.nullable || definition.default_value.is_some() => continue,
            Some(_) => BadVariable::Unfit,
            None => BadVariable::Missing,
        };
        return Err(bad(name.into(), expected.to_string()));
    }
    Ok(())
}

fn fits(value: &Value, expected: &Type) -> bool {
    match (value, &expected.base) {
        (Value::Null, _) => expected.nullable,
        (Value::List(items), BaseType::List(item)) => items.iter().all(|value| fits(value, item)),
        // A single value is coerced to a list.
        (value, BaseType::List(item)) => fits(value, item),
        (value, BaseType::Named(name)) => fits_scalar(value, name),
    }
}

fn fits_scalar(value: &Value, name: &str) -> bool {
    match (name, value) {
        // Wider than GraphQL's `Int`: a count beyond 32 bits gets the error of its field, with the limit.
        ("Int" | "ID", Value::Number(number)) => number.is_i64(),
        ("Long", Value::Number(number)) => number.is_i64() || number.is_u64(),
        ("Float", Value::Number(_))
        | ("String" | "ID", Value::String(_))
        | ("Boolean", Value::Boolean(_)) => true,
        // Validation refuses unknown types.
        _ => !SCALARS.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn check_one(declared: &str, json: &str) -> Result<(), BadVariable> {
        let document = parse_query(format!("query($v: {declared}) {{ a }}")).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        check(&operation.node, &serde_json::from_str(json).unwrap())
    }

    #[test]
    fn values_of_the_declared_type_fit() {
        for (declared, value) in [
            ("Int", "7"),
            ("Int!", "-9223372036854775808"),
            ("Int", "null"),
            ("Long!", "18446744073709551615"),
            ("Float", "7"),
            ("String!", "\"\""),
            ("ID!", "7"),
            ("ID!", "\"x\""),
            ("Boolean", "false"),
            ("[Int!]!", "[1,2]"),
            ("[Int!]!", "1"),
            ("[[Int]]", "[[1,null],2,null]"),
            ("Colour", "\"RED\""),
        ] {
            let json = format!("{{\"v\":{value},\"undeclared\":[]}}");
            assert_eq!(check_one(declared, &json), Ok(()), "{declared} {value}");
        }
    }

    #[test]
    fn values_of_another_type_do_not_fit() {
        for (declared, value) in [
            ("Int", "\"7\""),
            ("Int", "7.5"),
            ("Int", "18446744073709551615"),
            ("Int!", "null"),
            ("String", "7"),
            ("String", "[\"a\"]"),
            ("ID", "true"),
            ("Boolean", "0"),
            ("[Int!]!", "[1,null]"),
            ("[Int!]!", "null"),
            ("[String!]!", "{\"a\":1}"),
        ] {
            let result = check_one(declared, &format!("{{\"v\":{value}}}"));
            assert!(
                matches!(result, Err(BadVariable::Unfit(..))),
                "{declared} {value}"
            );
        }
    }

    #[test]
    fn the_items_of_a_list_with_a_default_have_a_known_type() {
        for (declared, unknown) in [
            ("[Int!]! = [1]", None),
            ("[[String]] = [[\"a\"]]", None),
            // Validation refuses these.
            ("Nothing = 1", None),
            ("[Nothing]", None),
            ("[Nothing!]! = [1]", Some("Nothing")),
            ("[[Nothing]] = []", Some("Nothing")),
        ] {
            let document = parse_query(format!("query($v: {declared}) {{ a }}")).unwrap();
            let unknown = unknown.map(|name| UnknownItem { name: name.into() });
            assert_eq!(check_defaults(&document).err(), unknown, "{declared}");
        }
    }

    #[test]
    fn the_schema_has_no_other_scalars_and_no_input_objects() {
        let sdl = include_str!("../../schema.graphql");
        for line in sdl.lines() {
            match line.split_once(' ') {
                Some(("input", rest)) => panic!("a variable may also be a {rest}"),
                Some(("scalar", rest)) => {
                    let name = rest.split(' ').next().expect("a name");
                    assert!(SCALARS.contains(&name), "{name}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_variable_may_be_missing_if_it_is_nullable_or_has_a_default() {
        assert_eq!(check_one("Int", "{}"), Ok(()));
        assert_eq!(check_one("Int! = 3", "{}"), Ok(()));
        assert!(matches!(
            check_one("Int!", "{}"),
            Err(BadVariable::Missing(..))
        ));
    }
}
