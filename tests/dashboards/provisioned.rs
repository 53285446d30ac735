//! The files by which Grafana finds data sources and dashboards.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A YAML file of the repository.
pub fn yaml(path: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_yaml_ng::from_str(&fs::read_to_string(&file).expect(path)).expect(path)
}

/// uid and type.
pub fn data_sources() -> HashMap<String, String> {
    let file = yaml("dashboards/provisioning/datasources/castmeter.yaml");
    let sources = file["datasources"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    sources.map(|source| (text(&source["uid"]), text(&source["type"]))).collect()
}

#[test]
fn a_folder_of_files_is_provided() {
    let file = yaml("dashboards/provisioning/dashboards/castmeter.yaml");
    assert_eq!(file["apiVersion"], 1);
    assert_eq!(file["providers"][0]["type"], "file");
    assert!(file["providers"][0]["options"]["path"].is_string());
}

/// What the data sources take from Grafana's environment.
pub fn data_source_variables() -> Vec<String> {
    let file = yaml("dashboards/provisioning/datasources/castmeter.yaml").to_string();
    let variable = regex::Regex::new(r"\$\{([A-Z_]+)\}").unwrap();
    variable.captures_iter(&file).map(|found| found[1].to_owned()).collect()
}
