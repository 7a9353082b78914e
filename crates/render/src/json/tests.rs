//! The texts are those of Slurm 22.05.8.

use super::*;
use proptest::prelude::*;

fn sample() -> Value {
    let inner = object([
        ("name", "q\"uo\\te\ttab é/x".into()),
        ("empty", "".into()),
        ("none", Value::Null),
        ("count", 3u32.into()),
        ("billable", 1.0.into()),
        ("yes", true.into()),
        ("flags", vec!["A", "B"].into()),
        ("steps", Value::List(vec![object([("id", 0i64.into())]), Value::List(vec![])])),
    ]);
    document(Interface::Accounting, Vec::new(), "jobs", vec![inner])
}

#[test]
fn json_is_spaced_and_escaped_as_slurm_does() {
    insta::assert_snapshot!(sample().print(Form::Json), @r#"
    {
      "meta": {
        "plugin": {
          "type": "openapi\/dbv0.0.38",
          "name": "Slurm OpenAPI DB v0.0.38"
        },
        "Slurm": {
          "version": {
            "major": 22,
            "micro": 8,
            "minor": 5
          },
          "release": "22.05.8"
        }
      },
      "errors": [
      ],
      "jobs": [
        {
          "name": "q\"uo\\te\ttab é\/x",
          "empty": "",
          "none": null,
          "count": 3,
          "billable": 1.0,
          "yes": true,
          "flags": [
            "A",
            "B"
          ],
          "steps": [
            {
              "id": 0
            },
            [
            ]
          ]
        }
      ]
    }
    "#);
    assert!(sample().print(Form::Json).ends_with('}'), "no line feed at the end");
}

#[test]
fn yaml_names_every_type() {
    insta::assert_snapshot!(sample().print(Form::Yaml), @r#"
    %YAML 1.1
    --- !!map
    !!str meta: !!map
      !!str plugin: !!map
        !!str type: !!str openapi/dbv0.0.38
        !!str name: !!str Slurm OpenAPI DB v0.0.38
      !!str Slurm: !!map
        !!str version: !!map
          !!str major: !!int 22
          !!str micro: !!int 8
          !!str minor: !!int 5
        !!str release: !!str 22.05.8
    !!str errors: !!seq []
    !!str jobs: !!seq
    - !!map
      !!str name: !!str "q\"uo\\te\ttab \xE9/x"
      !!str empty: !!null null
      !!str none: !!null null
      !!str count: !!int 3
      !!str billable: !!float 1.000000
      !!str yes: !!bool true
      !!str flags: !!seq
      - !!str A
      - !!str B
      !!str steps: !!seq
      - !!map
        !!str id: !!int 0
      - !!seq []
    ...
    "#);
}

#[test]
fn quotes_in_yaml() {
    let quoted = [
        "- x", "a: b", "a #b", " lead", "trail ", "x:", "#h", "%x", "[a]", "`x", "@x", "&a", "- ", "-", "!x",
        "*",
    ];
    let plain =
        ["it's", "null", "123", "a,b", "1-2", "~", "a\"b", "?x", "a?", ":x", "-x", "a'b\"c", "a{b", "x!"];
    let shown = |text: &str| {
        let text = Value::from(text).print(Form::Yaml);
        text.lines().nth(1).unwrap().strip_prefix("--- !!str ").unwrap().to_owned()
    };
    for text in quoted {
        assert_eq!(shown(text), format!("'{text}'"));
    }
    for text in plain {
        assert_eq!(shown(text), text);
    }
    assert_eq!(shown("'x"), "'''x'");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_can_be_read_again(text in "\\PC{0,20}[\\x00-\\x1f]?[a-z/\"\\\\]{0,5}") {
        let printed = Value::List(vec![text.as_str().into()]).print(Form::Json);
        let read: Vec<String> = serde_json::from_str(&printed).unwrap();
        prop_assert_eq!(read, vec![text]);
    }
}
