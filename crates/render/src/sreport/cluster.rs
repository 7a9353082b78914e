//! cluster Utilization: how the time of nodes was divided up.

use super::amounts::{Measure, TresName};
use super::field::{Field, Fields};
use super::period::Period;
use super::sheet::{Line, Report};
use super::usage::{Division, Usage};
use jiff::tz::TimeZone;

struct Row<'a> {
    cluster: &'a str,
    name: &'a TresName,
    count: u64,
    division: Division,
}

impl Line for Row<'_> {
    fn cell(&self, field: Field, measure: &Measure) -> String {
        let show = |secs: u64| measure.form.show(secs, self.division.total);
        match field {
            Field::Cluster => self.cluster.to_owned(),
            Field::TresName => self.name.to_string(),
            Field::TresCount => self.count.to_string(),
            Field::Allocated => show(self.division.allocated),
            Field::Down => show(self.division.down),
            Field::PlannedDown => show(self.division.planned_down),
            Field::Planned => show(self.division.planned),
            Field::Idle => show(self.division.idle),
            Field::Overcommitted => show(self.division.over),
            Field::Reported => show(self.division.total),
            Field::Energy => measure.form.show(0, 0),
            _ => String::new(),
        }
    }
}

/// The report; `cluster` is none where another one was asked for, or where nothing is known of the period.
pub fn utilization(
    usage: &Usage<'_>,
    cluster: Option<&str>,
    period: &Period,
    measure: &Measure,
    fields: &Fields,
    zone: &TimeZone,
) -> Report {
    let title = vec![period.title("Cluster Utilization", zone, false), measure.title()];
    let known = usage.total(&TresName::Cpu) > 0;
    let rows: Vec<Row<'_>> = cluster
        .filter(|_| known)
        .into_iter()
        .flat_map(|cluster| measure.names().iter().map(move |name| (cluster, name)))
        // Of nodes that are shared this would tell nothing; Slurm leaves it out.
        .filter(|(_, name)| **name != TresName::Node)
        .map(|(cluster, name)| Row {
            cluster,
            name,
            count: usage.count(name),
            division: usage.division(name),
        })
        .collect();
    let lines: Vec<&dyn Line> = rows.iter().map(|row| row as &dyn Line).collect();
    let mut report = Report::new(title, fields, measure, &lines);
    // What may be all of a resource has room for it in seconds.
    let most = rows.iter().map(|row| row.division.total).max().unwrap_or(0);
    let wide = most.to_string().len().max(8) + measure.form.width() - 8;
    for field in [Field::Idle, Field::Reported] {
        fields.places(field).for_each(|n| report.widen(n, wide));
    }
    report
}
