use super::*;

fn inputs() -> ViewInputs {
    let folder = |path: &str| SiteFolder { path: path.into(), backing: format!("/st/files{path}").into() };
    ViewInputs {
        cluster: "camp".into(),
        user: "alice".into(),
        state_dir: "/st".into(),
        exe_dir: "/opt/bivouac/bin".into(),
        host_name: Some("login-ci1".into()),
        folders: vec![
            folder("/home/alice"),
            folder("/projects/alice"),
            folder("/scratch/alpine/alice"),
            SiteFolder { path: "/scratch/local/7".into(), backing: "/st/scratch/7".into() },
        ],
        home: "/home/alice".into(),
        host_home: "/home/alice".into(),
        keep: vec!["/home/alice/.ssh".into(), "/data/sets".into(), "/projects/shared".into()],
        ..ViewInputs::default()
    }
}

fn binds(plan: &ViewPlan) -> Vec<(String, String)> {
    let text = |p: &Path| p.display().to_string();
    let bind = |s: &Step| match s {
        Step::Bind { source, target, .. } => Some((text(source), text(target))),
        _ => None,
    };
    plan.steps.iter().filter_map(bind).collect()
}

#[test]
fn the_host_is_there_except_what_the_site_replaces() {
    let plan = inputs().plan();
    let hosts: Vec<_> = plan.steps.iter().filter(|s| matches!(s, Step::Host { .. })).collect();
    let names = |n: &[&str]| n.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let root = Step::Host { path: "/".into(), except: names(&[".bivouac", "home", "projects", "scratch"]) };
    // /scratch itself may hold other folders of the host: only what the site has is replaced.
    let scratch = Step::Host { path: "/scratch".into(), except: names(&["alpine", "local"]) };
    assert_eq!(hosts, [&root, &scratch]);
    for folder in ["/home", "/projects", "/scratch/alpine", "/scratch/local"] {
        assert!(plan.steps.contains(&Step::Folder { path: folder.into() }), "{folder}");
    }
}

#[test]
fn a_replaced_folder_inside_another_brings_nothing_of_the_host_back() {
    let mut inputs = inputs();
    inputs.folders.push(SiteFolder { path: "/scratch/alice".into(), backing: "/st/files/s".into() });
    let plan = inputs.plan();
    let brings_scratch = |s: &Step| matches!(s, Step::Host { path, .. } if path == Path::new("/scratch"));
    assert!(!plan.steps.iter().any(brings_scratch));
}

#[test]
fn a_site_folder_at_the_top_leaves_the_rest_of_the_host() {
    let data = SiteFolder { path: "/data".into(), backing: "/st/files/data".into() };
    let plan = ViewInputs { folders: vec![data], home: "/data".into(), ..inputs() }.plan();
    let root = Step::Host { path: "/".into(), except: vec![".bivouac".into(), "data".into()] };
    assert!(plan.steps.contains(&root));
    assert!(!plan.provides(Path::new("/home")));
}

#[test]
fn kept_folders_go_where_the_user_looks_for_them() {
    let plan = inputs().plan();
    let binds = binds(&plan);
    let has = |from: &str, to: &str| binds.contains(&(from.into(), to.into()));
    assert!(has("/home/alice/.ssh", "/home/alice/.ssh"));
    assert!(has("/projects/shared", "/projects/shared"));
    assert!(!binds.iter().any(|(from, _)| from == "/data/sets"), "it is simply there");
    let root = ViewInputs { host_home: "/root".into(), keep: vec!["/root/.ssh".into()], ..inputs() };
    assert!(self::binds(&root.plan()).contains(&("/root/.ssh".into(), "/home/alice/.ssh".into())));
}

#[test]
fn the_folder_the_user_was_in_is_bound_only_where_needed() {
    let at = |dir: &str| ViewInputs { work_dir: Some(dir.into()), ..inputs() };
    let kept = |dir: &str| at(dir).kept_work_dir().map(|p| p.display().to_string());
    assert_eq!(kept("/home/alice/src/proj").as_deref(), Some("/home/alice/src/proj"));
    assert_eq!(kept("/srv/proj"), None, "not hidden");
    assert_eq!(kept("/home/alice"), None, "it would hide the site's home");
    assert_eq!(kept("/home"), None);
    assert_eq!(kept("/home/alice/.ssh"), None, "kept anyway");
    assert_eq!(kept("/st/files/projects/alice/x"), None, "the site shows it already");
}

#[test]
fn the_start_folder_is_where_the_user_was_as_the_view_shows_it() {
    let start =
        |dir: &str| ViewInputs { work_dir: Some(dir.into()), ..inputs() }.start_dir().display().to_string();
    assert_eq!(start("/srv/proj"), "/srv/proj");
    assert_eq!(start("/home/alice/src"), "/home/alice/src");
    assert_eq!(start("/home/alice"), "/home/alice");
    assert_eq!(start("/home"), "/home/alice");
    assert_eq!(start("/st/files/projects/alice/x"), "/projects/alice/x");
    assert_eq!(inputs().start_dir(), Path::new("/home/alice"));
}

#[test]
fn paths_translate_both_ways() {
    let inputs = ViewInputs { work_dir: Some("/home/alice/src".into()), ..inputs() };
    for (host, view) in [
        ("/st/files/projects/alice/a/b", "/projects/alice/a/b"),
        ("/st/files/home/alice", "/home/alice"),
        ("/st/scratch/7/x", "/scratch/local/7/x"),
        ("/home/alice/.ssh/config", "/home/alice/.ssh/config"),
        ("/home/alice/src/main.py", "/home/alice/src/main.py"),
        ("/usr/bin/env", "/usr/bin/env"),
        ("/home/alice/hidden", "/.bivouac/host-home/hidden"),
    ] {
        assert_eq!(inputs.to_view(Path::new(host)).as_deref(), Some(Path::new(view)), "{host}");
        assert_eq!(inputs.to_host(Path::new(view)).as_deref(), Some(Path::new(host)), "{view}");
    }
    assert_eq!(inputs.to_view(Path::new("/projects/bob")), None);
    assert_eq!(inputs.to_host(Path::new("/projects/bob")), None);
}

#[test]
fn every_plan_survives_its_codec() {
    let inputs = ViewInputs {
        work_dir: Some("/home/alice/with space".into()),
        local_names: vec!["c3cpu-a2-u1-1".into()],
        start_files: vec![("/etc/bash.bashrc".into(), ". /.bivouac/run/site/init/bash.sh".into())],
        ..inputs()
    };
    let plan = inputs.plan();
    assert_eq!(ViewPlan::decode(&plan.encode()).as_ref(), Ok(&plan));
    assert!(plan.provides(Path::new("/etc/hosts")) && plan.provides(Path::new("/etc/bash.bashrc")));
}
