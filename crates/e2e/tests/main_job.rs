//! The main job: a person who knows the published example follows it, and it works.

use bivouac_channel::ChannelInfo;
use bivouac_e2e::{Camp, Said, programs};
use std::path::Path;

fn channel() -> Option<ChannelInfo> {
    bivouac_channel::for_tests(Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.parent()?)
}

fn demo(camp: &Camp, channel: &ChannelInfo) -> Said {
    let programs = programs();
    let (xtask, state) = (programs.join("xtask"), camp.path("state"));
    camp.run(
        xtask.to_str().unwrap(),
        [
            "demo",
            "--programs",
            programs.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
            "--channel",
            channel.dir.to_str().unwrap(),
        ],
    )
}

fn plays(camp: &Camp) {
    let Some(channel) = channel() else { return };
    for round in ["first", "second"] {
        let said = demo(camp, &channel);
        assert_eq!(said.code, 0, "{round} run: {said:?}");
        for line in [
            "Submitted batch job ",
            "EnvironmentLocationNotFound",
            "run_script.sh is done.",
            "COMPLETED",
            "col_0,col_1,",
        ] {
            let expected = line != "EnvironmentLocationNotFound" || round == "first";
            assert_eq!(said.out.contains(line), expected, "{round} run, {line}: {said:?}");
        }
    }
}

#[test]
fn the_demo_plays_and_plays_again() {
    plays(&Camp::new());
}

#[test]
fn the_demo_plays_for_an_ordinary_user() {
    if let Some(camp) = Camp::of_ordinary_user() {
        plays(&camp);
    }
}

#[test]
fn the_literal_submission_from_outside_the_clone_completes_and_conda_says_what_happened() {
    let camp = Camp::new();
    camp.bivouac(["up", "--site", "alpine@2023-07"]).ok();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/alpine-python");
    let script = format!(
        "cd /projects/$USER && cp -r {} alpine-python && sbatch --wait -Q --export=CSV_FILEPATH=x.csv alpine-python/run_script.sh; \
         echo rc=$?; cat alpine-python.out; sacct -n -X -P -o State",
        example.canonicalize().unwrap().display()
    );
    let out = camp.bivouac(["login", "--", "bash", "-c", &script]).ok();
    assert!(out.contains("rc=0\n") && out.ends_with("COMPLETED\n"), "the last echo succeeds: {out}");
    assert!(out.contains("EnvironmentFileNotFound"), "{out}");
    assert!(
        out.contains("/alpine-python") && out.contains("--chdir"),
        "where the file lies, and what to do: {out}"
    );
}
