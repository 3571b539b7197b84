//! Two ways to write a name are one name.

use cast_core::domain::{Candidate, MAX_NAME_BYTES, NameError, Voter};
use cast_testkit::properties;
use proptest::prelude::*;
use unicode_normalization::{UnicodeNormalization, is_nfc};

proptest! {
    #![proptest_config(properties::config(384))]

    #[test]
    fn a_name_is_normal_short_and_not_blank(text in properties::text()) {
        let Ok(name) = Candidate::new(&text) else { return Ok(()) };
        let name = name.as_str();
        prop_assert!(is_nfc(name));
        prop_assert_eq!(name, text.nfc().collect::<String>());
        prop_assert!((1..=MAX_NAME_BYTES).contains(&name.len()));
        prop_assert!(!name.trim().is_empty());
        prop_assert!(!name.chars().any(char::is_control));
    }

    #[test]
    fn a_name_is_the_name_of_itself(name in properties::candidate()) {
        prop_assert_eq!(Candidate::new(name.as_str()), Ok(name));
    }

    #[test]
    fn a_name_is_the_same_however_it_was_composed(text in properties::text()) {
        let name = Candidate::new(&text);
        let (composed, apart): (String, String) = (text.nfc().collect(), text.nfd().collect());
        if name.is_ok() {
            prop_assert_eq!(&Candidate::new(&composed), &name);
            prop_assert_eq!(&Candidate::new(&apart), &name);
        } else {
            // How long it is, and which character is reported first, may depend on how it is written.
            prop_assert!(Candidate::new(&composed).is_err());
            prop_assert!(Candidate::new(&apart).is_err());
        }
    }

    #[test]
    fn a_text_is_too_long_only_if_its_name_would_be(text in properties::text()) {
        let len = text.nfc().collect::<String>().len();
        let too_long = matches!(Candidate::new(&text), Err(NameError::TooLong { .. }));
        prop_assert!(!too_long || len > MAX_NAME_BYTES, "{} bytes", len);
    }

    #[test]
    fn voters_are_named_as_candidates_are(text in properties::text()) {
        let (candidate, voter) = (Candidate::new(&text), Voter::new(&text));
        prop_assert_eq!(candidate.map(|c| c.to_string()), voter.map(|v| v.to_string()));
    }
}
