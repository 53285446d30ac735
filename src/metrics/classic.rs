//! The page in Prometheus' older text format (0.0.4), for those who do not take OpenMetrics.
//!
//! Samples are the same in both. In the older format a family is called as its samples are: a counter's name has
//! `_total`, an info is a gauge `…_info`; there are no units, and no end mark. Values and labels of this page have
//! neither exemplars nor timestamps, and help texts have nothing to escape.

/// `open_metrics`: a whole page.
pub fn from_open_metrics(open_metrics: &str) -> String {
    let mut classic = String::with_capacity(open_metrics.len());
    // The help comes before the kind, by which it is called.
    let mut help = None;
    for line in open_metrics.split_inclusive('\n') {
        let Some(comment) = line.strip_prefix("# ") else {
            classic.push_str(line);
            continue;
        };
        if let Some(text) = comment.strip_prefix("HELP ") {
            help = text.split_once(' ').map(|(_, text)| text);
        } else if let Some((name, kind)) =
            comment.strip_prefix("TYPE ").and_then(|it| it.trim_end().split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            let help = help.take().unwrap_or("\n");
            classic.push_str(&format!("# HELP {name}{suffix} {help}# TYPE {name}{suffix} {kind}\n"));
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_describes_differs() {
        let open_metrics = "# HELP a_bytes Bytes, all.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\n\
            a_bytes_total{b=\"# \\\"x\\n\"} 1\n# HELP c C.\n# TYPE c info\nc_info{v=\"1\"} 1\n\
            # HELP d_seconds D.\n# TYPE d_seconds histogram\n# UNIT d_seconds seconds\nd_seconds_sum 0.5\n# EOF\n";
        let classic = "# HELP a_bytes_total Bytes, all.\n# TYPE a_bytes_total counter\n\
            a_bytes_total{b=\"# \\\"x\\n\"} 1\n# HELP c_info C.\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n\
            # HELP d_seconds D.\n# TYPE d_seconds histogram\nd_seconds_sum 0.5\n";
        assert_eq!(from_open_metrics(open_metrics), classic);
    }
}
