//! A thousand worlds. A failing one prints its seed and how it came to it; seeds that once failed
//! keep a test of their own.

use sim::{Report, run_seed};

#[test]
fn a_thousand_seeds_hold() {
    let mut total = Report::default();
    for seed in 0..1000 {
        match run_seed(seed, false) {
            Ok(report) => total.add(&report),
            Err(violation) => panic!("{violation}"),
        }
    }
    // A simulator in which nothing happens finds nothing.
    assert!(total.full_syncs > 2_000, "{total:?}");
    assert!(total.partial_syncs > 2_000, "{total:?}");
    assert!(total.refused_syncs > 100, "{total:?}");
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
        assert!(first.len() > 100);
        assert_eq!(first, second);
    }
}
