//! Twelve jobs of the reference cluster (four nodes of eight CPUs) on 27 November 2026, of which n4 was down from 4:00 to
//! 5:30: the expected reports are what real Slurm 22.05.8 said of them.

use super::*;
use crate::fixture;
use bivouac_types::config::{ClusterConfig, GresConfig};
use bivouac_types::info::{GresShare, JobInfo, NodeShare, NodeSpell, Service};
use bivouac_types::parameters::Association;
use bivouac_types::{Duration, JobState, Timestamp};
use jiff::tz::TimeZone;

/// 2026-11-27T00:00:00 UTC.
const DAY: i64 = 1_795_737_600;

fn config() -> ClusterConfig {
    let mut config = fixture::config();
    config.cluster = "reference".into();
    config.nodes.truncate(1);
    config.nodes[0].gres = vec![GresConfig { name: "gpu".into(), kind: None, count: 2 }];
    let of = |account: &str, user: Option<&str>, parent: Option<&str>| Association {
        account: account.into(),
        user: user.map(str::to_owned),
        parent: parent.map(str::to_owned),
        ..Association::default()
    };
    config.parameters.associations = vec![
        of("root", Some("root"), None),
        of("proj", None, None),
        of("proj", Some("camper"), None),
        of("proj", Some("root"), None),
        of("other", None, None),
        of("other", Some("root"), None),
        of("sub", None, Some("proj")),
        of("sub", Some("camper"), None),
    ];
    config
}

fn spells() -> Vec<NodeSpell> {
    let spell = |node: u32, since: i64, service| NodeSpell {
        since: Timestamp::from_secs(since),
        node: format!("n{node}"),
        cpus: 8,
        mem_mb: 8000,
        gres: [("gpu".to_owned(), 2)].into(),
        service,
    };
    let begin = (1..=4).map(|n| spell(n, DAY - 86_400, Service::Up));
    let down = [spell(4, DAY + 4 * 3600, Service::Down), spell(4, DAY + 5 * 3600 + 1800, Service::Up)];
    begin.chain(down).collect()
}

/// The `n`th job: it waited for ten minutes longer than the one before, and ran for 400 s longer.
fn job(n: u32, user: &str, account: &str, cpus: u32, mem_mb: u64, nodes: u32) -> JobInfo {
    let at = |secs: i64| Some(Timestamp::from_secs(DAY + 7200 + secs));
    let turn = i64::from(n) - 1;
    let mut job = fixture::job(700_000 + n, "x");
    (job.user, job.account, job.num_cpus, job.mem_mb) = (user.into(), Some(account.into()), cpus, mem_mb);
    (job.state, job.num_nodes) = (JobState::Completed, nodes);
    (job.eligible, job.start, job.end) = (at(0), at(600 * turn), at(3600 + 1000 * turn));
    job.elapsed = Duration::from_secs(3600 + 400 * turn as u64);
    let share = |node: u32| NodeShare { cpus: vec![0], ..fixture::share(&format!("n{}", node + 1), 0..1, 0) };
    job.nodes = (0..nodes).map(share).collect();
    job
}

fn jobs(array_of: &str) -> Vec<JobInfo> {
    let mut jobs = vec![
        job(1, "root", "other", 2, 1000, 1),
        job(2, "root", "proj", 1, 100, 1),
        job(3, "root", "proj", 2, 200, 1),
        job(4, "root", "proj", 3, 300, 1),
        job(5, "root", "proj", 4, 400, 1),
        job(6, "root", "proj", 5, 500, 2),
        job(7, "root", "proj", 6, 600, 1),
        job(8, "camper", "proj", 4, 400, 1),
        job(9, "camper", array_of, 1, 100, 1),
        job(10, "camper", array_of, 1, 100, 1),
        job(11, "camper", "proj", 1, 100, 1),
        job(12, "root", "other", 16, 1600, 2),
    ];
    jobs[0].partition = "debug".into();
    for share in &mut jobs[11].nodes {
        share.gres = vec![GresShare { name: "gpu".into(), kind: None, indices: vec![0] }];
    }
    jobs
}

fn proper(user: &str) -> String {
    if user == "root" { "root".to_owned() } else { String::new() }
}

/// A report of that day, without its title.
fn report(jobs: &[JobInfo], make: impl Fn(&Usage<'_>, &Period) -> Report) -> String {
    let (config, spells) = (config(), spells());
    let now = Timestamp::from_secs(DAY + 40 * 3600);
    let sources = Sources { jobs, spells: &spells, config: &config, now };
    let period = Period::new(None, None, now, &TimeZone::UTC);
    let mut out = Vec::new();
    make(&Usage::new(sources, &period), &period).write(Print::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn measure(tres: Option<&str>, form: &str) -> Measure {
    let tres = tres.map(|t| tres_names(t, &config()).unwrap());
    Measure { tres, form: TimeForm::parse(form).unwrap() }
}

fn use_of_cluster(tres: Option<&str>, form: &str, format: Option<&str>) -> String {
    let measure = measure(tres, form);
    let (fields, _) = Fields::read(Kind::Utilization, format, &measure);
    report(&jobs("proj"), |usage, period| {
        utilization(usage, Some("reference"), period, &measure, &fields, &TimeZone::UTC)
    })
}

#[test]
fn how_the_cluster_was_used() {
    insta::assert_snapshot!(use_of_cluster(None, "minutes", None), @r"
    --------------------------------------------------------------------------------
    Cluster Utilization 2026-11-27T00:00:00 - 2026-11-27T23:59:59
    Usage reported in CPU Minutes
    --------------------------------------------------------------------------------
      Cluster Allocate     Down PLND Dow     Idle  Planned Reported 
    --------- -------- -------- -------- -------- -------- -------- 
    reference     4907      410        0    38977     1787    46080 
    ");
    insta::assert_snapshot!(use_of_cluster(Some("ALL"), "minutes", None), @r"
    --------------------------------------------------------------------------------
    Cluster Utilization 2026-11-27T00:00:00 - 2026-11-27T23:59:59
    Usage reported in TRES Minutes
    --------------------------------------------------------------------------------
      Cluster      TRES Name Allocate     Down PLND Dow       Idle  Planned   Reported 
    --------- -------------- -------- -------- -------- ---------- -------- ---------- 
    reference            cpu     4907      410        0      38977     1787      46080 
    reference            mem   538667   720000        0   44821333        0   46080000 
    reference         energy        0        0        0          0        0          0 
    reference        billing     4907      410        0      40763        0      46080 
    reference        fs/disk        0        0        0          0        0          0 
    reference           vmem        0        0        0          0        0          0 
    reference          pages        0        0        0          0        0          0 
    reference       gres/gpu      267      180        0      11073        0      11520 
    ");
}

#[test]
fn parts_of_the_whole() {
    insta::assert_snapshot!(use_of_cluster(Some("mem"), "secper", Some("al,down,id%2,res,rep,over,tresc")), @r"
    --------------------------------------------------------------------------------
    Cluster Utilization 2026-11-27T00:00:00 - 2026-11-27T23:59:59
    Usage reported in TRES Seconds/Percentage of Total
    --------------------------------------------------------------------------------
            Allocated              Down                Idle           Planned            Reported         Over Comm TRES Count 
    ----------------- ----------------- ------------------- ----------------- ------------------- ----------------- ---------- 
      32320000(1.17%)   43200000(1.56%)  2689280000(97.27%)          0(0.00%) 2764800000(100.00%)          0(0.00%)      32000 
    ");
    let percent = use_of_cluster(None, "percent", Some("al,down,idle,res,over"));
    assert_eq!(percent.lines().last(), Some("  10.65%    0.89%   84.58%    3.88%    3.11% "));
}

fn accounts(filter: AccountFilter, format: Option<&str>, jobs: &[JobInfo]) -> String {
    let measure = Measure::default();
    let (fields, _) = Fields::read(Kind::AccountUser, format, &measure);
    let fields = if filter.tree { fields.as_tree() } else { fields };
    let filter = AccountFilter { cluster: Some("reference".into()), ..filter };
    let text = report(jobs, |usage, period| {
        by_account(usage, &filter, period, &measure, &fields, &TimeZone::UTC, &proper)
    });
    text.lines().skip(4).map(|l| format!("{l}\n")).collect()
}

#[test]
fn accounts_and_their_users() {
    insta::assert_snapshot!(accounts(AccountFilter { tree: true, ..AccountFilter::default() }, None, &jobs("sub")), @r"
      Cluster Account                  Login     Proper Name     Used   Energy 
    --------- -------------------- --------- --------------- -------- -------- 
    reference root                                               4907        0 
    reference  other                                             2253        0 
    reference   other                   root            root     2253        0 
    reference  proj                                              2653        0 
    reference   proj                  camper                      553        0 
    reference   proj                    root            root     1867        0 
    reference   sub                                               233        0 
    reference    sub                  camper                      233        0 
    ");
    let list = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect());
    let brief = |filter| -> Vec<String> {
        let text = accounts(filter, Some("acc%-8,login%6,used"), &jobs("sub"));
        text.lines().skip(2).map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let of = |accounts, users| AccountFilter { accounts, users, ..AccountFilter::default() };
    assert_eq!(brief(of(list(&["sub"]), None)), ["sub 233", "sub camper 233"]);
    assert_eq!(brief(of(None, list(&["camper"]))), ["sub camper 233", "proj camper 553"]);
    assert_eq!(brief(of(list(&["sub"]), list(&["CAMPER"]))), ["sub camper 233"]);
    let tree = AccountFilter { tree: true, ..of(list(&["proj"]), None) };
    let text = accounts(tree, Some("acc,used"), &jobs("sub"));
    let starts: Vec<&str> = text.lines().skip(2).map(|l| l[..12].trim_end()).collect();
    assert_eq!(starts, ["proj", " proj", " proj", " sub", "  sub"]);
}

fn users(tres: Option<&str>, order: Order, filter: UserFilter, format: Option<&str>) -> String {
    let measure = measure(tres, "minutes");
    let (fields, _) = Fields::read(Kind::Top, format, &measure);
    let filter = UserFilter { cluster: Some("reference".into()), ..filter };
    let text = report(&jobs("sub"), |usage, period| {
        by_user(usage, order, &filter, period, &measure, &fields, &TimeZone::UTC, &proper)
    });
    text.lines().skip(1).map(|l| format!("{l}\n")).collect()
}

#[test]
fn users_by_what_they_used() {
    insta::assert_snapshot!(users(None, Order::Top(10), UserFilter { group: true, ..UserFilter::default() }, None), @r"
    Top 10 Users 2026-11-27T00:00:00 - 2026-11-27T23:59:59 (86400 secs)
    Usage reported in CPU Minutes
    --------------------------------------------------------------------------------
      Cluster     Login     Proper Name         Account     Used   Energy 
    --------- --------- --------------- --------------- -------- -------- 
    reference      root            root     proj, other     4120        0 
    reference    camper                       sub, proj      787        0 
    ");
    let brief = |tres, order, filter| -> Vec<String> {
        let text = users(tres, order, filter, Some("login,acc,tresn,used"));
        text.lines().skip(5).map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let all = UserFilter::default;
    assert_eq!(brief(None, Order::Top(0), all()), ["root other cpu 2253"]);
    assert_eq!(
        brief(Some("node"), Order::All, all()),
        ["root proj node 593", "root other node 327", "camper sub node 233", "camper proj node 233"]
    );
    let gpus = brief(Some("gres/gpu,cpu"), Order::All, all());
    assert_eq!(gpus[..3], ["root other gres/gpu 267", "root other cpu 2253", "camper sub gres/gpu 0"]);
    let accounts = UserFilter { accounts: Some(vec!["proj".into()]), ..all() };
    assert_eq!(brief(None, Order::All, accounts), ["root proj cpu 1867", "camper proj cpu 553"]);
}

fn sizes(tres: Option<&str>, form: &str, sizes: &Sizes) -> String {
    let measure = measure(tres, form);
    let (fields, _) = Fields::read(Kind::SizesAccount, None, &measure);
    let filter = SizeFilter { cluster: Some("reference".into()), ..sizes.filter.clone() };
    let sizes = Sizes { filter, ..sizes.clone() };
    let text = report(&jobs("sub"), |usage, period| {
        by_size(usage, &sizes, period, &measure, &fields, &TimeZone::UTC).unwrap()
    });
    text.lines().skip(2).map(|l| format!("{l}\n")).collect()
}

#[test]
fn jobs_by_their_size() {
    insta::assert_snapshot!(sizes(None, "minutes", &Sizes::default()), @r"
    Time reported in Minutes
    --------------------------------------------------------------------------------
      Cluster   Account     0-49 CPUs   50-249 CPUs  250-499 CPUs  500-999 CPUs  >= 1000 CPUs % of cluster 
    --------- --------- ------------- ------------- ------------- ------------- ------------- ------------ 
    reference      root          4907             0             0             0             0      100.00% 
    ");
    let groups = |text| Groups::parse(text).unwrap();
    let flat = Sizes { level: Level::Flat, groups: groups("2,4"), ..Sizes::default() };
    insta::assert_snapshot!(sizes(Some("cpu"), "minper", &flat), @r"
    TRES type is cpu
    Time reported in Minutes/Percentage of Total
    --------------------------------------------------------------------------------
      Cluster   Account             0-1 CPUs             2-3 CPUs            >= 4 CPUs % of cluster 
    --------- --------- -------------------- -------------------- -------------------- ------------ 
    reference     other             0(0.00%)           120(5.33%)         2133(94.67%)       45.92% 
    reference      proj           193(7.99%)          387(15.98%)         1840(76.03%)       49.32% 
    reference       sub         233(100.00%)             0(0.00%)             0(0.00%)        4.76% 
    ");
    let count = Sizes { count: true, groups: Groups::Individual, ..flat.clone() };
    insta::assert_snapshot!(sizes(None, "minutes", &count), @r"
    Units are in number of jobs ran
    --------------------------------------------------------------------------------
      Cluster   Account        1 CPUs        2 CPUs        3 CPUs        4 CPUs        5 CPUs        6 CPUs       16 CPUs % of cluster 
    --------- --------- ------------- ------------- ------------- ------------- ------------- ------------- ------------- ------------ 
    reference     other             0             1             0             0             0             0             1       16.67% 
    reference      proj             2             1             1             2             1             1             0       66.67% 
    reference       sub             2             0             0             0             0             0             0       16.67% 
    ");
}

#[test]
fn accounts_of_sizes() {
    let brief = |sizes_: Sizes| -> Vec<String> {
        let text = sizes(None, "minutes", &Sizes { groups: Groups::From(vec![]), ..sizes_ });
        text.lines().skip(4).map(|l| l.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")).collect()
    };
    let of = |level, accounts: &[&str]| {
        let accounts = (!accounts.is_empty()).then(|| accounts.iter().map(|a| (*a).to_owned()).collect());
        Sizes { level, filter: SizeFilter { accounts, ..SizeFilter::default() }, ..Sizes::default() }
    };
    assert_eq!(brief(of(Level::Below, &[])), ["other 2253 45.92%", "proj 2653 54.08%"]);
    assert_eq!(brief(of(Level::Below, &["proj"])), ["sub 233 100.00%"]);
    assert_eq!(brief(of(Level::Named, &["sub", "other"])), ["other 2253 90.62%", "sub 233 9.38%"]);
    assert_eq!(brief(of(Level::Flat, &["proj"])), ["proj 2420 100.00%"]);
    assert!(brief(of(Level::Named, &["nope"])).is_empty());
    let filter = SizeFilter { partitions: Some(vec!["debug".into()]), ..SizeFilter::default() };
    assert_eq!(brief(Sizes { filter, ..Sizes::default() }), ["root 120 100.00%"]);
    let filter = SizeFilter { jobs: Some(vec![700_001, 700_003]), ..SizeFilter::default() };
    assert_eq!(brief(Sizes { filter, ..Sizes::default() }), ["root 267 100.00%"]);
}

#[test]
fn forms_for_programs() {
    let measure = Measure::default();
    let (fields, _) = Fields::read(Kind::Top, Some("login%2,used%3"), &measure);
    let (config, spells, jobs) = (config(), spells(), jobs("proj"));
    let now = Timestamp::from_secs(DAY + 40 * 3600);
    let period = Period::new(None, None, now, &TimeZone::UTC);
    let usage = Usage::new(Sources { jobs: &jobs, spells: &spells, config: &config, now }, &period);
    let filter = UserFilter { cluster: Some("reference".into()), ..UserFilter::default() };
    let report = by_user(&usage, Order::Top(1), &filter, &period, &measure, &fields, &TimeZone::UTC, &proper);
    let show = |print| {
        let mut out = Vec::new();
        report.write(print, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().rev().take(2).collect::<Vec<_>>().join(" / ")
    };
    assert_eq!(show(Print { parsable: true, trailing: false, bare: true }), "root|2253");
    assert_eq!(show(Print { parsable: true, trailing: true, bare: false }), "root|2253| / Login|Used|");
    assert_eq!(show(Print { bare: true, ..Print::default() }), "r+     2253 ");
}

/// What is not over yet counts up to now; what was suspended does not.
#[test]
fn running_and_suspended_jobs() {
    let mut running = job(1, "root", "proj", 2, 100, 1);
    (running.state, running.end) = (JobState::Running, Some(Timestamp::from_secs(DAY + 500_000)));
    let mut suspended = job(1, "root", "proj", 2, 100, 1);
    suspended.accounting.suspended = Duration::from_secs(1800);
    let (config, spells) = (config(), spells());
    let now = Timestamp::from_secs(DAY + 7200 + 600);
    let period = Period::exactly(Timestamp::from_secs(DAY), now);
    for (job, secs) in [(running, 600), (suspended, 300)] {
        let jobs = [job];
        let usage = Usage::new(Sources { jobs: &jobs, spells: &spells, config: &config, now }, &period);
        assert_eq!(usage.seconds(&jobs[0]), secs);
        assert_eq!(usage.division(&TresName::Cpu).total, 32 * (7200 + 600));
    }
}
