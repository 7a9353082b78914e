//! What was measured of a step, as sacct and sstat print it.

use crate::settings::{Settings, Units, push};
use bivouac_types::Duration;
use bivouac_types::info::StepInfo;
use bivouac_types::usage::{Amount, Extreme, Spread};

/// How a quantity is spread over the tasks; none: nothing was measured.
pub(crate) fn spread(step: &StepInfo, of: Amount) -> Option<Spread> {
    let usage = &step.usage;
    let measured = usage.max_rss_kb > 0 || usage.user_us + usage.system_us > 0;
    usage.spread(of, step.num_tasks).filter(|_| measured)
}

/// A figure of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// The mean of all tasks.
    Ave,
    /// The task with the most.
    Max,
    /// The task with the least.
    Min,
    /// Of all tasks.
    Tot,
}

impl Figure {
    /// The amount, in the quantity's own unit, but memory in bytes.
    pub(crate) fn of(self, step: &StepInfo, of: Amount) -> Option<u64> {
        let spread = spread(step, of)?;
        let tasks = u64::from(step.num_tasks.max(1));
        let bytes = if matches!(of, Amount::Rss | Amount::Vm) { 1024 } else { 1 };
        Some(match self {
            Figure::Ave => spread.total.saturating_mul(bytes) / tasks,
            Figure::Max => spread.most.amount.saturating_mul(bytes),
            Figure::Min => spread.least.amount.saturating_mul(bytes),
            Figure::Tot => spread.total.saturating_mul(bytes),
        })
    }

    /// Whose it is.
    pub(crate) fn extreme(self, step: &StepInfo, of: Amount) -> Option<Extreme> {
        let spread = spread(step, of)?;
        match self {
            Figure::Max => Some(spread.most),
            Figure::Min => Some(spread.least),
            Figure::Ave | Figure::Tot => None,
        }
    }
}

/// The name of a step's node.
pub(crate) fn node(step: &StepInfo, at: u32) -> &str {
    step.nodes.get(at as usize).or(step.nodes.last()).map_or("", String::as_str)
}

/// CPU time in whole seconds.
pub(crate) fn cpu(out: &mut String, us: u64) {
    push(out, format_args!("{}", Duration::from_secs(us / 1_000_000)));
}

/// An amount of memory.
pub(crate) fn memory(out: &mut String, bytes: u64, s: &Settings) {
    match s.units {
        _ if bytes == 0 => out.push('0'),
        Units::Fixed(_) => s.scaled(out, bytes as f64 / 1024.0),
        Units::Natural if bytes.is_multiple_of(1024) => push(out, format_args!("{}K", bytes / 1024)),
        Units::Natural | Units::Original => push(out, format_args!("{bytes}")),
    }
}

/// What was read or written, in the fields of their own: MiB unless another unit was asked for.
pub(crate) fn disk(out: &mut String, bytes: u64, s: &Settings) {
    match s.units {
        Units::Fixed(_) => s.scaled(out, bytes as f64 / 1024.0),
        _ => mebibytes(out, bytes),
    }
}

/// `1.61M`.
pub(crate) fn mebibytes(out: &mut String, bytes: u64) {
    push(out, format_args!("{:.2}M", bytes as f64 / f64::from(1 << 20)));
}

/// The quantities of TRESUsageIn, by name.
const IN: [(&str, Option<Amount>); 6] = [
    ("cpu", Some(Amount::Cpu)),
    ("energy", None),
    ("fs/disk", Some(Amount::Read)),
    ("mem", Some(Amount::Rss)),
    ("pages", Some(Amount::Pages)),
    ("vmem", Some(Amount::Vm)),
];
/// Those of TRESUsageOut.
const OUT: [(&str, Option<Amount>); 2] = [("energy", None), ("fs/disk", Some(Amount::Written))];

/// Which of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// What came in.
    In,
    /// What went out.
    Out,
}

impl Way {
    fn names(self) -> &'static [(&'static str, Option<Amount>)] {
        match self {
            Way::In => &IN,
            Way::Out => &OUT,
        }
    }
}

/// Writes `name=value` of each quantity for which there is a value; nothing of a step that was not measured.
fn list(
    out: &mut String,
    step: &StepInfo,
    way: Way,
    write: impl Fn(&mut String, Option<Amount>) -> Option<()>,
) {
    if spread(step, Amount::Cpu).is_none() {
        return;
    }
    let mut any = false;
    for (name, of) in way.names() {
        let mut value = String::new();
        if write(&mut value, *of).is_some() {
            push(out, format_args!("{}{name}={value}", if any { "," } else { "" }));
            any = true;
        }
    }
}

/// `cpu=00:00:01,energy=0,fs/disk=1686681,mem=52520K,pages=0,vmem=55632K`.
pub(crate) fn amounts(out: &mut String, step: &StepInfo, way: Way, figure: Figure, s: &Settings) {
    list(out, step, way, |value, of| {
        let Some(of) = of else {
            // Energy is not measured.
            value.push('0');
            return Some(());
        };
        let amount = figure.of(step, of)?;
        match of {
            Amount::Cpu => cpu(value, amount),
            Amount::Rss | Amount::Vm => memory(value, amount, s),
            Amount::Read | Amount::Written if matches!(s.units, Units::Fixed(_)) => disk(value, amount, s),
            _ => push(value, format_args!("{amount}")),
        }
        Some(())
    });
}

/// `cpu=n1,energy=n2,...`: the nodes of the tasks with the most or the least.
pub(crate) fn nodes(out: &mut String, step: &StepInfo, way: Way, figure: Figure) {
    list(out, step, way, |value, of| {
        let at = match of {
            Some(of) => figure.extreme(step, of)?.node,
            None => u32::MAX,
        };
        value.push_str(node(step, at));
        Some(())
    });
}

/// `cpu=0,fs/disk=2,...`: their ranks.
pub(crate) fn tasks(out: &mut String, step: &StepInfo, way: Way, figure: Figure) {
    list(out, step, way, |value, of| {
        push(value, format_args!("{}", figure.extreme(step, of?)?.task));
        Some(())
    });
}
