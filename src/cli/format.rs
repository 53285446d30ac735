//! `castmeter format`: what to paste into Fastly.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::Failure;
use super::output::stdout;

/// The version 1 line: one JSON object, every field the counting rules can use.
///
/// `json.escape` makes an unset or non-UTF-8 header an empty string, which means absent. Numbers that a request may
/// lack are quoted, so that their absence is no broken JSON.
const LINE: &[(&str, &str)] = &[
    ("v", "1"),
    ("id", r#""%{json.escape(req.xid)}V""#),
    ("start_us", "%{time.start.usec}V"),
    ("elapsed_us", "%{time.elapsed.usec}V"),
    ("ip", r#""%{json.escape(req.http.Fastly-Client-IP)}V""#),
    ("method", r#""%{json.escape(req.method)}V""#),
    ("host", r#""%{json.escape(req.http.Host)}V""#),
    ("url", r#""%{json.escape(req.url)}V""#),
    ("range", r#""%{json.escape(req.http.Range)}V""#),
    ("status", "%{resp.status}V"),
    ("body_bytes", "%{resp.body_bytes_written}V"),
    ("content_range", r#""%{json.escape(resp.http.Content-Range)}V""#),
    ("completed", r#"%{if(resp.completed, "true", "false")}V"#),
    ("ua", r#""%{json.escape(req.http.User-Agent)}V""#),
    ("referer", r#""%{json.escape(req.http.Referer)}V""#),
    ("country", r#""%{json.escape(client.geo.country_code)}V""#),
    ("region", r#""%{json.escape(client.geo.region)}V""#),
    ("asn", r#""%{client.as.number}V""#),
    ("proxy_type", r#""%{json.escape(client.geo.proxy_type)}V""#),
    ("proxy_desc", r#""%{json.escape(client.geo.proxy_description)}V""#),
    ("pop", r#""%{json.escape(server.datacenter)}V""#),
    ("state", r#""%{json.escape(fastly_info.state)}V""#),
    ("edge", r#"%{if(fastly.ff.visits_this_service == 0, "true", "false")}V"#),
    ("inner", r#"%{if(segmented_caching.is_inner_req, "true", "false")}V"#),
];

/// Lines that only repeat others are best not sent at all.
const CONDITION: &str = "!segmented_caching.is_inner_req && fastly.ff.visits_this_service == 0";

/// Print the Fastly log format, the condition and a Terraform block to paste
#[derive(Debug, Args)]
pub struct Format {
    /// Print one part alone
    #[arg(long, value_enum)]
    only: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Format,
    Condition,
    Terraform,
}

impl Format {
    pub fn run(self) -> Result<(), Failure> {
        let mut out = stdout();
        match self.only {
            Some(Part::Format) => writeln!(out, "{}", log_format())?,
            Some(Part::Condition) => writeln!(out, "{CONDITION}")?,
            Some(Part::Terraform) => write!(out, "{}", terraform())?,
            None => {
                writeln!(out, "# Log format (version 2, message type \"blank\")\n{}\n", log_format())?;
                writeln!(out, "# Condition\n{CONDITION}\n\n# Terraform\n{}", terraform())?;
            }
        }
        Ok(out.flush()?)
    }
}

/// As it stands in Fastly's panel.
pub fn log_format() -> String {
    let fields: Vec<String> = LINE.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn terraform() -> String {
    // Terraform reads `%{` as its own template; `%%{` is a plain `%{`.
    let format = log_format().replace("%{", "%%{");
    format!(
        r#"# In resource "fastly_service_vcl":
condition {{
  name      = "castmeter: edge requests"
  type      = "RESPONSE"
  statement = "{CONDITION}"
}}

logging_https {{
  name               = "castmeter"
  url                = "https://castmeter.example.com/fastly"
  method             = "POST"
  content_type       = "application/x-ndjson"
  header_name        = "Authorization"
  header_value       = "Bearer ${{var.castmeter_token}}"
  json_format        = "2"
  message_type       = "blank"
  compression_codec  = "zstd"
  format_version     = 2
  response_condition = "castmeter: edge requests"
  format             = <<-EOT
    {format}
  EOT
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::LineParser;

    #[test]
    fn the_format_fits_fastly_and_our_own_parser() {
        let format = log_format();
        assert!(format.len() <= 12_288, "Fastly's bound: {}", format.len());
        let line = r#"{"v":1,"id":"a","start_us":1793491200000000,"elapsed_us":5,"ip":"192.0.2.1","method":"GET",
            "host":"h","url":"/a.mp3","range":"","status":200,"body_bytes":7,"content_range":"","completed":true,
            "ua":"x","referer":"","country":"DE","region":"BE","asn":"","proxy_type":"","proxy_desc":"","pop":"FRA",
            "state":"HIT","edge":true,"inner":false}"#;
        let request = LineParser::json().parse(line.as_bytes(), Box::leak(Box::default())).unwrap();
        assert_eq!((request.status, request.edge, request.asn), (200, Some(true), None));
        for (name, _) in LINE {
            assert!(line.contains(&format!("\"{name}\":")), "{name}");
        }
    }

    #[test]
    fn terraform_takes_the_format_as_text() {
        let block = terraform();
        assert!(block.contains("%%{time.start.usec}V") && !block.contains(":%{"));
    }
}
