//! Looks at a document's text before the parser does.

/// Why a text must not reach the parser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadText {
    #[error("The document has {len} bytes, and may have {max}")]
    TooLong { len: usize, max: usize },
    #[error("The document nests brackets deeper than {max}")]
    TooDeep { max: usize },
    #[error("The document has a block string without an end")]
    OpenBlockString,
}

/// Checks the length and the nesting of brackets of every kind.
///
/// The parser recurses with each bracket that opens, without a limit of its own for values: some
/// thousand of them would end the process. So brackets are counted here, outside of strings and
/// comments, and where this scan and the parser could disagree it counts or refuses.
pub(super) fn check(text: &str, max_len: usize, max_nesting: usize) -> Result<(), BadText> {
    if text.len() > max_len {
        let len = text.len();
        return Err(BadText::TooLong { len, max: max_len });
    }
    let mut rest = text.as_bytes();
    let mut nesting: usize = 0;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'{' | b'[' | b'(' => {
                nesting += 1;
                if nesting > max_nesting {
                    return Err(BadText::TooDeep { max: max_nesting });
                }
            }
            b'}' | b']' | b')' => nesting = nesting.saturating_sub(1),
            b'#' => rest = skip_comment(after),
            b'"' => match after.strip_prefix(b"\"\"") {
                // Without its end, the parser would read it as an empty string and go on.
                Some(block) => rest = skip_block_string(block).ok_or(BadText::OpenBlockString)?,
                None => rest = skip_string(after),
            },
            _ => {}
        }
    }
    Ok(())
}

fn skip_comment(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    &text[end.unwrap_or(text.len())..]
}

/// A string ends with its quote; or with its line, where the parser gives up.
fn skip_string(mut text: &[u8]) -> &[u8] {
    loop {
        match text {
            [b'\\', b'\n' | b'\r', ..] => return &text[1..],
            [b'"', after @ ..] => return after,
            [b'\n' | b'\r', ..] | [] => return text,
            [b'\\', _, after @ ..] | [_, after @ ..] => text = after,
        }
    }
}

/// A block string ends with three quotes that no backslash precedes.
fn skip_block_string(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        match text {
            [b'"', b'"', b'"', after @ ..] => return Some(after),
            [b'\\', b'"', b'"', b'"', after @ ..] | [_, after @ ..] => text = after,
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nesting(text: &str) -> usize {
        (0..100)
            .find(|max| check(text, usize::MAX, *max).is_ok())
            .unwrap()
    }

    #[test]
    fn brackets_of_every_kind_nest() {
        for (text, depth) in [
            ("", 0),
            ("{a}", 1),
            ("{a(b:[{c:1}])}", 4),
            ("{a}{b}[c](d)", 1),
            ("}}}{", 1),
            ("query($a:[[[Int]]]){a}", 4),
        ] {
            assert_eq!(nesting(text), depth, "{text}");
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        for text in [
            r#""[[[""#,
            r#""\"[[[""#,
            r#""\\""#,
            "# [[[ \"",
            "# [[[\r# {{{\n# (((",
            r#""""[[[ " "" [[[""""#,
            r#""""[[[\"""[[[""""#,
            r#""" "#,
        ] {
            assert_eq!(nesting(text), 0, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_string_or_a_comment_counts() {
        for (text, depth) in [
            ("\"# [\n[", 1),
            ("# \"\n[[", 2),
            ("# \"\r[[", 2),
            (r#""\\"[["#, 2),
            (r#""" [[ """#, 2),
            ("\"\\\n[[", 2),
            (r#""""a"""[["#, 2),
        ] {
            assert_eq!(nesting(text), depth, "{text}");
        }
    }

    #[test]
    fn a_block_string_without_end_is_refused() {
        let text = format!("{{a(b:[\"\"\" x\" {}", "[".repeat(2_000));
        assert_eq!(check(&text, 4_096, 32), Err(BadText::OpenBlockString));
    }

    #[test]
    fn length_and_depth_are_inclusive() {
        assert!(check("[[]]", 4, 2).is_ok());
        assert!(matches!(
            check("[[]]", 3, 2),
            Err(BadText::TooLong { len: 4, max: 3 })
        ));
        assert_eq!(check("[[]]", 4, 1), Err(BadText::TooDeep { max: 1 }));
    }
}
