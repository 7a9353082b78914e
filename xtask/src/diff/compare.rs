//! Compares what a case said on the two systems: exit code, standard output and standard error of each command, texts
//! line by line, `Key=value` output key by key.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::deviations::{Rules, Side};
use super::normalize::{Context, Line, Spans, jobs};

/// One command of a case, as a system ran it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Its words.
    pub argv: Vec<String>,
    /// Its exit code.
    pub rc: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// The deviation that the case says it shows.
    pub deviates: Option<String>,
}

/// A case on one system.
#[derive(Debug, Clone, Default)]
pub struct Ran {
    /// Unix time of its beginning.
    pub started: i64,
    /// Folders of the system, with what stands for them.
    pub folders: Vec<(String, &'static str)>,
    /// What its commands said, in order.
    pub records: Vec<Record>,
    /// Seconds that it took, with the cleaning behind it.
    pub took: f64,
    /// Why it did not come to its end, if it did not.
    pub broken: Option<String>,
}

/// A difference between the systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The command, as it was typed.
    pub command: String,
    /// `rc`, `out`, `err`, `env` or `case`.
    pub part: &'static str,
    /// The key, where the output has keys.
    pub key: Option<String>,
    /// Slurm's lines.
    pub slurm: Vec<String>,
    /// Ours.
    pub ours: Vec<String>,
    /// The deviation that covers it.
    pub deviation: Option<String>,
}

/// What a comparison comes to.
#[derive(Debug, Default)]
pub struct Compared {
    /// All differences, declared and not.
    pub differences: Vec<Difference>,
    /// Deviations that the case declared and that did not show.
    pub vanished: Vec<(String, String)>,
}

impl Compared {
    /// Differences that nothing declares.
    pub fn undeclared(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.deviation.is_none())
    }

    /// Whether the systems agree as far as they should.
    pub fn agrees(&self) -> bool {
        self.undeclared().next().is_none() && self.vanished.is_empty()
    }
}

/// Compares a case's two runs.
pub fn compare(slurm: &Ran, ours: &Ran, rules: &Rules) -> Compared {
    let (a, b) = (context(slurm), context(ours));
    let mut all = Compared::default();
    if slurm.broken.is_some() || ours.broken.is_some() {
        let said = |ran: &Ran| ran.broken.iter().cloned().collect();
        all.differences.push(Difference::new("(the whole case)", "case", said(slurm), said(ours)));
    }
    for number in 0..slurm.records.len().max(ours.records.len()) {
        let (Some(x), Some(y)) = (slurm.records.get(number), ours.records.get(number)) else {
            let only = |ran: &Ran| ran.records.get(number).map(|r| r.argv.join(" ")).into_iter().collect();
            all.differences.push(Difference::new(
                "(the case went another way)",
                "case",
                only(slurm),
                only(ours),
            ));
            continue;
        };
        if !same_command(&a, x, &b, y) {
            let way = "(the case went another way; the rest is not compared)";
            let argv = |record: &Record| vec![record.argv.join(" ")];
            all.differences.push(Difference::new(way, "case", argv(x), argv(y)));
            break;
        }
        let mut found = compare_records(&a, x, &b, y, rules);
        if let Some(id) = &x.deviates {
            if found.is_empty() {
                all.vanished.push((id.clone(), x.argv.join(" ")));
            }
            for difference in &mut found {
                difference.deviation = Some(id.clone());
            }
        } else {
            for difference in &mut found {
                difference.deviation = rules.of_key(difference.part, difference.key.as_deref());
            }
        }
        all.differences.extend(found);
    }
    all
}

fn context(ran: &Ran) -> Context {
    let texts = ran.records.iter().flat_map(|r| r.argv.iter().chain([&r.out, &r.err]));
    let ids: BTreeSet<i64> = texts.flat_map(|text| jobs(text)).collect();
    Context { started: ran.started, folders: ran.folders.clone(), jobs: ids }
}

/// Whether two records are of the same command.
fn same_command(a: &Context, x: &Record, b: &Context, y: &Record) -> bool {
    let argv = |context: &Context, record: &Record| context.lines(&record.argv.join(" "), Spans::Long);
    argv(a, x) == argv(b, y)
}

fn compare_records(a: &Context, x: &Record, b: &Context, y: &Record, rules: &Rules) -> Vec<Difference> {
    let command = x.argv.join(" ");
    let mut found = Vec::new();
    if x.rc != y.rc {
        found.push(Difference::new(&command, "rc", vec![x.rc.to_string()], vec![y.rc.to_string()]));
    }
    let program = x.argv.first().map_or("", String::as_str);
    let spans = if matches!(program, "squeue" | "sstat") { Spans::Short } else { Spans::Long };
    let lines = |context: &Context, side: Side, text: &str| context.lines(&rules.rewrite(side, text), spans);
    if is_environment(x) {
        let (slurm, ours) = (rules.rewrite(Side::Slurm, &x.out), rules.rewrite(Side::Ours, &y.out));
        found.extend(environment(&command, a, &slurm, b, &ours, rules));
    } else {
        let (slurm, ours) = (lines(a, Side::Slurm, &x.out), lines(b, Side::Ours, &y.out));
        found.extend(texts(&command, "out", &slurm, &ours, rules));
    }
    let (slurm, ours) = (lines(a, Side::Slurm, &x.err), lines(b, Side::Ours, &y.err));
    found.extend(texts(&command, "err", &slurm, &ours, rules));
    found
}

impl Difference {
    fn new(command: &str, part: &'static str, slurm: Vec<String>, ours: Vec<String>) -> Difference {
        Difference { command: command.to_owned(), part, key: None, slurm, ours, deviation: None }
    }

    fn of_key(mut self, key: &str) -> Difference {
        self.key = Some(key.to_owned());
        self
    }
}

/// Whether a record is an environment: `sort -z` of a file of `env -0`.
fn is_environment(record: &Record) -> bool {
    record.argv.first().is_some_and(|p| p == "sort") && record.out.contains('\0')
}

/// Variable by variable.
fn environment(
    command: &str,
    a: &Context,
    slurm: &str,
    b: &Context,
    ours: &str,
    rules: &Rules,
) -> Vec<Difference> {
    let variables = |context: &Context, text: &str| -> std::collections::BTreeMap<String, Vec<Line>> {
        let pairs = text.split('\0').filter_map(|entry| entry.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), context.lines(&format!("{value}\n"), Spans::Long)))
            .collect()
    };
    let (slurm, ours) = (variables(a, slurm), variables(b, ours));
    let names: BTreeSet<&String> = slurm.keys().chain(ours.keys()).collect();
    let said = |name: &str, value: Option<&Vec<Line>>| {
        let lines = value.map(|lines| lines.iter().map(Line::to_string).collect::<Vec<_>>().join("\n"));
        lines.map(|text| format!("{name}={text}")).into_iter().collect()
    };
    let differ = names.into_iter().filter(|name| match (slurm.get(*name), ours.get(*name)) {
        (Some(x), Some(y)) => x != y && !(rules.is_measured(name) && both_numbers(x, y)),
        _ => true,
    });
    differ
        .map(|name| {
            let (x, y) = (said(name, slurm.get(name)), said(name, ours.get(name)));
            Difference::new(command, "env", x, y).of_key(name)
        })
        .collect()
}

fn both_numbers(x: &[Line], y: &[Line]) -> bool {
    let number = |lines: &[Line]| matches!(lines, [line] if is_number(&line.to_string()));
    number(x) && number(y)
}

/// Whether a value is a number, maybe with a fraction and a unit, or a moment.
fn is_number(text: &str) -> bool {
    let is_moment = text.trim().starts_with("<now");
    is_moment || text.trim().trim_end_matches(['K', 'M', 'G', 'T']).parse::<f64>().is_ok()
}

/// Line by line; lines of keys key by key.
fn texts(command: &str, part: &'static str, slurm: &[Line], ours: &[Line], rules: &Rules) -> Vec<Difference> {
    let mut found = Vec::new();
    for (x, y) in hunks(slurm, ours) {
        let (x, y) = (&slurm[x], &ours[y]);
        let keyed: Option<Vec<_>> =
            if x.len() == y.len() { x.iter().zip(y).map(|(x, y)| same_keys(x, y)).collect() } else { None };
        match keyed {
            Some(lines) => {
                for (key, slurm, ours) in lines.into_iter().flatten() {
                    if !(rules.is_measured(&key) && is_number(&slurm) && is_number(&ours)) {
                        let said = |value: &str| vec![format!("{key}={value}")];
                        found.push(Difference::new(command, part, said(&slurm), said(&ours)).of_key(&key));
                    }
                }
            }
            None => {
                let shown = |lines: &[Line]| lines.iter().map(Line::to_string).collect();
                found.push(Difference::new(command, part, shown(x), shown(y)));
            }
        }
    }
    found
}

static KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^| )([A-Za-z][A-Za-z0-9_/:()]*)( *=)").unwrap_or_else(|e| unreachable!("{e}"))
});

/// The keys whose values differ, if the lines have the same keys in the same places: key, Slurm's value, ours.
fn same_keys(slurm: &Line, ours: &Line) -> Option<Vec<(String, String, String)>> {
    let (x, y) = (pairs(slurm), pairs(ours));
    let names = |pairs: &[(String, Line)]| pairs.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    if x.len() < 2 || names(&x) != names(&y) || x[0].1 != y[0].1 {
        return None;
    }
    let pairs = x.into_iter().zip(y).filter(|(x, y)| x.1 != y.1);
    Some(
        pairs
            .map(|((key, x), (_, y))| {
                (key.trim_end_matches([' ', '=']).to_owned(), x.to_string(), y.to_string())
            })
            .collect(),
    )
}

/// A line cut before its keys: first what stands before them, then each key (with its `=`) and its value.
fn pairs(line: &Line) -> Vec<(String, Line)> {
    use super::normalize::Token;
    let mut pairs = vec![(String::new(), Line(Vec::new()))];
    for token in &line.0 {
        let Token::Text(text) = token else {
            if let Some((_, value)) = pairs.last_mut() {
                value.0.push(token.clone());
            }
            continue;
        };
        let mut rest = 0;
        let push = |pairs: &mut Vec<(String, Line)>, text: &str| {
            if let (false, Some((_, value))) = (text.is_empty(), pairs.last_mut()) {
                value.0.push(Token::Text(text.to_owned()));
            }
        };
        for key in KEY.captures_iter(text) {
            if let (Some(name), Some(equals)) = (key.get(1), key.get(2)) {
                push(&mut pairs, &text[rest..name.start()]);
                rest = equals.end();
                pairs.push((text[name.start()..rest].to_owned(), Line(Vec::new())));
            }
        }
        push(&mut pairs, &text[rest..]);
    }
    pairs
}

/// Ranges of lines that differ, from a longest common subsequence.
fn hunks(a: &[Line], b: &[Line]) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut common = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] =
                if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut hunks = Vec::new();
    while i < a.len() || j < b.len() {
        let (from_i, from_j) = (i, j);
        while (i < a.len() || j < b.len()) && !(i < a.len() && j < b.len() && a[i] == b[j]) {
            if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
                i += 1;
            } else {
                j += 1;
            }
        }
        if (from_i, from_j) != (i, j) {
            hunks.push((from_i..i, from_j..j));
        }
        while i < a.len() && j < b.len() && a[i] == b[j] {
            i += 1;
            j += 1;
        }
    }
    hunks
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
