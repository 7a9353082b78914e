//! Lmod's rules of loading and unloading, seen through bash.

mod support;

use support::Camp;

const VERSIONED: &str = "setenv('V_' .. myModuleName(), myModuleVersion())";

fn compilers() -> Camp {
    Camp::new(&[
        ("gcc/9.1.lua", "family('compiler') setenv('CC_V', myModuleVersion())"),
        ("gcc/10.2.lua", "family('compiler') setenv('CC_V', myModuleVersion())"),
        ("clang/5.lua", "family('compiler')"),
        ("dep/1.lua", "depends_on('gcc')"),
        ("slurm/alpine.lua", "add_property('lmod', 'sticky') setenv('CLUSTER', 'alpine')"),
        ("slurm/blanca.lua", "add_property('lmod', 'sticky') setenv('CLUSTER', 'blanca')"),
    ])
}

#[test]
fn the_default_is_the_highest_version_and_another_version_takes_its_place() {
    let ran =
        compilers().run("module load gcc; echo $CC_V; module load gcc/9.1; echo $CC_V $LOADEDMODULES").ok();
    assert_eq!(ran.out, "10.2\n9.1 gcc/9.1\n");
    assert!(ran.err.contains("reloaded with a version change:\n  1) gcc/10.2 => gcc/9.1"), "{}", ran.err);
}

#[test]
fn a_version_in_part_means_the_highest_that_begins_so() {
    let camp = Camp::new(&[("a/9.1.lua", VERSIONED), ("a/9.12.lua", VERSIONED), ("a/90.1.lua", VERSIONED)]);
    assert_eq!(camp.run("module load a/9; echo $V_a").ok().out, "9.12\n");
    assert_ne!(camp.run("module load a/9.").status, 0);
}

#[test]
fn marked_defaults_win_over_the_highest() {
    let files: Vec<(String, &str)> = ["a", "b", "c", "d"]
        .iter()
        .flat_map(|n| (1..4).map(move |v| (format!("{n}/{v}.lua"), VERSIONED)))
        .collect();
    let camp = Camp::new(&files.iter().map(|(name, text)| (name.as_str(), *text)).collect::<Vec<_>>());
    std::os::unix::fs::symlink("2.lua", camp.modules().join("a/default")).unwrap();
    camp.write("b/.version", "#%Module\nset ModulesVersion \"1\"\n");
    camp.write(
        "c/.modulerc.lua",
        "module_version('c/2', 'default') hide_version('c/3') module_alias('cc', 'c/1')",
    );
    camp.write(".modulerc.lua", "module_version('d/1', 'default')");
    let ran = camp
        .run("module load a b c d; echo $V_a $V_b $V_c $V_d; module load cc; echo $V_c; module -t avail c")
        .ok();
    assert_eq!(ran.out, "2 1 2 1\n1\n");
    assert!(ran.err.ends_with("c/1\nc/2\n"), "the hidden version is not listed: {}", ran.err);
}

#[test]
fn load_is_all_or_nothing() {
    let ran = compilers().run("module load gcc nosuch slurm/alpine; echo $? [$LOADEDMODULES] [${CC_V-}]");
    assert_eq!(ran.out, "1 [] []\n");
    assert!(ran.err.starts_with(
        "Lmod has detected the following error: The following module(s) are unknown: \"nosuch\""
    ));
}

#[test]
fn a_failed_swap_brings_the_old_version_back() {
    let camp = Camp::new(&[
        ("a/1.lua", "prepend_path('P', '/a1')"),
        ("a/2.lua", "prepend_path('P', '/a2') load('nosuch')"),
        ("b/1.lua", "LmodError('not here')"),
    ]);
    let ran = camp.run("export P=/x; module load a/1; module load a/2; echo $? $P $LOADEDMODULES; module swap a b; echo $? $P");
    assert_eq!(ran.out, "1 /a1:/x a/1\n1 /a1:/x\n");
    assert!(ran.err.contains("a/2              ") && ran.err.contains("not here"), "{}", ran.err);
}

#[test]
fn unknown_names_come_with_names_like_them() {
    let camp =
        Camp::new(&[("anaconda/2022.10.lua", ""), ("anaconda/2020.11.lua", ""), ("python/3.10.lua", "")]);
    let ran = camp.run("module load anacnoda");
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("Instead of \"anacnoda\", did you mean: anaconda\n"), "{}", ran.err);
    let ran = camp.run("module load anaconda/2021");
    assert!(ran.err.contains("did you mean: anaconda/2022.10, anaconda/2020.11\n"), "{}", ran.err);
    let ran = camp.run("unset MODULEPATH; module load x");
    assert!(ran.err.contains("MODULEPATH (it is empty)"), "{}", ran.err);
}

#[test]
fn dependencies_go_with_their_last_dependent_unless_asked_for() {
    let camp = compilers();
    let listed = |script: &str| camp.run(&format!("{script} 2>/dev/null; echo [$LOADEDMODULES]")).ok().out;
    assert_eq!(listed("module load dep; module unload dep"), "[]\n");
    assert_eq!(listed("module load gcc dep; module unload dep"), "[gcc/10.2]\n");
    assert_eq!(listed("module load dep; module load gcc; module unload dep"), "[gcc/10.2]\n");
    let ran = camp.run("module load dep; module unload gcc").ok();
    assert!(ran.err.contains("not currently loaded: gcc (required by: dep/1)"), "{}", ran.err);
}

#[test]
fn two_dependents_share_a_dependency() {
    let camp =
        Camp::new(&[("x/1.lua", VERSIONED), ("a/1.lua", "depends_on('x')"), ("b/1.lua", "depends_on('x')")]);
    let ran = camp
        .run("module load a b; module unload a; echo $LOADEDMODULES; module unload b; echo [$LOADEDMODULES]")
        .ok();
    assert_eq!(ran.out, "x/1:b/1\n[]\n");
}

#[test]
fn load_inside_a_file_is_undone_and_always_load_is_not() {
    let camp = Camp::new(&[
        ("x/1.lua", ""),
        ("y/1.lua", ""),
        ("a/1.lua", "load('x') always_load('y') try_load('nosuch')"),
        ("ring/1.lua", "load('other')"),
        ("other/1.lua", "load('ring')"),
    ]);
    let ran = camp.run("module load a; echo $LOADEDMODULES; module unload a; echo $LOADEDMODULES").ok();
    assert_eq!(ran.out, "x/1:y/1:a/1\ny/1\n");
    assert_eq!(camp.run("module load ring; echo $LOADEDMODULES").ok().out, "other/1:ring/1\n");
}

#[test]
fn a_family_has_one_member() {
    let ran = compilers().run("module load gcc; echo $LMOD_FAMILY_COMPILER $LMOD_FAMILY_COMPILER_VERSION; \
        module load clang; echo $LMOD_FAMILY_COMPILER $LOADEDMODULES; module purge; echo [${LMOD_FAMILY_COMPILER-}]").ok();
    assert_eq!(ran.out, "gcc 10.2\nclang clang/5\n[]\n");
    assert!(
        ran.err.contains("Lmod is automatically replacing \"gcc/10.2\" with \"clang/5\"."),
        "{}",
        ran.err
    );
}

#[test]
fn conflict_and_prereq_refuse_with_the_names_and_the_file() {
    let camp = compilers();
    camp.write("c/1.lua", "conflict('gcc', 'nothing')");
    camp.write("p/1.lua", "prereq('nothing', 'gcc')");
    let ran = camp.run("module load gcc c");
    assert_eq!(ran.status, 1);
    let expected = "Cannot load module \"c/1\" because these module(s) are loaded:\n   gcc\n";
    assert!(ran.err.contains(expected) && ran.err.contains("c/1.lua"), "{}", ran.err);
    let ran = camp.run("module load gcc p");
    assert!(
        ran.err.contains("Cannot load module \"p/1\" without these module(s) loaded:\n   nothing\n"),
        "{}",
        ran.err
    );
}

#[test]
fn purge_keeps_sticky_modules_unless_forced() {
    let camp = compilers();
    let ran = camp.run("module load slurm/alpine gcc; module purge; echo $LOADEDMODULES $CLUSTER; \
        module unload slurm; echo $CLUSTER; module load slurm/blanca; echo $CLUSTER; module --force purge; echo [${CLUSTER-}]").ok();
    assert_eq!(ran.out, "slurm/alpine alpine\nalpine\nblanca\n[]\n");
    let notice = "The following modules were not unloaded:\n  (Use \"module --force purge\" to unload all):\n\n  1) slurm/alpine\n";
    assert!(ran.err.starts_with(notice), "{}", ran.err);
}

#[test]
fn initial_load_and_reset_load_the_systems_default_modules() {
    let camp = compilers();
    let ran = camp.run("export LMOD_SYSTEM_DEFAULT_MODULES=slurm/alpine:dep; module --initial_load restore; \
        module --initial_load restore; echo $LOADEDMODULES; module load clang; module reset; echo $LOADEDMODULES").ok();
    assert_eq!(ran.out, "slurm/alpine:gcc/10.2:dep/1\nslurm/alpine:gcc/10.2:dep/1\n");
}

#[test]
fn unload_uses_the_file_as_it_is_now_and_memory_when_it_is_gone_or_broken() {
    let camp = Camp::new(&[("a/1.lua", "setenv('A', '1') prepend_path('P', '/a') set_alias('al', 'x')")]);
    let broken = camp.modules().join("a/1.lua");
    for damage in [format!("rm {}", broken.display()), format!("echo 'xx(' > {}", broken.display())] {
        camp.write("a/1.lua", "setenv('A', '1') prepend_path('P', '/a')");
        let ran = camp
            .run(&format!(
                "export P=/x; module load a; {damage}; module unload a; echo [${{A-}}] $P [$LOADEDMODULES]"
            ))
            .ok();
        assert_eq!(ran.out, "[] /x []\n", "{damage}");
        assert!(ran.err.contains("unloaded from memory") && ran.err.contains("a/1.lua"), "{}", ran.err);
    }
}

#[test]
fn a_lost_state_variable_is_rebuilt_from_the_lists() {
    let camp = compilers();
    for damage in [
        "unset __BIVOUAC_MODULES",
        "export __BIVOUAC_MODULES='1:{\"m\":[{}]}'",
        "export __BIVOUAC_MODULES=2:x",
    ] {
        let ran = camp.run(&format!("module load slurm/alpine dep; {damage}; module purge; echo $LOADEDMODULES $CLUSTER [${{CC_V-}}]")).ok();
        assert_eq!(ran.out, "slurm/alpine alpine []\n", "{damage}");
    }
}

#[test]
fn modulepath_changed_by_a_modulefile_works_at_once() {
    let camp = Camp::new(&[(
        "top/1.lua",
        "prepend_path('MODULEPATH', pathJoin(splitFileName(myFileName()), '../../inner'))",
    )]);
    camp.write("../inner/deep/1.lua", "setenv('DEEP', '1')");
    let ran = camp.run("module load top deep; echo $DEEP; module unload deep top; echo $MODULEPATH").ok();
    assert_eq!(ran.out, format!("1\n{}\n", camp.modules().display()));
}

#[test]
fn references_to_list_elements_are_counted_and_prepend_moves() {
    let camp = Camp::new(&[
        ("a/1.lua", "prepend_path('P', '/s')"),
        ("b/1.lua", "prepend_path('P', '/s') append_path('P', '/x')"),
    ]);
    let ran = camp
        .run("export P=/x:/y; module load a b; echo $P; module unload a; echo $P; module unload b; echo $P")
        .ok();
    assert_eq!(ran.out, "/s:/y:/x\n/s:/y:/x\n/y:/x\n");
}

#[test]
fn pushed_values_come_back_in_any_order_of_unloading() {
    let camp = Camp::new(&[("a/1.lua", "pushenv('V', 'a')"), ("b/1.lua", "pushenv('V', 'b')")]);
    let ran = camp
        .run("export V=old; module load a b; echo $V; module unload a; echo $V; module unload b; echo $V")
        .ok();
    assert_eq!(ran.out, "b\nb\nold\n");
}

#[test]
fn break_leaves_a_file_out_and_succeeds() {
    let camp =
        Camp::new(&[("a/1.lua", "setenv('A', '1') LmodBreak('not today')"), ("b/1.lua", "setenv('B', '1')")]);
    let ran = camp.run("module load a b; echo $? [${A-}] $B $LOADEDMODULES");
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("0 [] 1 b/1\n", "not today\n"));
}

#[test]
fn tcl_modulefiles_are_listed_and_refused_by_name() {
    let camp = Camp::new(&[("t/1.0", "#%Module1.0\nsetenv A 1\n"), ("plain/README", "no modulefile")]);
    let ran = camp.run("module -t avail; module load t");
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("t/1.0\n") && !ran.err.contains("README"), "{}", ran.err);
    assert!(ran.err.contains("\"t/1.0\" is a Tcl modulefile; these come in a later release"), "{}", ran.err);
}

#[test]
fn later_subcommands_are_refused_by_name() {
    let camp = Camp::new(&[]);
    for word in ["spider", "save", "restore", "savelist", "keyword", "overview", "describe"] {
        let ran = camp.run(&format!("module {word} x"));
        assert_eq!(ran.status, 1, "{word}");
        assert!(ran.err.starts_with(&format!("module {word}: comes in a later release; ")), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
}

#[test]
fn modules_below_a_folder_that_goes_become_inactive_or_are_loaded_from_elsewhere() {
    let camp = Camp::new(&[]);
    let root = camp.path().display().to_string();
    for (compiler, file) in [("gcc", "mpi"), ("gcc", "fftw"), ("clang", "mpi")] {
        let text = format!("family('c') prepend_path('MODULEPATH', '{root}/{compiler}')");
        camp.write(&format!("{compiler}/1.lua"), &text);
        let text = format!("setenv('BY_{file}', '{compiler}')");
        camp.write(&format!("../{compiler}/{file}/1.lua"), &text);
    }
    let show = "echo $LOADEDMODULES $BY_mpi [${BY_fftw-}]";
    let ran = camp
        .run(&format!(
            "module load gcc mpi fftw; {show}; module load clang; {show}; module list; \
        module swap clang gcc; {show}; module unload gcc; echo [$LOADEDMODULES]; module purge; module list"
        ))
        .ok();
    let expected = "gcc/1:mpi/1:fftw/1 gcc [gcc]\nclang/1:mpi/1 clang []\ngcc/1:mpi/1:fftw/1 gcc [gcc]\n[]\n";
    assert_eq!(ran.out, expected, "{}", ran.err);
    for part in
        ["\nInactive Modules:\n  1) fftw\n", "\nActivating Modules:\n  1) fftw/1\n", "No modules loaded\n"]
    {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
}

#[test]
fn a_folder_taken_into_use_leaves_modules_from_elsewhere_alone() {
    let camp = Camp::new(&[("a/1.lua", "setenv('A', '1')")]);
    let ran = camp.run("module load a; unset MODULEPATH; mkdir new; module use new; echo $A $MODULEPATH; module unuse ./new/; echo [${MODULEPATH-}]").ok();
    assert_eq!(ran.out, format!("1 {}/new\n[]\n", camp.path().display()));
}
