//! The names of candidates and voters.

use std::{borrow::Borrow, fmt, sync::Arc};

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The most bytes of a name: UTF-8, after normalisation.
pub const MAX_NAME_BYTES: usize = 64;

/// A name to vote for: 1 to 64 bytes of UTF-8 in Unicode normalisation form C.
///
/// However a client composes a character, the name is the same candidate. Invisible characters are
/// refused, so that two candidates cannot look the same.
///
/// ```
/// use cast_core::domain::Candidate;
///
/// assert_eq!(Candidate::new("Zoe\u{308}")?, Candidate::new("Zo\u{eb}")?);
/// assert!(Candidate::new("ali\u{200b}ce").is_err());
/// # Ok::<(), cast_core::domain::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate(Arc<str>);

/// The name of a voter, where the client gives one; the rules are those of a [`Candidate`]. It is not
/// authenticated.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Voter(Arc<str>);

macro_rules! name {
    ($type:ident) => {
        impl $type {
            /// Validates and normalises a name.
            pub fn new(name: &str) -> Result<Self, NameError> {
                checked(name).map(Self)
            }

            /// The normalised name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(Candidate);
name!(Voter);

/// Why a text is refused as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is empty or only white space.
    #[error("must not be empty")]
    Empty,
    /// It has more than [`MAX_NAME_BYTES`] bytes.
    #[error("must have at most {MAX_NAME_BYTES} bytes, and has {len}")]
    TooLong {
        /// Its length in bytes: normalised, or as it was sent if that was far too long.
        len: usize,
    },
    /// It has a character that is invisible or changes how other characters are displayed.
    #[error("must not contain U+{:04X}, a control, bidirectional or zero-width character", u32::from(*character))]
    Forbidden {
        /// The first such character.
        character: char,
    },
}

fn checked(name: &str) -> Result<Arc<str>, NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty);
    }
    // Form C has at least a third of the bytes, so such a name is too long in any form and need not be
    // normalised.
    if name.len() > 3 * MAX_NAME_BYTES {
        return Err(NameError::TooLong { len: name.len() });
    }
    if let Some(character) = name.chars().find(|c| is_forbidden(*c)) {
        return Err(NameError::Forbidden { character });
    }
    let normal: Arc<str> = if is_nfc(name) {
        name.into()
    } else {
        name.nfc().collect::<String>().into()
    };
    if normal.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong { len: normal.len() });
    }
    Ok(normal)
}

/// Controls (NUL among them, which Postgres' text cannot hold), line and paragraph separators, and
/// the format characters that reorder or hide: Unicode's `Cc`, `Zl`, `Zp`, and the bidirectional,
/// zero-width, interlinear and tag characters of `Cf`.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_any_script_pass_unchanged() {
        for name in [
            "alice",
            "Ann B.",
            "Łucja",
            "神田",
            "O'Neil",
            "🗳",
            &"x".repeat(64),
        ] {
            assert_eq!(
                Candidate::new(name).map(|c| c.as_str().to_owned()),
                Ok(name.into())
            );
        }
    }

    #[test]
    fn empty_and_blank_names_are_refused() {
        for name in ["", " ", "\t", "\u{2003}"] {
            assert_eq!(Candidate::new(name), Err(NameError::Empty), "{name:?}");
        }
    }

    #[test]
    fn the_limit_counts_bytes_of_the_normalised_name() {
        assert_eq!(
            Candidate::new(&"x".repeat(65)),
            Err(NameError::TooLong { len: 65 })
        );
        assert_eq!(
            Candidate::new(&"x".repeat(9_999)),
            Err(NameError::TooLong { len: 9_999 })
        );
        assert!(
            Candidate::new(&"e\u{301}".repeat(32)).is_ok(),
            "96 bytes sent, 64 kept"
        );
        assert_eq!(
            Candidate::new(&"e\u{301}".repeat(33)),
            Err(NameError::TooLong { len: 66 })
        );
    }

    #[test]
    fn invisible_and_reordering_characters_are_refused() {
        for character in [
            '\0', '\n', '\u{7f}', '\u{85}', '\u{ad}', '\u{200d}', '\u{202e}', '\u{feff}',
        ] {
            let name = format!("ali{character}ce");
            assert_eq!(
                Voter::new(&name),
                Err(NameError::Forbidden { character }),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_name_can_be_looked_up_by_its_text() {
        let set = std::collections::HashSet::from([Candidate::new("alice").expect("a name")]);
        assert!(set.contains("alice"));
    }

    #[test]
    fn the_error_has_the_length_as_sent_where_no_form_could_be_short_enough() {
        // 192 bytes may be 64 in normal form C: the jamo of a syllable are three times as long.
        let jamo = "\u{1112}\u{1161}\u{11ab}";
        let fits = format!("{}x", jamo.repeat(21));
        assert_eq!((fits.len(), jamo.len()), (190, 9));
        let kept = Candidate::new(&fits).map(|name| name.as_str().len());
        assert_eq!(kept, Ok(64));
        let normalised = format!("{}xyz", jamo.repeat(21));
        assert_eq!(normalised.len(), 192);
        let too_long = Err(NameError::TooLong { len: 66 });
        assert_eq!(Candidate::new(&normalised), too_long);
        let unread = format!("{}wxyz", jamo.repeat(21));
        let too_long = Err(NameError::TooLong { len: 193 });
        assert_eq!(Candidate::new(&unread), too_long);
    }

    #[test]
    fn a_name_is_shown_as_it_is_written() {
        let voter = Voter::new("O\"Neil").expect("a name");
        assert_eq!(voter.to_string(), "O\"Neil");
        assert_eq!(format!("{voter:?}"), r#""O\"Neil""#);
    }
}
