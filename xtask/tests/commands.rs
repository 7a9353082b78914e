//! The commands as a person meets them.

use std::process::{Command, Output};

fn xtask(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn help_names_every_command_and_a_wrong_one_is_refused() {
    let help = xtask(&[], &[]);
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    for command in ["channel", "test"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
    let wrong = xtask(&["chanel"], &[]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("no command chanel"));
    let surplus = xtask(&["test", "--fast"], &[]);
    assert_eq!(surplus.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&surplus.stderr).contains("--fast"));
}

#[test]
fn a_channel_without_a_package_index_fails_with_the_way_out_and_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let variables =
        [("BIVOUAC_CACHE", cache.path().to_str().unwrap()), ("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", "")];
    let output = xtask(&["channel"], &variables);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    let wheels = cache.path().join("channel/wheels");
    // A machine without pip says that instead.
    if !said.contains("has pip") {
        assert!(said.contains("PIP_INDEX_URL") && said.contains(wheels.to_str().unwrap()), "{said}");
        assert!(said.contains("pandas=="), "{said}");
    }
    assert_eq!(std::fs::read_dir(&wheels).unwrap().count(), 0);
    let left: Vec<_> = std::fs::read_dir(cache.path().join("channel")).unwrap().flatten().collect();
    assert!(
        left.iter().all(|entry| ["wheels", "lock"].iter().any(|name| entry.file_name() == *name)),
        "{left:?}"
    );
}
