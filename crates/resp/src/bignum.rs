//! Natural numbers of any size: the few operations that exact decimal conversion needs.
//!
//! Little-endian 64 bit limbs without leading zero limbs; zero has none. Sizes are bounded by the
//! callers (a long double spans some 33,000 bits), so quadratic algorithms serve.
//!
//! Tests: at the bottom, and through `long_double.rs`.

use std::cmp::Ordering;

/// The largest power of ten in a limb, and its digits.
const CHUNK: u64 = 10_000_000_000_000_000_000;
const CHUNK_DIGITS: usize = 19;

/// The largest power of five in a limb.
const FIVES: u64 = 7_450_580_596_923_828_125;
const FIVES_EXPONENT: u32 = 27;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Natural {
    limbs: Vec<u64>,
}

impl Natural {
    pub fn from_u64(value: u64) -> Self {
        let mut natural = Natural { limbs: vec![value] };
        natural.trim();
        natural
    }

    /// The value of ASCII digits.
    pub fn from_digits<'a>(digits: impl Iterator<Item = &'a u8>) -> Self {
        let mut natural = Natural::default();
        let (mut chunk, mut scale) = (0, 1);
        for digit in digits {
            chunk = chunk * 10 + u64::from(digit - b'0');
            scale *= 10;
            if scale == CHUNK {
                natural.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        natural.multiply_add(scale, chunk);
        natural
    }

    pub fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    pub fn bit_len(&self) -> usize {
        match self.limbs.last() {
            None => 0,
            Some(top) => self.limbs.len() * 64 - top.leading_zeros() as usize,
        }
    }

    pub fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = addend;
        for limb in &mut self.limbs {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            *limb = product as u64;
            carry = (product >> 64) as u64;
        }
        if carry != 0 {
            self.limbs.push(carry);
        }
    }

    pub fn multiply_power_of_five(&mut self, mut exponent: u32) {
        while exponent >= FIVES_EXPONENT {
            self.multiply_add(FIVES, 0);
            exponent -= FIVES_EXPONENT;
        }
        self.multiply_add(5u64.pow(exponent), 0);
    }

    pub fn shift_left(&mut self, bits: usize) {
        if self.is_zero() {
            return;
        }
        let small = bits % 64;
        if small > 0 {
            self.multiply_add(1 << small, 0);
        }
        self.limbs.splice(0..0, std::iter::repeat_n(0, bits / 64));
    }

    /// `self -= other`, which must not be greater.
    pub fn subtract(&mut self, other: &Natural) {
        assert!(other.limbs.len() <= self.limbs.len());
        let mut borrow = false;
        for (index, limb) in self.limbs.iter_mut().enumerate() {
            let taken = other.limbs.get(index).copied().unwrap_or(0);
            let (difference, first) = limb.overflowing_sub(taken);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first || second;
        }
        assert!(!borrow);
        self.trim();
    }

    /// The 128 most significant bits, the power of two they are scaled by, and whether any bit
    /// below them is set.
    pub fn top_bits(&self) -> (u128, usize, bool) {
        let shift = self.bit_len().saturating_sub(128);
        let limb = |index: usize| u128::from(self.limbs.get(index).copied().unwrap_or(0));
        let (first, bits) = (shift / 64, shift % 64);
        let mut top = (limb(first) | limb(first + 1) << 64) >> bits;
        if bits > 0 {
            top |= limb(first + 2) << (128 - bits);
        }
        let inexact = self.limbs.iter().take(first).any(|&limb| limb != 0)
            || limb(first) & ((1 << bits) - 1) != 0;
        (top, shift, inexact)
    }

    /// Appends the decimal digits; "0" for zero.
    pub fn write_decimal(mut self, out: &mut Vec<u8>) {
        let mut chunks = Vec::new();
        while !self.is_zero() {
            let mut remainder = 0;
            for limb in self.limbs.iter_mut().rev() {
                let dividend = u128::from(remainder) << 64 | u128::from(*limb);
                *limb = (dividend / u128::from(CHUNK)) as u64;
                remainder = (dividend % u128::from(CHUNK)) as u64;
            }
            chunks.push(remainder);
            self.trim();
        }
        crate::int::write_u64(out, chunks.pop().unwrap_or(0));
        for chunk in chunks.into_iter().rev() {
            write_padded(out, chunk, CHUNK_DIGITS);
        }
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

/// Appends `value` with leading zeros up to `width` digits.
pub(crate) fn write_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut text = [0; crate::int::MAX_TEXT_LEN];
    let start = crate::int::format_u64(value, &mut text);
    let digits = &text[start..];
    out.extend(std::iter::repeat_n(
        b'0',
        width.saturating_sub(digits.len()),
    ));
    out.extend_from_slice(digits);
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_size = self.limbs.len().cmp(&other.limbs.len());
        by_size.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_survive_the_round_trip() {
        let long = "9".repeat(100);
        let zeros = format!("1{}", "0".repeat(57));
        for text in [
            "0",
            "7",
            "18446744073709551615",
            "18446744073709551616",
            &long,
            &zeros,
        ] {
            let mut out = Vec::new();
            Natural::from_digits(text.as_bytes().iter()).write_decimal(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), *text);
        }
    }

    #[test]
    fn powers_shifts_and_differences_agree() {
        let mut ten = Natural::from_u64(1);
        ten.multiply_power_of_five(60);
        ten.shift_left(60);
        let text = format!("1{}", "0".repeat(60));
        let parsed = Natural::from_digits(text.as_bytes().iter());
        assert_eq!(ten, parsed);
        ten.subtract(&parsed);
        assert!(ten.is_zero());

        let mut wide = Natural::from_u64(3);
        wide.shift_left(200);
        assert_eq!(
            (wide.bit_len(), wide.top_bits()),
            (202, (3 << 126, 74, false))
        );
        wide.multiply_add(1, 1);
        assert_eq!(wide.top_bits(), (3 << 126, 74, true));
        assert!(wide > parsed);
    }
}
