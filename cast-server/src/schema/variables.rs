//! Checks variables against their declarations, as GraphQL has it, before anything is executed.
//!
//! The engine leaves that to validation, which a known document skips, and to the fields, which is
//! too late: with this check a request is answered the same whether its document was known or not.

use async_graphql::{
    Value, Variables,
    parser::types::{BaseType, ExecutableDocument, OperationDefinition, Type},
};

/// The types that an argument of our schema may be made of: none is an enum or an input object.
const SCALARS: [&str; 6] = ["Int", "Long", "Float", "String", "ID", "Boolean"];

/// A list of what there is not.
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

/// Why variables do not fit. The value is not repeated: it may be a ticket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadVariable {
    #[error("Variable \"${name}\" of type \"{expected}\" was not given")]
    Missing { name: String, expected: String },
    #[error("Variable \"${name}\" does not fit its type \"{expected}\"")]
    Unfit { name: String, expected: String },
}

/// Checks what an operation declares; variables that it does not declare are ignored.
pub(super) fn check(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), BadVariable> {
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        let name = definition.name.node.as_str();
        let expected = &definition.var_type.node;
        match variables.get(name) {
            Some(value) if fits(value, expected) => {}
            Some(_) => {
                return Err(BadVariable::Unfit {
                    name: name.into(),
                    expected: expected.to_string(),
                });
            }
            None if expected.nullable || definition.default_value.is_some() => {}
            None => {
                return Err(BadVariable::Missing {
                    name: name.into(),
                    expected: expected.to_string(),
                });
            }
        }
    }
    Ok(())
}

fn fits(value: &Value, expected: &Type) -> bool {
    match (value, &expected.base) {
        (Value::Null, _) => expected.nullable,
        (Value::List(items), BaseType::List(item)) => items.iter().all(|value| fits(value, item)),
        // One value stands for a list of it.
        (value, BaseType::List(item)) => fits(value, item),
        (value, BaseType::Named(name)) => fits_scalar(value, name),
    }
}

fn fits_scalar(value: &Value, name: &str) -> bool {
    match (name, value) {
        // Wider than GraphQL's: a count beyond 32 bits gets the error about its limit.
        ("Int" | "ID", Value::Number(number)) => number.is_i64(),
        ("Long", Value::Number(number)) => number.is_i64() || number.is_u64(),
        ("Float", Value::Number(_))
        | ("String" | "ID", Value::String(_))
        | ("Boolean", Value::Boolean(_)) => true,
        // What is no type at all is the validation's to refuse.
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
    fn what_fits() {
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
    fn what_does_not() {
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
                matches!(result, Err(BadVariable::Unfit { .. })),
                "{declared} {value}"
            );
        }
    }

    #[test]
    fn a_list_with_a_default_is_made_of_what_there_is() {
        for (declared, unknown) in [
            ("[Int!]! = [1]", None),
            ("[[String]] = [[\"a\"]]", None),
            // The validation has an error for those.
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
    fn only_what_may_be_null_or_has_a_default_may_be_missing() {
        assert_eq!(check_one("Int", "{}"), Ok(()));
        assert_eq!(check_one("Int! = 3", "{}"), Ok(()));
        assert!(matches!(
            check_one("Int!", "{}"),
            Err(BadVariable::Missing { .. })
        ));
    }
}
