//! In what use is measured: resources, units of time, parts of the whole.

use bivouac_types::config::ClusterConfig;
use std::collections::BTreeSet;
use std::fmt;

/// A trackable resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TresName {
    /// CPUs.
    Cpu,
    /// Memory in MiB.
    Mem,
    /// Never measured here.
    Energy,
    /// Nodes.
    Node,
    /// Billing units.
    Billing,
    /// Local disk: never counted here.
    Disk,
    /// Never counted.
    Vmem,
    /// Never counted.
    Pages,
    /// A generic resource.
    Gres(String),
}

impl fmt::Display for TresName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TresName::Cpu => f.write_str("cpu"),
            TresName::Mem => f.write_str("mem"),
            TresName::Energy => f.write_str("energy"),
            TresName::Node => f.write_str("node"),
            TresName::Billing => f.write_str("billing"),
            TresName::Disk => f.write_str("fs/disk"),
            TresName::Vmem => f.write_str("vmem"),
            TresName::Pages => f.write_str("pages"),
            TresName::Gres(name) => write!(f, "gres/{name}"),
        }
    }
}

/// All that are tracked on a cluster, in Slurm's order.
fn tracked(config: &ClusterConfig) -> Vec<TresName> {
    use TresName::*;
    let gres: BTreeSet<&str> = config.nodes.iter().flat_map(|n| &n.gres).map(|g| g.name.as_str()).collect();
    let fixed = [Cpu, Mem, Energy, Node, Billing, Disk, Vmem, Pages];
    fixed.into_iter().chain(gres.into_iter().map(|g| Gres(g.to_owned()))).collect()
}

/// -T: names that are tracked, in the given order; `ALL` is all of them. None: not one is.
pub fn tres_names(text: &str, config: &ClusterConfig) -> Option<Vec<TresName>> {
    let all = tracked(config);
    if text.eq_ignore_ascii_case("all") {
        return Some(all);
    }
    let named = |word: &str| all.iter().find(|t| t.to_string().eq_ignore_ascii_case(word)).cloned();
    let known: Vec<TresName> = text.split(',').filter_map(named).collect();
    Some(known).filter(|k| !k.is_empty())
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Seconds => "Seconds",
            Unit::Minutes => "Minutes",
            Unit::Hours => "Hours",
        }
    }

    fn secs(self) -> f64 {
        match self {
            Unit::Seconds => 1.0,
            Unit::Minutes => 60.0,
            Unit::Hours => 3600.0,
        }
    }
}

/// -t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// A length of time.
    Time(Unit),
    /// A part of the whole.
    Percent,
    /// Both.
    Both(Unit),
}

impl TimeForm {
    /// `hours`, `h`, `HourPer`: single units may be cut short.
    pub fn parse(text: &str) -> Option<TimeForm> {
        let lower = text.to_ascii_lowercase();
        match &*lower {
            "secper" => return Some(TimeForm::Both(Unit::Seconds)),
            "minper" => return Some(TimeForm::Both(Unit::Minutes)),
            "hourper" => return Some(TimeForm::Both(Unit::Hours)),
            "" => return None,
            _ => {}
        }
        let units = [("seconds", Unit::Seconds), ("minutes", Unit::Minutes), ("hours", Unit::Hours)];
        let unit = units.iter().find(|(name, _)| name.starts_with(&lower)).map(|(_, u)| TimeForm::Time(*u));
        unit.or_else(|| "percent".starts_with(&lower).then_some(TimeForm::Percent))
    }

    /// How wide a column of it is: 8, or 17 with the part of the whole behind it.
    pub(super) fn width(self) -> usize {
        if matches!(self, TimeForm::Both(_)) { 17 } else { 8 }
    }

    /// An amount, of a whole.
    pub(super) fn show(self, secs: u64, whole: u64) -> String {
        let part = if whole > 0 { secs as f64 / whole as f64 * 100.0 } else { 0.0 };
        match self {
            TimeForm::Time(unit) => format!("{:.0}", round(secs as f64 / unit.secs())),
            TimeForm::Percent => format!("{part:.2}%"),
            TimeForm::Both(unit) => format!("{:.0}({part:.2}%)", round(secs as f64 / unit.secs())),
        }
    }

    /// `Minutes`, `Percentage of Total`, `Hours/Percentage of Total`.
    pub(super) fn title(self, of: &str) -> String {
        match self {
            TimeForm::Time(unit) => format!("{of}{}", unit.name()),
            TimeForm::Percent => "Percentage of Total".to_owned(),
            TimeForm::Both(unit) => format!("{of}{}/Percentage of Total", unit.name()),
        }
    }
}

/// To the nearest whole number, halves up.
fn round(n: f64) -> f64 {
    (n + 0.5).floor()
}

/// What is measured, and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// -T; none: CPUs.
    pub tres: Option<Vec<TresName>>,
    /// -t.
    pub form: TimeForm,
}

impl Default for Measure {
    fn default() -> Measure {
        Measure { tres: None, form: TimeForm::Time(Unit::Minutes) }
    }
}

impl Measure {
    /// The resources.
    pub(super) fn names(&self) -> &[TresName] {
        self.tres.as_deref().unwrap_or(&[TresName::Cpu])
    }

    /// `Usage reported in CPU Minutes`.
    pub(super) fn title(&self) -> String {
        self.title_of(self.tres.is_some())
    }

    pub(super) fn title_of(&self, tres: bool) -> String {
        format!("Usage reported in {}", self.form.title(if tres { "TRES " } else { "CPU " }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observed on Slurm 22.05.8.
    #[test]
    fn forms_of_time() {
        for (text, form) in [
            ("s", Some(TimeForm::Time(Unit::Seconds))),
            ("Min", Some(TimeForm::Time(Unit::Minutes))),
            ("hours", Some(TimeForm::Time(Unit::Hours))),
            ("p", Some(TimeForm::Percent)),
            ("HourPer", Some(TimeForm::Both(Unit::Hours))),
            ("hourp", None),
            ("foo", None),
            ("", None),
        ] {
            assert_eq!(TimeForm::parse(text), form, "{text}");
        }
        assert_eq!(TimeForm::Time(Unit::Minutes).show(294_400, 1), "4907");
        assert_eq!(TimeForm::Both(Unit::Hours).show(294_400, 2_764_800), "82(10.65%)");
        assert_eq!(TimeForm::Percent.show(1, 0), "0.00%");
    }

    #[test]
    fn resources_by_name() {
        let config = crate::fixture::config();
        let show = |text: &str| {
            tres_names(text, &config).map(|t| t.iter().map(TresName::to_string).collect::<Vec<_>>().join(","))
        };
        assert_eq!(show("all").as_deref(), Some("cpu,mem,energy,node,billing,fs/disk,vmem,pages,gres/gpu"));
        assert_eq!(show("GRES/gpu,foo,cpu,cpu").as_deref(), Some("gres/gpu,cpu,cpu"));
        assert_eq!((show("foo"), show("gpu"), show("")), (None, None, None));
    }
}
