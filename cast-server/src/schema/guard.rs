//! Looks at a document's text before the parser does.

#[cfg(test)]
mod tests;

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
