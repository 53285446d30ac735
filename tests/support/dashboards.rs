//! The dashboard files: their panels, and the questions they ask. What is found here is tried by being there.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A file of `dashboards/`.
pub struct Dashboard {
    pub file: String,
    pub json: Value,
}

/// Whom a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    PromQl,
    Sql,
}

/// What asks.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    Panel(&'a Value),
    Annotation,
    Variable,
}

/// One question as it stands in a file, variables and macros included.
#[derive(Debug)]
pub struct Query<'a> {
    /// For people: file, and panel, annotation or variable.
    pub place: String,
    pub language: Language,
    pub asker: Asker<'a>,
    /// Of a panel's query: what Grafana makes of the answer, and how it names the series.
    pub target: &'a Value,
    pub text: String,
}

/// All of them, by name.
pub fn dashboards() -> Vec<Dashboard> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let json = serde_json::from_str(&fs::read_to_string(path).unwrap()).expect(&file);
        Dashboard { file, json }
    };
    files.iter().map(read).collect()
}

/// The items of a JSON list; none where there is no list.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text, or the empty one.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Dashboard {
    pub fn uid(&self) -> &str {
        text(&self.json["uid"])
    }

    /// In the order of the file, those in rows included.
    pub fn panels(&self) -> Vec<&Value> {
        let panels = list(&self.json["panels"]);
        panels.flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"]))).collect()
    }

    pub fn variables(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["templating"]["list"])
    }

    /// Of panels, annotations and variables.
    pub fn queries(&self) -> Vec<Query<'_>> {
        let panels = self.panels().into_iter().flat_map(|panel| {
            list(&panel["targets"]).filter_map(move |target| {
                let source =
                    if target["datasource"].is_null() { &panel["datasource"] } else { &target["datasource"] };
                self.query(("panel", &panel["title"]), source, Asker::Panel(panel), target)
            })
        });
        let annotations = list(&self.json["annotations"]["list"]).filter_map(|annotation| {
            let target = if annotation["target"].is_object() { &annotation["target"] } else { annotation };
            let source = &annotation["datasource"];
            self.query(("annotation", &annotation["name"]), source, Asker::Annotation, target)
        });
        let variables = self.variables().filter_map(|variable| {
            let source = &variable["datasource"];
            self.query(("variable", &variable["name"]), source, Asker::Variable, variable)
        });
        panels.chain(annotations).chain(variables).collect()
    }

    fn query<'a>(
        &self,
        (kind, name): (&str, &Value),
        source: &Value,
        asker: Asker<'a>,
        target: &'a Value,
    ) -> Option<Query<'a>> {
        let place = format!("{}, {kind} {name}", self.file);
        let language = match text(&source["type"]) {
            "prometheus" => Language::PromQl,
            "postgres" => Language::Sql,
            _ => return None,
        };
        let found = match (language, asker) {
            // label_values(metric{…}, label) asks for the series' labels.
            (Language::PromQl, Asker::Variable) => {
                let query = text(&target["query"]["query"]);
                let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
                let series = inner.and_then(|inner| inner.rsplit_once(',')).map(|(series, _)| series);
                series.unwrap_or_else(|| panic!("{place}: {query} is no label_values(series, label)"))
            }
            (Language::Sql, Asker::Variable) => text(&target["query"]),
            (Language::PromQl, _) => text(&target["expr"]),
            (Language::Sql, _) => text(&target["rawSql"]),
        };
        assert!(!found.is_empty(), "{place} asks for nothing");
        Some(Query { place, language, asker, target, text: found.to_owned() })
    }
}

/// PromQL as Grafana sends it. Of several values all are chosen; `first` gives the value of the other variables.
pub fn filled_promql(dashboard: &Dashboard, expression: &str, first: impl Fn(&str) -> String) -> String {
    let of_grafana =
        [("__rate_interval", "1m"), ("__interval", "15s"), ("__range_s", "300"), ("__range", "5m")];
    let mut values: Vec<(String, String)> =
        of_grafana.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for variable in dashboard.variables() {
        let several = variable["multi"] == true || variable["includeAll"] == true;
        let name = text(&variable["name"]).to_owned();
        let value = if several { ".*".to_owned() } else { first(&name) };
        values.push((name, value));
    }
    // The longest names first, so that none is taken for the beginning of another.
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    values.iter().fold(expression.to_owned(), |text, (name, value)| {
        let text = text.replace(&format!("${{{name}:regex}}"), value);
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

#[test]
fn queries_are_found_and_filled_in() {
    let prometheus = serde_json::json!({ "type": "prometheus", "uid": "p" });
    let postgres = serde_json::json!({ "type": "postgres", "uid": "q" });
    let json = serde_json::json!({
        "panels": [
            { "title": "A", "datasource": prometheus, "targets": [{ "expr": "rate(a{show=~\"$show\"}[$__rate_interval])" }] },
            { "title": "Row", "panels": [
                { "title": "B", "targets": [{ "expr": "b{s=\"${show_one}\"}", "datasource": prometheus }, { "rawSql": "select", "datasource": postgres }] }
            ] }
        ],
        "annotations": { "list": [
            { "name": "C", "datasource": prometheus, "expr": "c" },
            { "name": "D", "datasource": postgres, "target": { "rawSql": "select 2" } },
            { "name": "Built in", "datasource": { "type": "grafana" } }
        ] },
        "templating": { "list": [
            { "name": "show", "type": "query", "multi": true, "datasource": prometheus, "query": { "query": "label_values(d{e=\"f\"}, show)" } },
            { "name": "show_one", "type": "query", "datasource": postgres, "query": "select 3" }
        ] }
    });
    let dashboard = Dashboard { file: "x.json".to_owned(), json };
    let filled = |language| -> Vec<String> {
        let queries = dashboard.queries();
        let of_language = queries.iter().filter(|query| query.language == language);
        of_language.map(|query| filled_promql(&dashboard, &query.text, |name| format!("<{name}>"))).collect()
    };
    assert_eq!(
        filled(Language::PromQl),
        ["rate(a{show=~\".*\"}[1m])", "b{s=\"<show_one>\"}", "c", "d{e=\"f\"}"]
    );
    assert_eq!(filled(Language::Sql), ["select", "select 2", "select 3"]);
}
