//! Random subsets: the choices that SPOP, SRANDMEMBER and HRANDFIELD share.
//!
//! A subset of a known size is drawn in one walk over all elements, deciding for each with the odds
//! of what is still needed to what is still to come; every subset is equally likely. Knows nothing
//! of what the elements are. Tests: below.

use crate::rng::Rng;

/// Chooses `needed` of `left` elements that a walk will meet.
pub(crate) struct Selection {
    needed: usize,
    left: usize,
}

impl Selection {
    pub(crate) fn new(needed: usize, of: usize) -> Selection {
        Selection {
            needed: needed.min(of),
            left: of,
        }
    }

    /// Whether the next element of the walk is chosen. Called once per element.
    pub(crate) fn takes_next(&mut self, rng: &mut Rng) -> bool {
        if self.needed == 0 {
            return false;
        }
        let chosen = rng.below(self.left as u64) < self.needed as u64;
        self.left -= 1;
        self.needed -= usize::from(chosen);
        chosen
    }

    pub(crate) fn is_done(&self) -> bool {
        self.needed == 0
    }
}

/// An index below `len`, which must not be 0.
pub(crate) fn index_below(rng: &mut Rng, len: usize) -> usize {
    rng.below(len as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_takes_exactly_what_is_needed_and_each_element_equally_often() {
        let mut rng = Rng::new(7);
        let (rounds, of, needed) = (20_000, 10, 3);
        let mut counts = [0usize; 10];
        for _ in 0..rounds {
            let mut selection = Selection::new(needed, of);
            let taken: Vec<usize> = (0..of).filter(|_| selection.takes_next(&mut rng)).collect();
            assert_eq!(taken.len(), needed);
            assert!(selection.is_done());
            taken.iter().for_each(|&index| counts[index] += 1);
        }
        let expected = rounds * needed / of;
        assert!(
            counts
                .iter()
                .all(|&count| count.abs_diff(expected) < expected / 10),
            "{counts:?}"
        );
    }
}
