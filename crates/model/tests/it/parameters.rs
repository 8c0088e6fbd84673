//! Values are checked against what a parameter declares, in sentences that say what to write.

use model::{
    parameter::{
        MAX_ESTIMATED_VALUE_BYTES, MAX_VALUE_NESTING_DEPTH, MergeStrategy, Parameter, ParameterType,
    },
    value::Value,
};

fn parameter(kind: ParameterType) -> Parameter {
    Parameter {
        kind,
        description: "For a test.".to_owned(),
        default: None,
        required: false,
        secret: false,
        merge: MergeStrategy::Replace,
        one_of: Vec::new(),
        reads: Vec::new(),
        shared: false,
        min: None,
        max: None,
    }
}

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| Value::from(*item)).collect())
}

#[test]
fn each_type_takes_its_values_and_refuses_others() {
    let text = |text: &str| Value::from(text);
    let cases: Vec<(ParameterType, Vec<Value>, Vec<Value>)> = vec![
        (ParameterType::String, vec![text(""), text("a\nb")], vec![Value::Integer(1), text("a\0b")]),
        (ParameterType::Integer, vec![Value::Integer(-1)], vec![Value::Number(1.0), text("1")]),
        (
            ParameterType::Number,
            vec![Value::Integer(1), Value::Number(0.5)],
            vec![text("0.5"), Value::Number(f64::NAN)],
        ),
        (ParameterType::Boolean, vec![Value::Boolean(false)], vec![text("yes"), Value::Integer(0)]),
        (
            ParameterType::Port,
            vec![Value::Integer(1), Value::Integer(65535)],
            vec![Value::Integer(0), Value::Integer(65536)],
        ),
        (ParameterType::Path, vec![text("/"), text("/a..b/c")], vec![text("a"), text("/a/../b"), text("")]),
        (
            ParameterType::Host,
            vec![text("a.B-1"), text("::1"), text("10.0.0.1")],
            vec![text("a_b"), text(""), text("-a"), text("a..b")],
        ),
        (ParameterType::Ip, vec![text("::1"), text("10.0.0.1")], vec![text("10.0.0.256"), text("localhost")]),
        (
            ParameterType::Url,
            vec![text("http://a"), text("jdbc+x://u:p@a.b:80/c?d#e"), text("http://[::1]:8080/")],
            vec![
                text("a"),
                text("http://"),
                text("http:// a"),
                text("://a"),
                text("http://a:99999"),
                text("http://a b"),
            ],
        ),
        (ParameterType::List, vec![Value::List(vec![Value::Null])], vec![text("a")]),
        (
            ParameterType::StringList,
            vec![list(&[]), list(&["a"])],
            vec![Value::List(vec![Value::Integer(1)])],
        ),
        (ParameterType::Map, vec![Value::Map([].into())], vec![list(&[])]),
    ];
    for (kind, right, wrong) in cases {
        for value in right {
            assert_eq!(parameter(kind).check_final_value(&value), Ok(()), "{kind:?} {value}");
        }
        for value in wrong {
            assert!(parameter(kind).check_final_value(&value).is_err(), "{kind:?} {value:?}");
        }
    }
}

#[test]
fn wrong_value_error_says_what_is_allowed() {
    let mut port = parameter(ParameterType::Port);
    assert_eq!(
        port.check_final_value(&Value::from("8080")).unwrap_err(),
        "must be a port from 1 to 65535, not the string \"8080\"; take the quotes away"
    );
    port.min = Some(1024);
    assert_eq!(
        port.check_final_value(&Value::Integer(80)).unwrap_err(),
        "must be a port from 1024 to 65535, not 80"
    );
    let mut level = parameter(ParameterType::String);
    level.one_of = vec!["info".to_owned(), "debug".to_owned()];
    assert_eq!(
        level.check_final_value(&Value::from("inof")).unwrap_err(),
        "must be one of `info`, `debug`, not the string \"inof\""
    );
    assert!(
        level.check_final_value(&Value::Null).unwrap_err().contains("write the parameter under `remove:`")
    );
}

#[test]
fn number_with_a_fraction_or_a_leading_zero_is_refused_with_what_to_write() {
    let mut count = parameter(ParameterType::Integer);
    count.max = Some(100);
    let cases = [
        (
            Value::Number(1.0),
            "must be a whole number of at most 100, not 1.0, which is written with a fraction; write 1",
        ),
        (
            Value::Number(500.0),
            "must be a whole number of at most 100, not 500.0, which is written with a fraction",
        ),
        (
            Value::Number(1.5),
            "must be a whole number of at most 100, not 1.5, which is written with a fraction",
        ),
        (
            Value::from("017"),
            "must be a whole number of at most 100, not the string \"017\"; whether a number that starts with 0 is octal depends on the reader, so write it without that 0",
        ),
        (
            Value::from("17"),
            "must be a whole number of at most 100, not the string \"17\"; take the quotes away",
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(count.check_final_value(&value).unwrap_err(), expected);
    }
    count.secret = true;
    let sentence = count.check_final_value(&Value::Number(7.0)).unwrap_err();
    assert!(!sentence.contains('7'), "{sentence}");
}

#[test]
fn secret_value_is_not_in_the_error_message() {
    let mut key = parameter(ParameterType::Url);
    key.secret = true;
    let sentence = key.check_final_value(&Value::from("hunter2")).unwrap_err();
    assert_eq!(sentence, "must be a URL like `https://host/path`, not a string (it is secret and not shown)");
}

#[test]
fn value_with_references_is_checked_before_they_are_resolved() {
    let port = parameter(ParameterType::Port);
    assert_eq!(port.check_unresolved_value(&Value::from("${shop.port}")), Ok(()));
    assert!(port.check_unresolved_value(&Value::from("1${shop.port}")).is_err());
    assert_eq!(
        parameter(ParameterType::Url).check_unresolved_value(&Value::from("http://${server.name}/")),
        Ok(())
    );
    assert_eq!(parameter(ParameterType::StringList).check_unresolved_value(&list(&["${shop.a}"])), Ok(()));
    assert!(parameter(ParameterType::Map).check_unresolved_value(&list(&["${shop.a}"])).is_err());
}

#[test]
fn contradictory_parameter_declaration_has_one_error_per_fault() {
    let mut port = parameter(ParameterType::Port);
    port.default = Some(Value::from("eighty").into());
    port.required = true;
    port.merge = MergeStrategy::Deep;
    let wrong = port.check_declaration();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong.iter().any(|sentence| sentence.starts_with("its default must be a port")));
    assert_eq!(parameter(ParameterType::String).check_declaration(), Vec::<String>::new());
}

#[test]
fn values_too_deep_or_too_heavy_for_a_file_are_refused() {
    let mut deep = Value::Null;
    for _ in 0..=MAX_VALUE_NESTING_DEPTH {
        deep = Value::List(vec![deep]);
    }
    assert!(parameter(ParameterType::List).check_final_value(&deep).unwrap_err().contains("32 deep"));
    let heavy = Value::from("x".repeat(MAX_ESTIMATED_VALUE_BYTES + 1));
    assert!(parameter(ParameterType::String).check_final_value(&heavy).unwrap_err().contains("bytes"));
}

#[test]
fn bounds_are_exact_also_where_fractions_are_not() {
    let mut number = parameter(ParameterType::Number);
    (number.min, number.max) = (Some(-(1 << 53)), Some(1 << 53));
    for (value, fits) in [
        (Value::Integer(1 << 53), true),
        (Value::Integer((1 << 53) + 1), false),
        (Value::Integer(-(1 << 53) - 1), false),
        (Value::Number(0.5), true),
        (Value::Number(1e300), false),
    ] {
        assert_eq!(number.check_final_value(&value).is_ok(), fits, "{value}");
    }
    number.max = Some(i64::MAX);
    assert!(number.check_final_value(&Value::Number(1e300)).is_err());
    number.max = Some(1);
    assert!(number.check_final_value(&Value::Number(1.5)).is_err());
}
