//! What can be said of a dashboard without asking anybody: ids, places, descriptions, units, links.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::support::dashboards::{Dashboard, dashboards, list, text};

/// Panels whose numbers have a unit.
const WITH_UNIT: [&str; 8] =
    ["timeseries", "trend", "stat", "table", "bargauge", "barchart", "geomap", "gauge"];

/// Colour names that Grafana draws in the tone of the theme.
const HUES: [&str; 8] = ["green", "yellow", "orange", "red", "blue", "purple", "text", "transparent"];

fn faults(check: impl Fn(&Dashboard, &mut Vec<String>)) {
    let mut faults = Vec::new();
    let dashboards = dashboards();
    assert_eq!(dashboards.len(), 5);
    for dashboard in &dashboards {
        let before = faults.len();
        check(dashboard, &mut faults);
        faults[before..].iter_mut().for_each(|fault| *fault = format!("{}: {fault}", dashboard.file));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn ids_are_unique() {
    let dashboards = dashboards();
    let uids: HashSet<&str> = dashboards.iter().map(Dashboard::uid).collect();
    assert_eq!(uids.len(), dashboards.len());
    assert!(uids.iter().all(|uid| uid.starts_with("castmeter-") && uid.len() <= 40), "{uids:?}");
    faults(|dashboard, faults| {
        let mut ids = HashSet::new();
        let mut titles = HashSet::new();
        for panel in dashboard.panels() {
            if !ids.insert(panel["id"].as_u64().expect("an id")) {
                faults.push(format!("{} has another's id", panel["title"]));
            }
            if !titles.insert(text(&panel["title"])) {
                faults.push(format!("two panels are called {}", panel["title"]));
            }
        }
    });
}

#[test]
fn each_panel_says_what_it_counts() {
    faults(|dashboard, faults| {
        for panel in dashboard.panels().into_iter().filter(|panel| panel["type"] != "row") {
            let (title, kind) = (&panel["title"], text(&panel["type"]));
            let defaults = &panel["fieldConfig"]["defaults"];
            if text(&panel["description"]).len() < 30 {
                faults.push(format!("{title} has no description"));
            }
            if WITH_UNIT.contains(&kind) && text(&defaults["unit"]).is_empty() {
                faults.push(format!("{title} has no unit"));
            }
            if kind != "text" && text(&defaults["noValue"]).is_empty() {
                faults.push(format!("{title} does not say what it shows when it is empty"));
            }
        }
        for variable in dashboard.variables() {
            if text(&variable["label"]).is_empty() || text(&variable["description"]).is_empty() {
                faults.push(format!("variable {} has no label or description", variable["name"]));
            }
        }
    });
}

#[test]
fn panels_lie_side_by_side() {
    faults(|dashboard, faults| {
        let side = |panel: &Value, name: &str| panel["gridPos"][name].as_u64().expect("a place");
        let panels = dashboard.panels();
        for (at, a) in panels.iter().enumerate() {
            if side(a, "x") + side(a, "w") > 24 || side(a, "w") == 0 || side(a, "h") == 0 {
                faults.push(format!("{} does not fit the 24 columns", a["title"]));
            }
            for b in &panels[at + 1..] {
                let apart = |at: &str, size: &str| {
                    side(a, at) + side(a, size) <= side(b, at) || side(b, at) + side(b, size) <= side(a, at)
                };
                if !apart("x", "w") && !apart("y", "h") {
                    faults.push(format!("{} lies over {}", a["title"], b["title"]));
                }
            }
        }
    });
}

#[test]
fn data_sources_are_those_that_are_provisioned() {
    let provisioned: HashMap<String, String> = crate::provisioned::data_sources();
    faults(|dashboard, faults| {
        each_object(&dashboard.json, &mut |object| {
            let Some(source) = object.get("datasource") else { return };
            let uid = text(&source["uid"]);
            let known = provisioned.get(uid).is_some_and(|kind| *kind == source["type"]);
            if !known && uid != "-- Grafana --" {
                faults.push(format!("there is no data source {source}"));
            }
        });
    });
}

#[test]
fn links_lead_to_dashboards_and_their_variables() {
    let all = dashboards();
    faults(|dashboard, faults| {
        let tags: Vec<&Value> = list(&dashboard.json["links"]).flat_map(|link| list(&link["tags"])).collect();
        for target in &all {
            if !list(&target.json["tags"]).any(|tag| tags.contains(&tag)) {
                faults.push(format!("no link to {}", target.file));
            }
        }
        each_object(&dashboard.json, &mut |object| {
            let Some(path) =
                object.get("url").and_then(Value::as_str).and_then(|url| url.strip_prefix("/d/"))
            else {
                return;
            };
            let (uid, query) = path.split_once('?').unwrap_or((path, ""));
            let Some(target) = all.iter().find(|target| target.uid() == uid) else {
                faults.push(format!("/d/{path} leads nowhere"));
                return;
            };
            let given: Vec<&str> =
                query.split('&').filter_map(|pair| pair.strip_prefix("var-")?.split('=').next()).collect();
            let has = |name: &str| target.variables().any(|variable| variable["name"] == name);
            if given.is_empty() || !given.iter().all(|name| has(name)) {
                faults.push(format!("/d/{path} names {given:?}, not all of them variables there"));
            }
        });
    });
}

#[test]
fn releases_and_deploys_are_marked_on_all() {
    faults(|dashboard, faults| {
        for name in ["Publications", "Deploys and notes"] {
            let found = list(&dashboard.json["annotations"]["list"]).find(|it| it["name"] == name);
            if found.is_none_or(|annotation| annotation["enable"] != true) {
                faults.push(format!("no annotations {name}"));
            }
        }
    });
}

/// Grafana has a dark and a light tone of each hue; a colour written as numbers fits one theme only.
#[test]
fn colours_are_names_that_both_themes_know() {
    faults(|dashboard, faults| {
        for panel in dashboard.panels() {
            each_object(panel, &mut |object| {
                for key in ["color", "fixedColor", "iconColor", "fixed"] {
                    if let Some(Value::String(color)) = object.get(key)
                        && !HUES.contains(&color.as_str())
                        && !color.starts_with("img/")
                    {
                        faults.push(format!("{}: {color}", panel["title"]));
                    }
                }
            });
        }
    });
}

/// Each object within a value.
fn each_object<'a>(value: &'a Value, found: &mut impl FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            found(object);
            object.values().for_each(|value| each_object(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| each_object(value, found)),
        _ => {}
    }
}
