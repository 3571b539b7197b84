//! Enums whose variants have texts.

/// An enum, all of its variants in the order of their declaration, and the text of each.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them: `ALL[it as usize]` is `it`.
            pub(crate) const ALL: [Self; [$($text),*].len()] = [$(Self::$variant,)*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}
pub(crate) use text_enum;

#[cfg(test)]
mod tests {
    text_enum! {
        Colour {
            Red = "red",
            Blue = "blue",
        }
    }

    #[test]
    fn each_variant_has_its_own_place_and_text() {
        for (at, colour) in Colour::ALL.into_iter().enumerate() {
            assert_eq!(colour as usize, at, "{colour:?}");
        }
        assert_eq!(Colour::ALL.map(Colour::as_str), ["red", "blue"]);
    }
}
