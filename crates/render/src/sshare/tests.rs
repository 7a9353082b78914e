use super::*;
use crate::fixture::{self, settings};
use bivouac_types::config::ClusterConfig;
use bivouac_types::info::JobInfo;
use bivouac_types::parameters::Association;
use bivouac_types::{Duration, ExitStatus, JobState};
use proptest::prelude::*;

/// The associations of the reference run, in which nobody's job of acct2 had used 108 CPU-seconds.
fn config() -> ClusterConfig {
    let of = |account: &str, user: Option<&str>, fairshare: Option<u32>, parent: Option<&str>| Association {
        account: account.into(),
        user: user.map(str::to_owned),
        fairshare,
        parent: parent.map(str::to_owned),
        ..Association::default()
    };
    let mut config = crate::fixture::config();
    (config.parameters.priority.multifactor, config.parameters.priority.fairshare) = (true, 100);
    config.parameters.associations = vec![
        of("root", Some("root"), None, None),
        of("acct1", None, Some(20), None),
        of("acct1", Some("root"), Some(7), None),
        of("acct2", None, Some(5), Some("acct1")),
        of("acct2", Some("nobody"), Some(3), None),
        of("acct3", None, Some(9), None),
        of("acct3", Some("daemon"), Some(Association::PARENT), None),
        of("acct3", Some("sys"), Some(4), None),
    ];
    config
}

fn jobs() -> Vec<JobInfo> {
    let mut job = fixture::running(fixture::job(1, "x"), vec![fixture::share("n1", 0..2, 100)]);
    (job.account, job.user, job.num_cpus) = (Some("acct2".into()), "nobody".into(), 2);
    let mut job = fixture::ended(job, JobState::Completed, ExitStatus::default());
    job.elapsed = Duration::from_secs(54);
    vec![job]
}

fn sshare(format: &str, filter: &Filter) -> String {
    let (config, settings) = (config(), settings());
    let tree = tree(&config, &jobs(), "root");
    let layout = layout(format, None, true).unwrap();
    let mut out = Vec::new();
    layout.heading(&mut out).unwrap();
    layout.rule(&mut out).unwrap();
    layout.lines(filter.rows(&tree, true), &settings, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_tree_of_all_users() {
    insta::assert_snapshot!(sshare(DEFAULT_FORMAT, &Filter::default()), @r"
    Account                    User  RawShares  NormShares    RawUsage  EffectvUsage  FairShare 
    -------------------- ---------- ---------- ----------- ----------- ------------- ---------- 
    root                                          0.000000         108      1.000000            
     root                      root          1    0.033333           0      0.000000   1.000000 
     acct1                                  20    0.666667         108      1.000000            
      acct1                    root          7    0.583333           0      0.000000   0.400000 
      acct2                                  5    0.416667         108      1.000000            
       acct2                 nobody          3    1.000000         108      1.000000   0.200000 
     acct3                                   9    0.300000           0      0.000000            
      acct3                  daemon     parent    0.300000           0      0.000000   1.000000 
      acct3                     sys          4    1.000000           0      0.000000   1.000000 
    ");
}

#[test]
fn single_users_and_accounts() {
    let users = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect());
    let accounts = |filter: Filter| -> Vec<String> {
        let text = sshare("Account%-9,User", &filter);
        text.lines().skip(2).map(|l| l.trim_end().to_owned()).collect()
    };
    let mine = Filter { users: users(&["root"]), ..Filter::default() };
    assert_eq!(
        accounts(mine.clone()),
        ["root", " root           root", " acct1", "  acct1         root", "  acct2", " acct3"]
    );
    let only = Filter { users_only: true, ..mine.clone() };
    assert_eq!(accounts(only), ["root            root", "acct1           root"]);
    let of = Filter { accounts: users(&["acct1"]), ..mine };
    assert_eq!(accounts(of), ["acct1", " acct1          root"]);
    assert!(accounts(Filter { accounts: users(&["nope"]), ..Filter::default() }).is_empty());
}

#[test]
fn the_long_list_for_programs() {
    let (config, settings) = (config(), settings());
    let tree = tree(&config, &jobs(), "root");
    let layout = layout(LONG_FORMAT, Some("|"), false).unwrap();
    let mut out = Vec::new();
    layout.lines(Filter::default().rows(&tree, true), &settings, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().map(|l| l.split("||cpu=").next().unwrap()).collect();
    assert_eq!(
        lines[..6],
        [
            "root|||0.000000|108||1.000000||",
            " root|root|1|0.033333|0|0.000000|0.000000|1.000000|inf",
            " acct1||20|0.666667|108|1.000000|1.000000||0.666667",
            "  acct1|root|7|0.583333|0|0.000000|0.000000|0.400000|inf",
            "  acct2||5|0.416667|108|1.000000|1.000000||0.416667",
            "   acct2|nobody|3|1.000000|108|1.000000|1.000000|0.200000|1.000000",
        ]
    );
}

#[test]
fn without_associations_the_tree_is_of_who_ran_jobs() {
    let mut config = config();
    config.parameters.associations.clear();
    (config.accounts, config.default_account) = (vec!["a".into()], Some("a".into()));
    let tree = tree(&config, &jobs(), "me");
    let names: Vec<String> =
        tree.iter().map(|s| format!("{}:{}", s.account, s.user.as_deref().unwrap_or(""))).collect();
    assert_eq!(names, ["root:", "a:", "a:me", "acct2:", "acct2:nobody"]);
    assert_eq!(tree[0].usage, 108);
}

#[test]
fn running_jobs_may_still_use_something() {
    let mut job = fixture::running(fixture::job(1, "x"), vec![fixture::share("n1", 0..2, 100)]);
    (job.account, job.num_cpus) = (Some("acct1".into()), 2);
    let tree = tree(&config(), &[job], "root");
    assert_eq!(tree[0].run_mins.cpu.round(), 120.0);
    assert_eq!(tree[2].run_mins, tree[0].run_mins);
}

#[test]
fn fields_by_the_beginning_of_their_names() {
    assert!(layout("acc,use%3", None, true).is_ok());
    assert_eq!(layout("Account,foo", None, true).err().as_deref(), Some("foo"));
    insta::assert_snapshot!(help_format(), @r"
    Account           Cluster           EffectvUsage      FairShare        
    GrpTRESMins       GrpTRESRaw        ID                LevelFS          
    NormShares        NormUsage         Partition         RawShares        
    RawUsage          TRESRunMins       User             
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_tree_is_walked_once(
        entries in proptest::collection::vec((0u8..5, proptest::option::of(0u8..3), proptest::option::of(0u8..5), any::<u32>()), 0..12),
        format in "\\PC{0,20}",
    ) {
        let mut config = config();
        let name = |n: u8| format!("a{n}");
        config.parameters.associations = entries
            .into_iter()
            .map(|(account, user, parent, shares)| Association {
                account: name(account),
                user: user.map(name),
                parent: parent.map(name),
                fairshare: Some(shares),
                ..Association::default()
            })
            .collect();
        let tree = tree(&config, &jobs(), "root");
        prop_assert!(tree.len() <= 1 + 5 + 15);
        let _ = layout(&format, None, true);
        for share in &tree {
            prop_assert!(share.fairshare.is_none_or(|f| f > 0.0 && f <= 1.0));
        }
    }
}
