//! From a name to a [`CommandId`], in any case, without allocating: the first thing done to every
//! command that arrives.
//!
//! A name of up to 24 bytes is folded into three words (its first eight bytes, the eight after,
//! its last eight) with ASCII capitals made small. Together with the length they are the name, so
//! comparing is four integer comparisons. One open-addressed table, built by the compiler, holds
//! commands and subcommands; a slot is 32 bytes and holds the folded name itself, so that a lookup
//! mostly touches one cache line. A subcommand's hash is mixed with its container's id.
//!
//! Rejected: a sorted array (8 comparisons through pointers), a `match` on slices (needs a
//! lower-cased copy), a perfect hash (a search for seeds for no measurable gain).
//!
//! Tests: at the bottom.

use crate::id::CommandId;
use crate::spec::CommandSpec;

const MAX_NAME_LEN: usize = 24;
const SLOT_COUNT: usize = 512;

/// A top-level command, in any case.
#[inline]
pub fn lookup(name: &[u8]) -> Option<CommandId> {
    find(TOP_LEVEL, name)
}

/// A subcommand of `parent`, in any case.
#[inline]
pub fn lookup_sub(parent: CommandId, name: &[u8]) -> Option<CommandId> {
    find(parent as u16, name)
}

/// A command by its full name, such as `get` or `client|list`, in any case.
pub fn lookup_full(name: &[u8]) -> Option<CommandId> {
    match name.iter().position(|&byte| byte == b'|') {
        None => lookup(name),
        Some(bar) => lookup_sub(lookup(&name[..bar])?, &name[bar + 1..]),
    }
}

/// Stands where a subcommand has its container's id.
const TOP_LEVEL: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Folded {
    head: u64,
    middle: u64,
    tail: u64,
    len: u8,
}

#[derive(Clone, Copy)]
#[repr(align(32))]
struct Slot {
    head: u64,
    middle: u64,
    tail: u64,
    parent: u16,
    id: Option<CommandId>,
    len: u8,
}

const _: () = assert!(size_of::<Slot>() == 32);

static SLOTS: [Slot; SLOT_COUNT] = build();

#[inline]
fn find(parent: u16, name: &[u8]) -> Option<CommandId> {
    if name.is_empty() || name.len() > MAX_NAME_LEN {
        return None;
    }
    let wanted = fold(name);
    let mut index = hash(parent, wanted);
    loop {
        let slot = &SLOTS[index % SLOT_COUNT];
        if slot.id.is_none() || slot.holds(parent, wanted) {
            return slot.id;
        }
        index += 1;
    }
}

impl Slot {
    #[inline]
    const fn holds(&self, parent: u16, name: Folded) -> bool {
        self.head == name.head
            && self.tail == name.tail
            && self.middle == name.middle
            && self.len == name.len
            && self.parent == parent
    }
}

/// Multiplication carries every byte into the top bits, which choose the slot. The two products
/// do not wait for each other.
#[inline]
const fn hash(parent: u16, name: Folded) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    const OTHER_ODD: u64 = 0xc2b2_ae3d_27d4_eb4f;
    let rest = name.tail ^ name.middle.rotate_left(17) ^ ((parent as u64) << 8) ^ name.len as u64;
    let mixed = name.head.wrapping_mul(ODD) ^ rest.wrapping_mul(OTHER_ODD);
    (mixed >> (64 - SLOT_COUNT.trailing_zeros())) as usize
}

/// Folds a name of 1 to [`MAX_NAME_LEN`] bytes. Different names (up to case) fold differently:
/// the words cover every byte, and for a given length it is fixed which byte went where.
#[inline]
const fn fold(name: &[u8]) -> Folded {
    let len = name.len();
    let (head, middle, tail) = match len {
        0..4 => {
            let (a, b, c) = (name[0], name[len / 2], name[len - 1]);
            let head = u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]);
            (to_lower(head), 0, 0)
        }
        4..8 => {
            let head = word4(name, 0) | word4(name, len - 4) << 32;
            (to_lower(head), 0, 0)
        }
        8..=16 => (to_lower(word8(name, 0)), 0, to_lower(word8(name, len - 8))),
        _ => (
            to_lower(word8(name, 0)),
            to_lower(word8(name, 8)),
            to_lower(word8(name, len - 8)),
        ),
    };
    Folded {
        head,
        middle,
        tail,
        len: len as u8,
    }
}

#[inline]
const fn word8(name: &[u8], at: usize) -> u64 {
    match name.split_at(at).1.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => 0,
    }
}

#[inline]
const fn word4(name: &[u8], at: usize) -> u64 {
    match name.split_at(at).1.first_chunk() {
        Some(bytes) => u32::from_le_bytes(*bytes) as u64,
        None => 0,
    }
}

/// Makes the ASCII capitals among eight bytes small and leaves all other bytes alone. Adding to
/// the low seven bits of a byte sets its top bit exactly from a certain letter on.
#[inline]
const fn to_lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x80 * EACH;
    let low = word & !TOP;
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let past_z = low + (0x7f - b'Z' as u64) * EACH;
    let capital = from_a & !past_z & !word & TOP;
    word | capital >> 2
}

const fn build() -> [Slot; SLOT_COUNT] {
    const { assert!(CommandId::COUNT * 2 <= SLOT_COUNT, "double SLOT_COUNT") };
    let empty = Slot {
        head: 0,
        middle: 0,
        tail: 0,
        parent: TOP_LEVEL,
        id: None,
        len: 0,
    };
    let mut slots = [empty; SLOT_COUNT];
    let mut number = 0;
    while number < CommandId::COUNT {
        let spec: &CommandSpec = CommandId::ALL[number].spec();
        assert!(spec.name.len() <= MAX_NAME_LEN, "raise MAX_NAME_LEN");
        let parent = match spec.parent {
            Some(parent) => parent as u16,
            None => TOP_LEVEL,
        };
        let name = fold(spec.name.as_bytes());
        let mut index = hash(parent, name);
        while slots[index % SLOT_COUNT].id.is_some() {
            index += 1;
        }
        slots[index % SLOT_COUNT] = Slot {
            head: name.head,
            middle: name.middle,
            tail: name.tail,
            parent,
            id: Some(spec.id),
            len: name.len,
        };
        number += 1;
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain model: look at every command.
    fn scan(parent: Option<CommandId>, name: &[u8]) -> Option<CommandId> {
        CommandId::ALL.into_iter().find(|id| {
            let spec = id.spec();
            spec.parent == parent && spec.name.as_bytes().eq_ignore_ascii_case(name)
        })
    }

    fn check_everywhere(name: &[u8]) {
        assert_eq!(lookup(name), scan(None, name), "{name:?}");
        for parent in CommandId::ALL {
            assert_eq!(
                lookup_sub(parent, name),
                scan(Some(parent), name),
                "{name:?}"
            );
        }
    }

    #[test]
    fn every_name_is_found_in_every_case() {
        for id in CommandId::ALL {
            let name = id.spec().name;
            let find = |name: &str| match id.spec().parent {
                None => lookup(name.as_bytes()),
                Some(parent) => lookup_sub(parent, name.as_bytes()),
            };
            let mixed: String = name
                .char_indices()
                .map(|(i, c)| {
                    if i % 2 == 0 {
                        c.to_ascii_uppercase()
                    } else {
                        c
                    }
                })
                .collect();
            for variant in [name, &name.to_uppercase(), &mixed] {
                assert_eq!(find(variant), Some(id), "{variant}");
            }
            assert_eq!(lookup_full(id.full_name().as_bytes()), Some(id));
            assert_eq!(
                lookup_full(id.full_name().to_uppercase().as_bytes()),
                Some(id)
            );
        }
    }

    #[test]
    fn subcommands_are_no_commands_and_the_other_way_round() {
        assert_eq!(lookup(b"list"), None);
        assert_eq!(lookup(b"client|list"), None);
        assert_eq!(lookup_sub(CommandId::Get, b"get"), None);
        assert_eq!(
            lookup_sub(CommandId::Config, b"get"),
            Some(CommandId::ConfigGet)
        );
        assert_eq!(
            lookup_sub(CommandId::Slowlog, b"get"),
            Some(CommandId::SlowlogGet)
        );
        assert_eq!(lookup_sub(CommandId::Client, b"get"), None);
    }

    #[test]
    fn odd_names_are_not_found() {
        let long = [b'a'; 100];
        for len in 0..long.len() {
            check_everywhere(&long[..len]);
        }
        for name in [
            "",
            "|",
            "get|",
            "|get",
            "get|get",
            "client|list|list",
            "client|",
        ] {
            assert_eq!(lookup_full(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn every_neighbour_of_a_name_is_told_apart() {
        for id in CommandId::ALL {
            let name = id.spec().name.as_bytes();
            for at in 0..name.len() {
                for bit in 0..8 {
                    let mut changed = name.to_vec();
                    changed[at] ^= 1 << bit;
                    assert_eq!(lookup(&changed), scan(None, &changed), "{changed:?}");
                }
                let mut shorter = name.to_vec();
                shorter.remove(at);
                assert_eq!(lookup(&shorter), scan(None, &shorter), "{shorter:?}");
            }
        }
    }

    #[test]
    fn only_ascii_capitals_are_folded() {
        for byte in 0..=u8::MAX {
            let folded = to_lower(u64::from_le_bytes([byte; 8]));
            assert_eq!(folded, u64::from_le_bytes([byte.to_ascii_lowercase(); 8]));
        }
    }

    #[test]
    fn probes_are_short() {
        let longest = CommandId::ALL
            .into_iter()
            .map(|id| {
                let parent = id.spec().parent.map_or(TOP_LEVEL, |parent| parent as u16);
                let home = hash(parent, fold(id.spec().name.as_bytes()));
                (0..)
                    .position(|n| SLOTS[(home + n) % SLOT_COUNT].id == Some(id))
                    .unwrap()
            })
            .max();
        assert!(longest <= Some(8), "{longest:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_up_like_the_model(name in prop::collection::vec(any::<u8>(), 0..40)) {
            check_everywhere(&name);
        }

        #[test]
        fn different_names_fold_differently(
            a in prop::collection::vec(any::<u8>(), 1..=MAX_NAME_LEN),
            b in prop::collection::vec(any::<u8>(), 1..=MAX_NAME_LEN),
        ) {
            let key = |name: &[u8]| {
                let Folded { head, middle, tail, len } = fold(name);
                (head, middle, tail, len)
            };
            prop_assert_eq!(key(&a) == key(&b), a.eq_ignore_ascii_case(&b));
        }
    }
}
