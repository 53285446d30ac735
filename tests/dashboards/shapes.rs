//! What a panel of each type needs of the answer that it draws.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::support::dashboards::{list, text};

/// What Grafana takes a column for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Time,
    Text,
}

/// A database's answer. Without rows it has no columns either.
#[derive(Debug)]
pub struct Answer {
    pub columns: Vec<(String, Kind)>,
    pub rows: Vec<Map<String, Value>>,
}

impl Answer {
    fn kind(&self, column: &str) -> Option<Kind> {
        self.columns.iter().find(|(name, _)| name == column).map(|(_, kind)| *kind)
    }

    fn of_kind(&self, kind: Kind) -> Vec<&str> {
        self.columns.iter().filter(|column| column.1 == kind).map(|(name, _)| name.as_str()).collect()
    }

    fn values<'a>(&'a self, column: &'a str) -> impl Iterator<Item = &'a Value> {
        self.rows.iter().map(move |row| &row[column])
    }

    fn rises(&self, column: &str) -> bool {
        let numbers: Vec<f64> = self.values(column).map(|value| value.as_f64().unwrap_or(f64::NAN)).collect();
        numbers.is_sorted_by(|a, b| a < b)
    }
}

/// What a panel lacks in its answer.
pub fn of_panel(panel: &Value, target: &Value, answer: &Answer) -> Vec<String> {
    let mut faults = of_any(answer);
    if answer.rows.is_empty() {
        return faults;
    }
    let mut fault = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("{what}: {:?}", answer.columns));
        }
    };
    let options = &panel["options"];
    let numbers = answer.of_kind(Kind::Number);
    let texts = answer.of_kind(Kind::Text);
    let mut drawn: HashSet<String> = answer.columns.iter().map(|(name, _)| name.clone()).collect();
    match text(&panel["type"]) {
        "timeseries" => {
            fault(target["format"] == "time_series", "not asked for as time series");
            fault(answer.kind("time") == Some(Kind::Time), "no column time");
            fault(!numbers.is_empty(), "no numbers");
            fault(
                answer.values("time").is_sorted_by_key(|time| text(time).to_owned()),
                "not in the order of time",
            );
            fault(texts.iter().all(|name| *name == "metric"), "a text that does not name series");
            fault(texts.is_empty() || numbers.len() == 1, "several numbers for each series");
            drawn = match texts.first() {
                Some(names) => answer.values(names).map(|name| text(name).to_owned()).collect(),
                None => drawn,
            };
        }
        "trend" => {
            let x = text(&options["xField"]);
            match transformation(panel, "groupingToMatrix") {
                Some(matrix) => {
                    let of = |key: &str| answer.kind(text(&matrix[key]));
                    fault(of("columnField") == Some(Kind::Text), "no names for the lines");
                    fault(of("rowField") == Some(Kind::Number), "no numbers for the axis");
                    fault(of("valueField") == Some(Kind::Number), "no values");
                    drawn = answer
                        .values(text(&matrix["columnField"]))
                        .map(|name| text(name).to_owned())
                        .collect();
                    drawn.insert(renamed(
                        panel,
                        &format!("{}\\{}", text(&matrix["rowField"]), text(&matrix["columnField"])),
                    ));
                    fault(drawn.contains(x), "the axis is not what the matrix makes");
                }
                None => {
                    fault(answer.kind(x) == Some(Kind::Number), "no numbers for the axis");
                    fault(answer.rises(x), "the axis does not rise");
                    fault(
                        numbers.len() > 1 && numbers.len() == answer.columns.len(),
                        "not numbers by a number",
                    );
                }
            }
        }
        "stat" => {
            fault(answer.rows.len() == 1, "not one row");
            fault(texts.is_empty(), "a text in place of a number");
        }
        "bargauge" => {
            fault(numbers.len() == 1 && texts.len() == 1, "not one name and one number for each bar");
            let names: Vec<&Value> = texts.iter().flat_map(|column| answer.values(column)).collect();
            fault(names.iter().all(|name| !text(name).is_empty()), "a bar without a name");
            fault(names.iter().collect::<HashSet<_>>().len() == names.len(), "two bars of one name");
            fault(options["reduceOptions"]["values"] == true, "one bar for all rows");
            drawn.extend(names.into_iter().map(|name| text(name).to_owned()));
        }
        "barchart" => {
            fault(answer.kind(text(&options["xField"])) == Some(Kind::Text), "no texts under the bars");
            fault(!numbers.is_empty(), "no numbers");
        }
        "geomap" => {
            for layer in list(&options["layers"]) {
                let lookup = text(&layer["location"]["lookup"]);
                fault(answer.kind(lookup) == Some(Kind::Text), "nothing to look places up by");
                let code = |it: &Value| {
                    text(it).len() == 2 && text(it).bytes().all(|byte| byte.is_ascii_uppercase())
                };
                fault(answer.values(lookup).all(code), "places that are no country codes");
                for part in ["size", "color"] {
                    let field = text(&layer["config"]["style"][part]["field"]);
                    fault(answer.kind(field) == Some(Kind::Number), "a marker without a number");
                }
            }
        }
        "table" => {
            // With a unit for numbers Grafana shows the episode 019 as 19, and links to that.
            let as_text = |name: &str| {
                let rules = list(&panel["fieldConfig"]["overrides"]);
                let units = rules.filter(|rule| rule["matcher"]["options"] == name);
                units
                    .flat_map(|rule| list(&rule["properties"]))
                    .any(|it| it["id"] == "unit" && it["value"] == "string")
            };
            fault(texts.iter().all(|name| as_text(name)), "a text without the unit string");
            let blank = |name: &&str| answer.values(name).any(|value| text(value).is_empty());
            fault(!texts.iter().any(blank), "an empty text, which shows as what is said of no rows");
            for sorted in list(&options["sortBy"]) {
                fault(drawn.contains(text(&sorted["displayName"])), "sorted by a column that is not there");
            }
        }
        other => fault(false, &format!("panels of type {other} are not known here")),
    }
    faults.extend(unmet(panel, &drawn));
    faults
}

/// Overrides and links by name that nothing drawn has.
fn unmet(panel: &Value, drawn: &HashSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for rule in list(&panel["fieldConfig"]["overrides"]) {
        let wanted = text(&rule["matcher"]["options"]);
        let met = match text(&rule["matcher"]["id"]) {
            "byName" => drawn.contains(wanted),
            "byRegexp" => {
                let pattern = regex::Regex::new(wanted.trim_matches('/')).expect("a pattern");
                drawn.iter().any(|name| pattern.is_match(name))
            }
            other => panic!("matchers {other} are not known here"),
        };
        if !met {
            faults.push(format!("nothing is called {wanted}, only {drawn:?}"));
        }
        for property in list(&rule["properties"]) {
            let fill_to = (property["id"] == "custom.fillBelowTo").then(|| text(&property["value"]));
            let links = list(&property["value"]).flat_map(|link| fields_of(text(&link["url"])));
            let named = fill_to.into_iter().map(str::to_owned).chain(links);
            faults.extend(
                named.filter(|name| !drawn.contains(name)).map(|name| format!("nothing is called {name}")),
            );
        }
    }
    faults
}

/// Columns that a link takes values from.
fn fields_of(url: &str) -> Vec<String> {
    let fields = regex::Regex::new(r"__data\.fields\.([A-Za-z ]+)").unwrap();
    fields.captures_iter(url).map(|field| field[1].to_owned()).collect()
}

fn transformation<'a>(panel: &'a Value, id: &str) -> Option<&'a Value> {
    list(&panel["transformations"]).find(|it| it["id"] == id).map(|it| &it["options"])
}

fn renamed(panel: &Value, name: &str) -> String {
    let names = transformation(panel, "organize").map_or(&Value::Null, |it| &it["renameByName"]);
    names[name].as_str().unwrap_or(name).to_owned()
}

/// `time`, and what happened then.
pub fn of_annotation(answer: &Answer) -> Vec<String> {
    let mut faults = of_any(answer);
    if !answer.rows.is_empty()
        && (answer.kind("time") != Some(Kind::Time) || answer.kind("text") != Some(Kind::Text))
    {
        faults.push(format!("an annotation needs time and text: {:?}", answer.columns));
    }
    faults
}

/// Values, each once, and how they are called.
pub fn of_variable(answer: &Answer) -> Vec<String> {
    let mut faults = of_any(answer);
    let values: HashSet<&str> = answer.rows.iter().map(|row| text(&row["__value"])).collect();
    if values.len() != answer.rows.len() || values.contains("") {
        faults.push("a variable has an empty value, or one twice".to_owned());
    }
    if !answer.rows.iter().all(|row| row.get("__text").is_some_and(|text| !text.is_null())) {
        faults.push("a value has no text".to_owned());
    }
    faults
}

/// There are rows, and in each column something.
fn of_any(answer: &Answer) -> Vec<String> {
    if answer.rows.is_empty() {
        return vec!["no rows".to_owned()];
    }
    let empty = answer.columns.iter().filter(|(name, _)| answer.values(name).all(Value::is_null));
    empty.map(|(name, _)| format!("nothing in column {name}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(columns: &[(&str, Kind)], rows: &[Value]) -> Answer {
        let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Answer { columns, rows: rows.iter().map(|row| row.as_object().unwrap().clone()).collect() }
    }

    #[test]
    fn what_a_panel_lacks_is_found() {
        use Kind::{Number, Text, Time};
        let day = |day: u32, n: u32| json!({ "time": format!("2026-11-{day:02}"), "n": n });
        let by_time = [("time", Time), ("n", Number)];
        let series = json!({ "type": "timeseries" });
        let asked = json!({ "format": "time_series" });
        let named = json!({ "type": "table", "fieldConfig": { "overrides": [{ "matcher": { "id": "byName", "options": "m" }, "properties": [] }] } });
        let axis = json!({ "type": "trend", "options": { "xField": "x" } });
        for (panel, target, answer, expected) in [
            (&series, &asked, answer(&by_time, &[day(1, 2), day(2, 3)]), ""),
            (&series, &json!({}), answer(&by_time, &[day(1, 2)]), "not asked for as time series"),
            (&series, &asked, answer(&by_time, &[day(2, 2), day(1, 3)]), "not in the order of time"),
            (&series, &asked, answer(&by_time[1..], &[day(1, 2)]), "no column time"),
            (&series, &asked, answer(&by_time, &[]), "no rows"),
            (&named, &asked, answer(&by_time, &[day(1, 2)]), "nothing is called m"),
            (
                &axis,
                &asked,
                answer(&[("x", Number), ("n", Number)], &[json!({"x": 1, "n": 1}), json!({"x": 1, "n": 2})]),
                "does not rise",
            ),
            (
                &axis,
                &asked,
                answer(&[("x", Text), ("n", Number)], &[json!({"x": "1", "n": 1})]),
                "no numbers for the axis",
            ),
            (
                &json!({ "type": "stat" }),
                &asked,
                answer(&[("n", Number)], &[json!({ "n": null })]),
                "nothing in column n",
            ),
        ] {
            let found = of_panel(panel, target, &answer);
            assert_eq!(found.is_empty(), expected.is_empty(), "{expected}: {found:?}");
            assert!(
                expected.is_empty() || found.iter().any(|fault| fault.contains(expected)),
                "{expected}: {found:?}"
            );
        }
    }
}
