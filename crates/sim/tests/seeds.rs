//! 6,000 seeds in every run, in parts that run side by side.

use bivouac_sim::{Seen, run};

/// Seeds of one test.
const PART: u64 = 750;

fn part(n: u64) {
    for seed in n * PART..(n + 1) * PART {
        if let Some(violation) = run(seed, None, false).violation {
            panic!("{violation}\nreplay with: cargo run -p bivouac-sim -- --seed {seed} --trace");
        }
    }
}

#[test]
fn seeds_part_0() {
    part(0);
}

#[test]
fn seeds_part_1() {
    part(1);
}

#[test]
fn seeds_part_2() {
    part(2);
}

#[test]
fn seeds_part_3() {
    part(3);
}

#[test]
fn seeds_part_4() {
    part(4);
}

#[test]
fn seeds_part_5() {
    part(5);
}

#[test]
fn seeds_part_6() {
    part(6);
}

#[test]
fn seeds_part_7() {
    part(7);
}

#[test]
fn a_seed_does_the_same_twice() {
    for seed in 0..60 {
        assert_eq!(run(seed, None, false), run(seed, None, false), "seed {seed}");
    }
}

/// A simulation in which nothing goes wrong proves nothing.
#[test]
fn the_faults_do_happen() {
    let mut sum = Seen::default();
    for seed in 0..400 {
        let seen = run(seed, None, false).seen;
        sum.submitted += seen.submitted;
        sum.started += seen.started;
        sum.timeouts += seen.timeouts;
        sum.node_fails += seen.node_fails;
        sum.requeued += seen.requeued;
        sum.controllers += seen.controllers;
        sum.suspended += seen.suspended;
        sum.deadlines += seen.deadlines;
        sum.amended += seen.amended;
        sum.shortened += seen.shortened;
    }
    assert!(sum.submitted > 1500 && sum.started > 2500, "{sum:?}");
    assert!(sum.timeouts > 20 && sum.node_fails > 20 && sum.requeued > 20, "{sum:?}");
    assert!(sum.controllers > 900, "{sum:?}");
    assert!(sum.suspended > 20 && sum.deadlines > 10 && sum.amended > 20 && sum.shortened > 20, "{sum:?}");
}
