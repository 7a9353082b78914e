//! Properties of generated modulefiles, through a real shell.

mod support;

use proptest::prelude::*;
use support::{Camp, shells};

/// A line of a modulefile whose unload gives back what was before: new variables, pushed ones, new list elements.
fn line(index: usize) -> impl Strategy<Value = String> {
    let text = "[ a-z'\"$`\\\\!*;\\n]{0,8}".prop_map(|text| {
        let escaped: String = text.bytes().map(|b| format!("\\{b:03}")).collect();
        format!("\"{escaped}\"")
    });
    let list = prop_oneof![Just("PATH"), Just("OLD_LIST"), Just("NEW_LIST")];
    prop_oneof![
        text.clone().prop_map(move |text| format!("setenv('NEW{index}', {text})")),
        (prop_oneof![Just("OLD"), Just("PUSHED")], text.clone())
            .prop_map(|(name, text)| format!("pushenv('{name}', {text})")),
        (list.clone(), "[a-z]{1,3}")
            .prop_map(move |(list, part)| format!("prepend_path('{list}', '/p{index}/{part}')")),
        (list, "[a-z ]{1,3}")
            .prop_map(move |(list, part)| format!("append_path('{list}', '/q{index}/{part}:/r{index}')")),
        Just("family('fam')".to_owned()),
        text.prop_map(move |text| format!("set_alias('al{index}', {text})")),
        Just("depends_on('helper')".to_owned()),
        Just("load('helper')".to_owned()),
    ]
}

fn modulefile() -> impl Strategy<Value = String> {
    (0..8usize)
        .prop_flat_map(|count| (0..count).map(line).collect::<Vec<_>>())
        .prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn load_then_unload_restores_the_environment_exactly(file in modulefile(), helper in "[a-z]{1,4}", purge: bool) {
        let camp = Camp::new(&[("m/1.lua", &file), ("helper/1.lua", &format!("setenv('HELPER', '{helper}')"))]);
        let away = if purge { "module purge" } else { "module unload m" };
        let script = format!(
            "export OLD='a  b' OLD_LIST=:/x::/x:/y; env -0 | sort -z > before; alias > a0; module load m || exit 8\n\
             [ \"$LOADEDMODULES\" ] || exit 7; {away} || exit 6; env -0 | sort -z > after; alias > a1"
        );
        for shell in shells() {
            let ran = camp.run_in(shell, &script);
            prop_assert_eq!(ran.status, 0, "{}: {}", shell, ran.err);
            let read = |name: &str| String::from_utf8_lossy(&std::fs::read(camp.path().join(name)).unwrap()).into_owned();
            prop_assert_eq!(read("before"), read("after"), "{}", shell);
            prop_assert_eq!(read("a0"), read("a1"), "{}", shell);
        }
    }

    #[test]
    fn any_value_survives_quoting(values in proptest::collection::vec(proptest::collection::vec(1u8..=255, 0..12), 1..12)) {
        let camp = Camp::new(&[]);
        let mut code = bivouac_modules::shell::Code::default();
        values.iter().enumerate().for_each(|(index, value)| code.variable(&format!("V{index}"), Some(value)));
        let mut file = code.into_bytes();
        for index in 0..values.len() {
            file.extend(format!("printf '%s\\0' \"$V{index}\"\n").bytes());
        }
        std::fs::write(camp.path().join("code"), file).unwrap();
        let expected: Vec<u8> = values.iter().flat_map(|value| value.iter().copied().chain([0])).collect();
        for shell in shells() {
            let output = camp.command(shell).args(["-c", "eval \"$(cat code)\""]).output().unwrap();
            prop_assert_eq!(&output.stdout, &expected, "{}", shell);
        }
    }
}
