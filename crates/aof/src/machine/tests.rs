//! Tests of the machine: what it does step by step, on a disk that answers by hand.
