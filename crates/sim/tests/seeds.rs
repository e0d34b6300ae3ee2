//! A thousand worlds. A failing one prints its seed and how it came to it; seeds that once failed
//! keep a test of their own.

use std::ops::Range;

use sim::{Report, run_seed};

#[test]
fn the_first_five_hundred_seeds_hold() {
    hold(0..500);
}

#[test]
fn the_next_five_hundred_seeds_hold() {
    hold(500..1000);
}

fn hold(seeds: Range<u64>) {
    let mut total = Report::default();
    for seed in seeds {
        match run_seed(seed, false) {
            Ok(report) => total.add(&report),
            Err(violation) => panic!("{violation}"),
        }
    }
    // A simulator in which nothing happens finds nothing.
    assert!(total.full_syncs > 1_000, "{total:?}");
    assert!(total.partial_syncs > 500, "{total:?}");
    assert!(total.refused_syncs > 50, "{total:?}");
    assert!(total.waits_answered > 2_000, "{total:?}");
}

#[test]
fn one_seed_is_one_run() {
    for seed in [3, 77] {
        let [first, second] = [(); 2].map(|()| {
            let mut world = sim::World::new(seed, true);
            assert_eq!(world.run(), Ok(()));
            world.trace().to_vec()
        });
        assert!(first.len() > 50);
        assert_eq!(first, second);
    }
}
