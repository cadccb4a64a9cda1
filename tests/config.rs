//! cluster.yaml from outside: sample files with golden results, the examples, the committed schema, and
//! laws that hold for any text. `OTB_BLESS=1 cargo test --test config` rewrites the golden files.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use otb::config::{self, Code, EditError};
use otb::model::{NodeName, ServerName};
use proptest::prelude::*;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The .yaml files of a folder below the repository, by name.
fn samples(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "yaml")).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder} is empty");
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Compares with the golden file, or writes it when blessing. A golden file that is missing is a failure.
fn assert_golden(golden: &Path, actual: &str) {
    if std::env::var_os("OTB_BLESS").is_some() {
        fs::write(golden, actual).unwrap();
    }
    let shown = golden.display();
    let Ok(expected) = fs::read_to_string(golden) else { panic!("{shown} is missing: look at OTB_BLESS=1\n{actual}") };
    assert!(
        expected == actual,
        "{shown} differs (OTB_BLESS=1 rewrites it)\n--- expected\n{expected}\n--- actual\n{actual}"
    );
}

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&config::schema()).unwrap());

/// What an editor's YAML server would hold against the schema: YAML's data with names as text.
fn as_json(text: &str) -> serde_json::Value {
    fn plain(value: serde_yaml::Value) -> serde_json::Value {
        match value {
            serde_yaml::Value::Mapping(entries) => {
                entries.into_iter().map(|(key, value)| (name(&key), plain(value))).collect()
            }
            serde_yaml::Value::Sequence(items) => items.into_iter().map(plain).collect(),
            scalar => serde_json::to_value(scalar).unwrap(),
        }
    }
    fn name(key: &serde_yaml::Value) -> String {
        key.as_str().map_or_else(|| serde_yaml::to_string(key).unwrap().trim_end().to_owned(), str::to_owned)
    }
    plain(serde_yaml::from_str(text).unwrap())
}

fn schema_errors(text: &str) -> Vec<String> {
    VALIDATOR.iter_errors(&as_json(text)).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn valid_files_resolve_as_recorded() {
    for path in samples("tests/config/valid") {
        let text = fs::read_to_string(&path).unwrap();
        let loaded = config::load(&file_name(&path), &text).unwrap_or_else(|errors| panic!("{errors}"));
        let resolved = serde_json::to_string_pretty(&loaded.cluster).unwrap() + "\n";
        assert_golden(&path.with_extension("json"), &resolved);
        assert_eq!(schema_errors(&text), [""; 0], "{}", path.display());
    }
}

#[test]
fn invalid_files_are_explained_as_recorded() {
    for path in samples("tests/config/invalid") {
        let text = fs::read_to_string(&path).unwrap();
        let Err(errors) = config::load(&file_name(&path), &text) else { panic!("{} is valid", path.display()) };
        assert_golden(&path.with_extension("txt"), &format!("{errors}\n"));
    }
}

#[test]
fn every_code_has_a_sample() {
    let mut seen = BTreeSet::new();
    for path in samples("tests/config/invalid") {
        let errors = config::load("f", &fs::read_to_string(&path).unwrap()).unwrap_err();
        seen.extend(errors.list.iter().map(|diagnostic| diagnostic.code));
    }
    // Those of the reader are tested beside it: they have no text to put in a sample.
    let of_the_reader = [Code::NotFound, Code::Unreadable, Code::TooLarge, Code::NotUtf8];
    let without: Vec<_> =
        Code::ALL.into_iter().filter(|code| !seen.contains(code) && !of_the_reader.contains(code)).collect();
    assert_eq!(without, [], "add a sample to tests/config/invalid");
}

#[test]
fn no_golden_file_has_lost_its_sample() {
    for (folder, extension) in [("tests/config/valid", "json"), ("tests/config/invalid", "txt")] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let known = path.extension().is_some_and(|ext| ext == "yaml" || ext == extension);
            assert!(known && path.with_extension("yaml").exists(), "{}", path.display());
        }
    }
}

#[test]
fn examples_are_valid_for_otb_and_for_editors() {
    for path in samples("examples") {
        let loaded = config::read(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(schema_errors(&loaded.text), [""; 0], "{}", path.display());
        assert!(loaded.text.starts_with("# yaml-language-server: $schema=../schemas/cluster.schema.json\n"));
        assert_eq!(loaded.sha256.len(), 64);
    }
}

#[test]
fn the_committed_schema_is_that_of_the_code() {
    let schema = serde_json::to_string_pretty(&config::schema()).unwrap() + "\n";
    assert_golden(&root().join("schemas/cluster.schema.json"), &schema);
}

#[test]
fn ten_megabytes_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.yaml");
    fs::write(&path, seed() + &"# padding\n".repeat(1024 * 1024)).unwrap();
    let errors = config::read(&path).unwrap_err();
    assert_eq!(errors.list[0].code, Code::TooLarge);
    assert_eq!(errors.list[0].file, path.display().to_string());
}

/// Files that are cheap to write and would be dear to read.
#[test]
fn hostile_files_of_a_megabyte_are_refused_quickly() {
    let megabyte = 1024 * 1024;
    let files = [
        "[".repeat(megabyte),
        "{a: ".repeat(megabyte / 4),
        "- ".repeat(megabyte / 2),
        "? ".repeat(megabyte / 2),
        "*a ".repeat(megabyte / 3),
        format!("a: &a x\nb: [{}]", "*a,".repeat(megabyte / 3)),
        "a: b: ".repeat(megabyte / 6),
        "x".repeat(megabyte),
        format!("{}: 1", "x".repeat(megabyte)),
        (0..megabyte / 8).flat_map(|n| ["k".to_owned(), n.to_string(), ": 1\n".to_owned()]).collect(),
        "k: 1\n".repeat(megabyte / 5),
        "\t".repeat(megabyte),
        "\0".repeat(megabyte),
        "\n".repeat(megabyte),
        "!".repeat(megabyte),
        "&".repeat(megabyte),
        "\"\\u0041".repeat(megabyte / 7),
        "'".repeat(megabyte),
        "|\n ".repeat(megabyte / 3),
        "%".repeat(megabyte),
        "--- ".repeat(megabyte / 4),
    ];
    for text in files {
        let began = std::time::Instant::now();
        let shown = config::load("f", &text).unwrap_err().to_string();
        let start: String = text.chars().take(12).collect();
        assert!(shown.len() < 64 * 1024, "{start:?}: {} bytes of explanation", shown.len());
        // Generous for a debug build on a busy machine; quadratic behaviour takes minutes.
        assert!(began.elapsed().as_secs() < 10, "{start:?}: {:?}", began.elapsed());
    }
}

fn seed() -> String {
    fs::read_to_string(root().join("examples/seed.yaml")).unwrap()
}

fn moved(text: &str, node: &str, server: &str) -> Result<String, EditError> {
    config::with_master(text, &NodeName::new(node).unwrap(), &ServerName::new(server).unwrap())
}

#[test]
fn a_switchover_is_a_one_line_diff() {
    let edited = moved(&seed(), "dn01", "s47").unwrap();
    let diff =
        similar::TextDiff::from_lines(seed().as_str(), edited.as_str()).unified_diff().context_radius(0).to_string();
    let expected = "@@ -38 +38 @@\n\
        -    master: s29                                       # the line the reviewer sees change\n\
        +    master: s47                                       # the line the reviewer sees change\n";
    assert_eq!(diff, expected);
    assert_eq!(moved(&edited, "dn01", "s29").unwrap(), seed());
}

#[test]
fn a_master_is_changed_in_flow_style_behind_a_mark_and_with_quotes() {
    let text = fs::read_to_string(root().join("tests/config/valid/bom-and-crlf.yaml")).unwrap();
    let edited = moved(&text, "dn01", "s47").unwrap();
    assert_eq!(edited, text.replace("dn01: {master: s29", "dn01: {master: s47"));
    let text = fs::read_to_string(root().join("tests/config/valid/names-like-numbers.yaml")).unwrap();
    let edited = moved(&text, "1", "true").unwrap();
    assert_eq!(edited, text.replace("1: {master: \"29\"", "1: {master: \"true\""));
    let plain = text.replace("{server: \"29\"}, {server: 'true'}", "{server: a}, {server: 'true'}");
    let plain =
        plain.replace("1: {master: \"29\"", "1: {master: a").replace("servers: {", "servers: {a: {address: h}, ");
    assert!(moved(&plain, "1", "true").unwrap().contains("1: {master: \"true\""));
}

#[test]
fn a_master_is_moved_only_to_where_an_instance_is() {
    assert!(matches!(moved(&seed(), "dn09", "s47"), Err(EditError::NoNode(_))));
    assert!(matches!(moved(&seed(), "cn01", "s47"), Err(EditError::NoInstance { .. })));
    assert!(matches!(moved("", "cn01", "s47"), Err(EditError::Invalid(_))));
    let line = "master: s29                                       # the line the reviewer sees change\n";
    let block = seed().replacen(line, "master: >-\n      s29\n", 1);
    assert!(matches!(moved(&block, "dn01", "s47"), Err(EditError::Form(_))), "{:?}", moved(&block, "dn01", "s47"));
}

/// Bits of YAML and of cluster.yaml that change what a file means.
fn scrap() -> impl Strategy<Value = String> {
    let scraps = [
        "", " ", "\t", "\n", "\r", "\r\n", ":", ": ", "-", "- ", "?", "? ", "{", "}", "[", "]", ",", "#", " #", "&a ",
        "*a", "!!int ", "|\n", ">\n", "'", "\"", "\\", "%", "@", "`", "~", "---\n", "...\n", "<<: ", "\0", "\u{feff}",
        "\u{2028}", "é", "数", "s29", "s47", "s99", "master", "port", "server", "0", "65536", "1.5", "true", "null",
        "{node}", "/", "..", "16MiB", "dn01", "cn01",
    ];
    prop_oneof![proptest::sample::select(scraps.to_vec()).prop_map(str::to_owned), any::<char>().prop_map(String::from)]
}

/// A valid file with a few stretches replaced.
fn damaged() -> impl Strategy<Value = String> {
    let files: Vec<String> = ["examples", "tests/config/valid"]
        .iter()
        .flat_map(|folder| samples(folder))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let cuts = proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..8, scrap()), 1..6);
    (proptest::sample::select(files), cuts).prop_map(|(text, cuts)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, length, scrap) in cuts {
            let at = at.index(chars.len() + 1);
            let end = (at + length).min(chars.len());
            chars.splice(at..end, scrap.chars());
        }
        chars.into_iter().collect()
    })
}

/// Loads without panicking, explains itself, and agrees with the schema about what is valid.
fn assert_laws(text: &str) -> Result<(), TestCaseError> {
    match config::load("f", text) {
        Ok(loaded) => {
            prop_assert_eq!(schema_errors(text), Vec::<String>::new());
            for node in loaded.cluster.nodes.values() {
                prop_assert!(node.master_instance().is_some());
            }
        }
        Err(errors) => {
            prop_assert!(!errors.list.is_empty());
            let shown = errors.to_string();
            prop_assert!(!shown.contains("defect in otb"), "{}", shown);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{:?}", shown);
            for diagnostic in &errors.list {
                prop_assert!(!diagnostic.hint.is_empty() && !diagnostic.message.is_empty());
                prop_assert!(diagnostic.place.as_ref().is_some_and(|place| place.line >= 1 && place.column >= 1));
            }
        }
    }
    Ok(())
}

/// A file with `value` in one of its places for names, hosts and users.
fn with_text_at(place: usize, value: &str) -> String {
    let text = serde_json::to_string(value).unwrap();
    let at = |index: usize, default: &str| if index == place { text.clone() } else { default.to_owned() };
    format!(
        "version: 1\ncluster: {}\nconnection: {{user: {}, database: {}}}\n\
         defaults: {{install: /opt, data: '/data/{{node}}', shell: {{user: {}, run_as: {}}}}}\n\
         servers: {{s: {{address: {}, ssh: {}}}, {}: {{address: spare}}}}\n\
         gtm: {{{}: {{master: s, port: 1, instances: [{{server: s}}]}}}}\n\
         coordinators: {{c: {{master: s, port: 2, instances: [{{server: s}}]}}}}\n\
         datanodes: {{d: {{master: s, port: 3, instances: [{{server: s}}]}}}}\n",
        at(0, "cluster"),
        at(1, "user"),
        at(2, "db"),
        at(3, "user"),
        at(4, "user"),
        at(5, "host"),
        at(6, "host"),
        at(7, "t"),
        at(8, "gtm"),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The patterns in the schema and the model's constructors are two spellings of one rule.
    #[test]
    fn otb_and_editors_agree_on_names(place in 0_usize..9, value in "[a-cA-C0-9._:%@/ $'{}\"\\\\\n\té数-]{0,6}|[a-z]{60,66}") {
        // What a name means as a directory, and which names are taken, is not for a pattern.
        prop_assume!(!matches!(value.as_str(), "." | ".." | "s" | "c" | "d"));
        let text = with_text_at(place, &value);
        let loaded = config::load("f", &text);
        prop_assert_eq!(loaded.is_ok(), schema_errors(&text).is_empty(), "{:?} {:?} {}", loaded, schema_errors(&text), text);
    }

    #[test]
    fn any_text_is_read_or_explained(text in any::<String>()) {
        assert_laws(&text)?;
    }

    #[test]
    fn any_scraps_are_read_or_explained(scraps in proptest::collection::vec(scrap(), 0..60)) {
        assert_laws(&scraps.concat())?;
    }

    #[test]
    fn any_damaged_file_is_read_or_explained(text in damaged()) {
        assert_laws(&text)?;
    }

    #[test]
    fn a_moved_master_can_be_moved_back(node in "(gtm_1|dn01|dn02)", server in "(s29|s47)") {
        let edited = moved(&seed(), &node, &server).unwrap();
        let loaded = config::load("f", &edited).unwrap();
        prop_assert_eq!(loaded.cluster.nodes[&NodeName::new(node.clone()).unwrap()].master.as_str(), server);
        let back = if node == "dn02" { "s47" } else { "s29" };
        prop_assert_eq!(moved(&edited, &node, back).unwrap(), seed());
    }
}
