use super::*;

fn nesting(text: &str) -> usize {
    (0..100)
        .find(|max| check(text, usize::MAX, *max).is_ok())
        .unwrap()
}

#[test]
fn brackets_of_every_kind_nest() {
    for (text, depth) in [
        ("", 0),
        ("{a}", 1),
        ("{a(b:[{c:1}])}", 4),
        ("{a}{b}[c](d)", 1),
        ("}}}{", 1),
        ("query($a:[[[Int]]]){a}", 4),
    ] {
        assert_eq!(nesting(text), depth, "{text}");
    }
}

#[test]
fn brackets_in_strings_and_comments_do_not_count() {
    for text in [
        r#""[[[""#,
        r#""\"[[[""#,
        r#""\\""#,
        "# [[[ \"",
        "# [[[\r# {{{\n# (((",
        r#""""[[[ " "" [[[""""#,
        r#""""[[[\"""[[[""""#,
        r#""" "#,
    ] {
        assert_eq!(nesting(text), 0, "{text}");
    }
}

#[test]
fn what_only_looks_like_a_string_or_a_comment_counts() {
    for (text, depth) in [
        ("\"# [\n[", 1),
        ("# \"\n[[", 2),
        ("# \"\r[[", 2),
        (r#""\\"[["#, 2),
        (r#""" [[ """#, 2),
        ("\"\\\n[[", 2),
        (r#""""a"""[["#, 2),
    ] {
        assert_eq!(nesting(text), depth, "{text}");
    }
}

#[test]
fn a_block_string_without_end_is_refused() {
    let text = format!("{{a(b:[\"\"\" x\" {}", "[".repeat(2_000));
    assert_eq!(check(&text, 4_096, 32), Err(BadText::OpenBlockString));
}

#[test]
fn length_and_depth_are_inclusive() {
    assert!(check("[[]]", 4, 2).is_ok());
    assert!(matches!(
        check("[[]]", 3, 2),
        Err(BadText::TooLong { len: 4, max: 3 })
    ));
    assert_eq!(check("[[]]", 4, 1), Err(BadText::TooDeep { max: 1 }));
}
