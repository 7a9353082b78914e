//! What sacct relies on: every run of a job, found by those who have the database open for reading only, whatever is damaged
//! beside it, and in files of earlier versions.

use bivouac_store::{Accounting, Batch, FILE, RunKey, Store, Wanted};
use bivouac_types::info::{JobInfo, NodeSpell, Service};
use bivouac_types::{
    Duration, ExitStatus, Gid, JobId, JobSpec, JobState, PendingReason, TimeLimit, Timestamp, Uid,
};
use std::path::Path;

fn record(id: u32, restarts: u32, end: i64) -> JobInfo {
    JobInfo {
        id: JobId(id),
        array: None,
        uid: Uid(1000 + id),
        user: "u".into(),
        gid: Gid(0),
        group: "g".into(),
        spec: JobSpec { name: format!("job{id}run{restarts}"), ..JobSpec::default() },
        account: None,
        qos: None,
        partition: "main".into(),
        state: JobState::Completed,
        reason: PendingReason::None,
        reason_text: None,
        unmet: Vec::new(),
        priority: 1,
        time_limit: TimeLimit::Unlimited,
        submit: Timestamp(end - 10),
        eligible: None,
        start: None,
        end: Some(Timestamp(end)),
        elapsed: Duration::ZERO,
        nodes: Vec::new(),
        batch_node: None,
        num_nodes: 1,
        num_cpus: 1,
        num_tasks: 1,
        cpus_per_task: 1,
        mem_mb: 1,
        default_mem: None,
        exit: ExitStatus::default(),
        cancelled_by: None,
        restarts,
        requeue: false,
        evaluated: None,
        ending: None,
        suspended: None,
        resized: None,
        steps: Vec::new(),
        pid: None,
        planned_nodes: Vec::new(),
        std_out: String::new(),
        std_err: String::new(),
        std_in: String::new(),
        accounting: bivouac_types::info::Accounting::default(),
    }
}

fn ended(records: Vec<JobInfo>) -> Batch {
    Batch { ended: records, ..Batch::default() }
}

fn names(dir: &Path, wanted: &Wanted) -> Vec<String> {
    let accounting = Accounting::open(dir).unwrap();
    let name = |body: Option<String>| {
        body.map_or("damaged".to_owned(), |b| serde_json::from_str::<JobInfo>(&b).unwrap().spec.name)
    };
    accounting.find(wanted).unwrap().into_iter().map(|r| name(accounting.record(r).unwrap())).collect()
}

#[test]
fn a_reader_sees_what_the_owner_has_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&ended(vec![record(2, 0, 100), record(1, 0, 50)])).unwrap();
    assert_eq!(names(dir.path(), &Wanted::default()), ["job1run0", "job2run0"]);
    // A reader that is open sees what comes later, and holds nobody up.
    let accounting = Accounting::open(dir.path()).unwrap();
    assert_eq!(accounting.find(&Wanted::default()).unwrap().len(), 2);
    store.commit(&ended(vec![record(3, 0, 120)])).unwrap();
    assert_eq!(accounting.find(&Wanted::default()).unwrap().len(), 3);
}

#[test]
fn each_run_of_a_requeued_job_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&ended(vec![record(7, 0, 100)])).unwrap();
    store.commit(&ended(vec![record(7, 1, 200), record(7, 0, 100)])).unwrap();
    assert_eq!(names(dir.path(), &Wanted::default()), ["job7run0", "job7run1"]);
}

#[test]
fn conditions_narrow_the_search() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&ended(vec![record(1, 0, 50), record(2, 0, 100), record(3, 0, 150)])).unwrap();
    let found = |wanted: Wanted| names(dir.path(), &wanted);
    assert_eq!(
        found(Wanted { since: Some(100), ..Wanted::default() }),
        ["job2run0", "job3run0"],
        "ended then or later"
    );
    assert_eq!(found(Wanted { until: Some(90), ..Wanted::default() }), ["job1run0", "job2run0"]);
    assert_eq!(found(Wanted { uid: Some(1003), ..Wanted::default() }), ["job3run0"]);
    let many = Wanted { ids: Some((3..100_000).collect()), ..Wanted::default() };
    assert_eq!(found(many), ["job3run0"], "any number of jobs may be asked for");
}

#[test]
fn a_damaged_record_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&ended(vec![record(1, 0, 50), record(2, 0, 100), record(3, 0, 150)])).unwrap();
    drop(store);
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    db.execute("UPDATE job SET body = CAST('{' || body AS BLOB) WHERE id = 2", []).unwrap();
    drop(db);
    let _store = Store::open(dir.path()).unwrap();
    assert_eq!(names(dir.path(), &Wanted::default()), ["job1run0", "damaged", "job3run0"]);
}

/// The accounting's tables as version 1 made them.
const VERSION_1: &str = "
    CREATE TABLE event(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE snapshot(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE payload(id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE job(id INTEGER PRIMARY KEY, array_job INTEGER NOT NULL, uid INTEGER NOT NULL, submit INTEGER NOT NULL,
                     ended INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX job_array ON job(array_job);
    CREATE INDEX job_ended ON job(ended);
    CREATE TABLE note(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    PRAGMA user_version=1;";

#[test]
fn an_older_database_is_read_with_the_runs_it_knows() {
    let dir = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    db.execute_batch(VERSION_1).unwrap();
    for (job, restarts) in [(1, 0), (2, 3)] {
        let body = serde_json::to_vec(&record(job, restarts, 100)).unwrap();
        db.execute(
            "INSERT INTO job VALUES (?1, ?1, 1000, 90, 100, ?2, ?3)",
            rusqlite::params![job, crc32fast::hash(&body), body],
        )
        .unwrap();
    }
    db.execute("INSERT INTO job VALUES (3, 3, 1000, 90, 100, 0, x'ff00')", []).unwrap();
    db.execute("INSERT INTO note VALUES ('site', 'alpine')", []).unwrap();
    drop(db);
    let mut store = Store::open(dir.path()).unwrap().store;
    assert_eq!(store.note("site").unwrap().as_deref(), Some("alpine"));
    store.commit(&ended(vec![record(2, 3, 100), record(2, 4, 200)])).unwrap();
    let all = ["job1run0", "job2run3", "job2run4", "damaged"];
    assert_eq!(names(dir.path(), &Wanted::default()), all);
    drop(store);
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(names(dir.path(), &Wanted::default()), all, "once is enough");
    let accounting = Accounting::open(dir.path()).unwrap();
    let keys: Vec<RunKey> = accounting.find(&Wanted::default()).unwrap().iter().map(|r| r.key).collect();
    assert_eq!(keys.last(), Some(&RunKey { job: 3, restarts: 0 }));
}

#[test]
fn what_nodes_were_worth_is_kept_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    let spell = |since, service| NodeSpell {
        since: Timestamp::from_secs(since),
        node: "n1".into(),
        cpus: 8,
        mem_mb: 4000,
        gres: [("gpu".to_owned(), 2)].into(),
        service,
    };
    let all = [spell(1, Service::Up), spell(2, Service::Down), spell(3, Service::Up)];
    for spell in &all {
        store.commit(&Batch { spells: vec![spell.clone()], ..Batch::default() }).unwrap();
    }
    let read = || Accounting::open(dir.path()).unwrap().spells().unwrap();
    assert_eq!(read(), all);
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    db.execute("UPDATE spell SET body = CAST('{' || body AS BLOB) WHERE row = 2", []).unwrap();
    assert_eq!(read(), [all[0].clone(), all[2].clone()], "a damaged one is left out");
}
