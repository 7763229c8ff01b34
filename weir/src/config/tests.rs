use std::io::Write as _;

use super::*;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load_file(text: &str) -> Result<Config, String> {
    let file = file(text);
    let name = file.path().display().to_string();
    load(Some(file.path()), std::iter::empty(), &[]).map_err(|error| error.to_string().replace(&name, "weir.toml"))
}

fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into_iter()
}

#[test]
fn every_default_is_a_value_of_its_kind_and_every_key_is_documented() {
    let config = Config::default();
    assert_eq!(config.check(), Ok(()));
    for key in keys::KEYS {
        assert!(!key.doc.is_empty(), "{} has no documentation", key.path());
        assert_eq!(config.source(key), Source::Default);
    }
}

#[test]
fn what_config_show_prints_can_be_read_back() {
    for documented in [false, true] {
        let shown = Config::default().to_toml(documented);
        let read = load_file(&shown).unwrap();
        for key in keys::KEYS {
            assert_eq!(key.show(&read), key.show(&Config::default()), "{}", key.path());
        }
    }
}

#[test]
fn a_wrong_key_is_refused_with_its_line_and_column_and_the_key_that_was_meant() {
    let refusal = load_file("[data]\nfolder = \"d\"\n\n[stores]\n  leger = \"sqlite:x.db\"\n").unwrap_err();
    assert_eq!(refusal, "weir.toml:5:3: [stores] has no key 'leger'; did you mean 'ledger'?");
}

#[test]
fn a_wrong_section_is_refused_with_its_line_and_the_section_that_was_meant() {
    let refusal = load_file("\n[strores]\nlog = \"sqlite:x.db\"\n").unwrap_err();
    assert_eq!(refusal, "weir.toml:2:2: there is no section [strores]; did you mean '[stores]'?");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_at_its_place() {
    let refusal = load_file("[tracing]\nformat = \"xml\"\n").unwrap_err();
    assert_eq!(refusal, "weir.toml:2:10: format must be \"text\" or \"json\"");
    let refusal = load_file("[tracing]\nlevel = 3\n").unwrap_err();
    assert_eq!(refusal, "weir.toml:2:9: level must be text");
}

#[test]
fn text_that_is_not_toml_is_refused_at_its_place_in_one_line() {
    let refusal = load_file("[data]\nfolder = \n").unwrap_err();
    assert!(refusal.starts_with("weir.toml:2:"), "{refusal}");
    assert_eq!(refusal.lines().count(), 1);
}

#[test]
fn variables_replace_the_file_and_flags_replace_both() {
    let file = file("[tracing]\nlevel = \"warn\"\nformat = \"json\"\n[data]\nfolder = \"from-file\"\n");
    let env =
        [("WEIR_TRACING__LEVEL", "debug"), ("WEIR_DATA__FOLDER", "from-env"), ("HOME", "/"), ("WEIR_CONFIG", "x")];
    let flags = [("--data", "data.folder", "from-flag".to_owned())];

    let config = load(Some(file.path()), variables(&env), &flags).unwrap();

    assert_eq!(config.tracing.format, LogFormat::Json);
    assert_eq!(config.tracing.level, "debug");
    assert_eq!(config.data.folder, PathBuf::from("from-flag"));
    let source = |path: &str| config.source(keys::KEYS.iter().find(|key| key.path() == path).unwrap());
    assert!(matches!(source("tracing.format"), Source::File { line: 3, .. }));
    assert_eq!(source("tracing.level"), Source::Variable("WEIR_TRACING__LEVEL".to_owned()));
    assert_eq!(source("data.folder"), Source::Flag("--data"));
    assert_eq!(source("stores.log"), Source::Default);
}

#[test]
fn a_variable_that_sets_nothing_is_refused_with_the_one_that_was_meant() {
    for wrong in ["WEIR_DATA_FOLDER", "WEIR_DATA__FLODER"] {
        let refusal = load(None, variables(&[(wrong, "x")]), &[]).unwrap_err().to_string();
        assert_eq!(refusal, format!("{wrong}: no setting has this name; did you mean 'WEIR_DATA__FOLDER'?"));
    }
}

#[test]
fn a_password_in_a_store_s_address_is_not_shown() {
    let url: StoreUrl = "postgres://weir:hunter2@db.example/weir".parse().unwrap();
    assert_eq!(url.to_string(), "postgres://…@db.example/weir");
    let url: StoreUrl =
        "postgres://weir:hunter2@db.example/weir,postgres://weir:hunter2@db2.example/weir".parse().unwrap();
    assert_eq!(url.to_string(), "postgres://…@db2.example/weir");
    let url: StoreUrl = "sandbox:postgres://weir:hunter2@db.example/weir".parse().unwrap();
    assert_eq!(url.to_string(), "sandbox:postgres://…@db.example/weir");
}
