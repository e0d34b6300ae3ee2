//! One macro for the sets of named bits that the declarations use.
//!
//! Each set is a newtype over an integer whose operations are `const`, because the tables are
//! constants, and which knows the wire name of every bit in the order COMMAND prints them. A bit
//! declared without a name is never shown to a client.
//!
//! Tests: at the bottom.

/// Declares a set: `bitset! { /// doc pub struct Name: u64 { WRITE = 0 => "write", SECRET = 1, } }`.
macro_rules! bitset {
    (
        $(#[$doc:meta])*
        pub struct $set:ident: $int:ty {
            $( $(#[$bit_doc:meta])* $bit:ident = $position:literal $(=> $wire:literal)? , )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $set($int);

        impl $set {
            $( $(#[$bit_doc])* pub const $bit: $set = $set(1 << $position); )*

            /// Every bit that has a wire name, in the order a reply lists them.
            pub const NAMES: &'static [($set, &'static str)] = &[ $( $( ($set::$bit, $wire), )? )* ];

            pub const fn empty() -> $set {
                $set(0)
            }

            pub const fn bits(self) -> $int {
                self.0
            }

            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            pub const fn or(self, other: $set) -> $set {
                $set(self.0 | other.0)
            }

            /// Whether all bits of `other` are set.
            pub const fn contains(self, other: $set) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any bit of `other` is set.
            pub const fn intersects(self, other: $set) -> bool {
                self.0 & other.0 != 0
            }

            /// The wire names of the set bits, in the order a reply lists them.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES
                    .iter()
                    .filter(move |(bit, _)| self.contains(*bit))
                    .map(|(_, name)| *name)
            }

            /// The bit with this wire name, in any case.
            pub fn from_name(name: &[u8]) -> Option<$set> {
                Self::NAMES
                    .iter()
                    .find(|(_, wire)| wire.as_bytes().eq_ignore_ascii_case(name))
                    .map(|(bit, _)| *bit)
            }
        }

        impl std::ops::BitOr for $set {
            type Output = $set;
            fn bitor(self, other: $set) -> $set {
                self.or(other)
            }
        }

        impl std::fmt::Debug for $set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut separator = "";
                f.write_str(concat!(stringify!($set), "("))?;
                for (bit, name) in [ $( ($set::$bit, stringify!($bit)) ),* ] {
                    if self.contains(bit) {
                        write!(f, "{separator}{name}")?;
                        separator = " | ";
                    }
                }
                f.write_str(")")
            }
        }
    };
}

pub(crate) use bitset;

#[cfg(test)]
mod tests {
    bitset! {
        /// A set to test with.
        pub struct Colours: u8 {
            RED = 0 => "red",
            SECRET = 1,
            BLUE = 2 => "blue",
        }
    }

    #[test]
    fn names_follow_declaration_order_and_hide_unnamed_bits() {
        let all = Colours::BLUE | Colours::SECRET | Colours::RED;
        assert_eq!(all.names().collect::<Vec<_>>(), ["red", "blue"]);
        assert_eq!(format!("{all:?}"), "Colours(RED | SECRET | BLUE)");
    }

    #[test]
    fn contains_wants_all_bits_and_intersects_any() {
        let red = Colours::RED;
        let both = Colours::RED.or(Colours::BLUE);
        assert!(both.contains(red));
        assert!(!red.contains(both));
        assert!(red.intersects(both));
        assert!(!red.intersects(Colours::empty()));
        assert!(Colours::empty().is_empty());
        assert_eq!(both.bits(), 0b101);
    }

    #[test]
    fn a_bit_is_found_by_name_in_any_case() {
        assert_eq!(Colours::from_name(b"bLUE"), Some(Colours::BLUE));
        assert_eq!(Colours::from_name(b"secret"), None);
    }
}
