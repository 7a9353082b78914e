//! Runs seeds: `bivouac-sim --seed N [--trace]` one, `bivouac-sim --seeds A..B` many.

use bivouac_sim::{Planted, run};
use std::process::ExitCode;

const USAGE: &str = "usage: bivouac-sim --seed N | --seeds A..B  [--trace] [--plant DEFECT]";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut seeds, mut trace, mut planted) = (0..1u64, false, None);
    while let Some(arg) = args.next() {
        let understood = match arg.as_str() {
            "--trace" => {
                trace = true;
                true
            }
            "--seed" => args.next().and_then(|v| v.parse().ok()).map(|n: u64| seeds = n..n + 1).is_some(),
            "--seeds" => args.next().and_then(|v| range(&v)).map(|r| seeds = r).is_some(),
            "--plant" => args.next().and_then(|v| Planted::parse(&v)).map(|p| planted = Some(p)).is_some(),
            _ => false,
        };
        if !understood {
            eprintln!("bivouac-sim: {arg}: not understood\n{USAGE}");
            return ExitCode::from(2);
        }
    }
    let (mut bad, mut steps) = (0, 0);
    for seed in seeds.clone() {
        let verdict = run(seed, planted, trace);
        steps += verdict.steps;
        if let Some(violation) = &verdict.violation {
            bad += 1;
            println!("seed {seed}: {violation}");
        } else if trace {
            println!("seed {seed}: {:?}", verdict.seen);
        }
    }
    println!("{} seeds, {steps} steps, {bad} with a violation", seeds.count());
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn range(text: &str) -> Option<std::ops::Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}
