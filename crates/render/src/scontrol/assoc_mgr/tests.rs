use super::*;
use crate::fixture::{self, NOW};
use crate::sshare;

fn known(form: Form, filter: &Filter) -> String {
    let mut config = fixture::config();
    let of = |account: &str, user: Option<&str>| Association {
        account: account.into(),
        user: user.map(str::to_owned),
        is_default: user.is_some(),
        ..Association::default()
    };
    config.parameters.associations = vec![
        of("root", None),
        Association { grp_jobs: Some(5), ..of("acct1", None) },
        Association { max_jobs: Some(2), admin_level: Some("Operator".into()), ..of("acct1", Some("alice")) },
    ];
    let grp = TresLimit { cpus: Some(8), gres: vec![("gpu".into(), 2)], ..TresLimit::default() };
    config.qos = vec![QosConfig {
        name: "normal".into(),
        max_jobs_per_user: Some(3),
        max_per_job: grp.clone(),
        grp,
        ..QosConfig::default()
    }];
    let mut job = fixture::running(fixture::job(1, "x"), vec![fixture::share("n1", 0..2, 100)]);
    (job.account, job.qos, job.num_cpus) = (Some("acct1".into()), Some("normal".into()), 2);
    (job.user, job.uid) = ("alice".into(), bivouac_types::Uid(1000));
    let jobs = [job];
    let shares = sshare::tree(&config, &jobs, "alice");
    let uid = |user: &str| (user == "alice").then_some(1000);
    show_assoc_mgr(
        &Known { config: &config, shares: &shares, jobs: &jobs, uid: &uid, now: NOW },
        filter,
        form,
    )
}

fn all() -> Filter {
    let kinds = Kinds { users: true, associations: true, qos: true };
    Filter { kinds, users: Vec::new(), accounts: Vec::new(), qos: Vec::new() }
}

#[test]
fn who_has_what() {
    let accounts = vec!["acct1".to_owned()];
    let text = known(Form::default(), &Filter { accounts, ..all() });
    insta::assert_snapshot!(text.replace(" \n", "|\n"), @r"
    Current Association Manager state

    User Records

    UserName=alice(1000) DefAccount=acct1 DefWckey= AdminLevel=Operator

    Association Records

    ClusterName=ref Account=acct1 UserName= Partition= Priority=0 ID=2
        SharesRaw/Norm/Level/Factor=1/1.00/1/0.00
        UsageRaw/Norm/Efctv=4.00/0.00/0.00
        ParentAccount=root(1) Lft=2 DefAssoc=No
        GrpJobs=5(1) GrpJobsAccrue=N(0)
        GrpSubmitJobs=N(1) GrpWall=N(0.03)
        GrpTRES=cpu=N(2),mem=N(100),energy=N(0),node=N(1),billing=N(2),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        GrpTRESMins=cpu=N(0),mem=N(3),energy=N(0),node=N(0),billing=N(0),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        GrpTRESRunMins=cpu=N(120),mem=N(6000),energy=N(0),node=N(60),billing=N(120),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        MaxJobs= MaxJobsAccrue= MaxSubmitJobs= MaxWallPJ=
        MaxTRESPJ=
        MaxTRESPN=
        MaxTRESMinsPJ=
        MinPrioThresh=
    ClusterName=ref Account=acct1 UserName=alice(1000) Partition= Priority=0 ID=3
        SharesRaw/Norm/Level/Factor=1/1.00/1/1.00
        UsageRaw/Norm/Efctv=4.00/0.00/0.00
        ParentAccount= Lft=3 DefAssoc=Yes
        GrpJobs=N(1) GrpJobsAccrue=N(0)
        GrpSubmitJobs=N(1) GrpWall=N(0.03)
        GrpTRES=cpu=N(2),mem=N(100),energy=N(0),node=N(1),billing=N(2),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        GrpTRESMins=cpu=N(0),mem=N(3),energy=N(0),node=N(0),billing=N(0),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        GrpTRESRunMins=cpu=N(120),mem=N(6000),energy=N(0),node=N(60),billing=N(120),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        MaxJobs=2(1) MaxJobsAccrue= MaxSubmitJobs= MaxWallPJ=
        MaxTRESPJ=
        MaxTRESPN=
        MaxTRESMinsPJ=
        MinPrioThresh=

    QOS Records

    QOS=normal(1)
        UsageRaw=4.000000
        GrpJobs=N(1) GrpJobsAccrue=N(0) GrpSubmitJobs=N(1) GrpWall=N(0.03)
        GrpTRES=cpu=8(2),mem=N(100),energy=N(0),node=N(1),billing=N(2),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=2(0)
        GrpTRESMins=cpu=N(0),mem=N(3),energy=N(0),node=N(0),billing=N(0),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        GrpTRESRunMins=cpu=N(120),mem=N(6000),energy=N(0),node=N(60),billing=N(120),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        MaxWallPJ=
        MaxTRESPJ=cpu=8,gres/gpu=2
        MaxTRESPN=
        MaxTRESMinsPJ=
        MinPrioThresh=|
        MinTRESPJ=
        PreemptMode=OFF
        Priority=0
        Account Limits
          acct1
            MaxJobsPA=N(1) MaxJobsAccruePA=N(0) MaxSubmitJobsPA=N(1)
            MaxTRESPA=cpu=N(2),mem=N(100),energy=N(0),node=N(1),billing=N(2),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
        User Limits
          1000
            MaxJobsPU=3(1) MaxJobsAccruePU=N(0) MaxSubmitJobsPU=N(1)
            MaxTRESPU=cpu=N(2),mem=N(100),energy=N(0),node=N(1),billing=N(2),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu=N(0)
    ");
}

#[test]
fn a_line_for_each_and_what_there_is_not() {
    let one_line = Form { oneliner: true, details: false };
    let text = known(one_line, &all());
    assert_eq!(text.lines().count(), 4 + 1 + 3 + 1);
    assert!(text.ends_with(",gres/gpu=N(0)}\n"), "{text}");
    let nobody = vec!["nobody".to_owned()];
    let none = Filter { users: nobody.clone(), accounts: nobody.clone(), qos: nobody, ..all() };
    let empty = "Current Association Manager state\nNo users currently cached in Slurm.\n\
                 No associations currently cached in Slurm.\nNo QOS currently cached in Slurm.\n";
    assert_eq!(known(one_line, &none), empty);
}
