//! What directives and VCL variables mean: the tables.
//!
//! Directives are short for variables (Fastly's documentation of custom log formats), so that one table says
//! what is known. Whatever is in neither is of no use and may be anything.

use crate::parser::column::{Column, Content, Shape};
use crate::parser::meaning::{Meaning, Rank};
use crate::parser::strftime::Pattern;

/// The variable a directive without an argument stands for.
pub(super) fn variable_of(letter: char) -> Option<&'static str> {
    Some(match letter {
        'a' | 'h' => "req.http.fastly-client-ip",
        'A' => "server.ip",
        'b' | 'B' => "resp.body_bytes_written",
        'D' => "time.elapsed.usec",
        'f' | 'U' => "req.url.path",
        'H' => "req.proto",
        'I' => "req.bytes_read",
        'm' => "req.method",
        'O' => "resp.bytes_written",
        'p' => "server.port",
        'q' => "req.url.qs",
        's' => "resp.status",
        'T' => "time.elapsed.sec",
        'v' | 'V' => "req.http.host",
        'e' | 'k' | 'l' | 'n' | 'P' | 'u' => "-",
        _ => return None,
    })
}

/// What a variable, in lower case, is as a value of a line.
pub(super) fn column_of(variable: &str) -> Column {
    if let Some((meaning, rank)) = known(variable) {
        return Column::new(Content::Value(meaning), rank);
    }
    match time_pattern(variable) {
        Some((pattern, rank)) => Column::new(Content::Start(pattern), rank),
        None => Column::unused(shape_of(variable)),
    }
}

fn known(variable: &str) -> Option<(Meaning, Rank)> {
    use Meaning as M;
    use Rank::{Best, Spare, Usual};
    Some(match variable {
        "time.start" => (M::Start, Usual),
        "time.elapsed" => (M::ElapsedSeconds, Usual),
        "time.elapsed.sec" => (M::ElapsedSeconds, Spare),
        "time.elapsed.msec" => (M::ElapsedMilliseconds, Usual),
        "time.elapsed.usec" => (M::ElapsedMicroseconds, Best),

        "req.http.fastly-client-ip" => (M::Address, Best),
        "client.ip" => (M::Address, Usual),
        "req.http.true-client-ip" | "req.http.x-real-ip" => (M::Address, Spare),
        "client.as.number" => (M::Asn, Usual),
        "client.geo.country_code" | "geoip.country_code" => (M::Country, Usual),
        "client.geo.region" | "client.geo.region.utf8" | "client.geo.region.ascii" | "geoip.region" => {
            (M::Region, Usual)
        }
        "client.geo.proxy_type" => (M::ProxyType, Usual),
        "client.geo.proxy_description" => (M::ProxyDescription, Usual),

        "req.method" | "req.request" => (M::Method, Best),
        "req.url" => (M::Url, Best),
        "req.url.path" => (M::Url, Usual),
        "bereq.url" => (M::Url, Spare),
        "req.http.fastly-orig-host" => (M::Host, Best),
        "req.http.host" => (M::Host, Usual),
        "req.http.range" => (M::Range, Usual),
        "req.http.user-agent" => (M::UserAgent, Usual),
        "req.http.referer" => (M::Referer, Usual),
        "req.xid" => (M::Id, Usual),

        "resp.status" => (M::Status, Usual),
        "resp.body_bytes_written" => (M::BodyBytes, Usual),
        "resp.http.content-range" => (M::ContentRange, Usual),
        "resp.completed" => (M::Completed, Usual),

        "server.pop" | "server.datacenter" => (M::Pop, Best),
        "server.identity" => (M::Server, Usual),
        "fastly_info.state" => (M::CacheState, Usual),
        "fastly.ff.visits_this_service" => (M::VisitsBefore, Best),
        "req.http.fastly-ff" => (M::ForwardedBy, Spare),
        "segmented_caching.is_inner_req" => (M::Inner, Usual),
        _ => return None,
    })
}

/// Epoch times, and the fractions that may stand apart from them.
fn time_pattern(variable: &str) -> Option<(Pattern, Rank)> {
    Some(match variable {
        "time.start.sec" => (Pattern::epoch(1), Rank::Usual),
        "time.start.msec" => (Pattern::epoch(1_000), Rank::Best),
        "time.start.usec" => (Pattern::epoch(1_000_000), Rank::Best),
        "time.start.msec_frac" | "time.start.usec_frac" => (Pattern::fraction(), Rank::Usual),
        _ => return None,
    })
}

/// How the value of a variable looks that is of no use.
fn shape_of(variable: &str) -> Shape {
    match variable {
        "-" | "req.proto" | "server.ip" | "server.identity" | "server.hostname" | "server.region"
        | "req.service_id" => Shape::Word,
        "req.url.qs" => Shape::Query,
        "client.geo.latitude" | "client.geo.longitude" | "geoip.latitude" | "geoip.longitude" => {
            Shape::Decimal
        }
        "client.geo.continent_code" | "client.geo.country_code3" | "geoip.continent_code" => Shape::Word,
        "client.as.name" => Shape::Name,
        "req.restarts"
        | "req.bytes_read"
        | "req.header_bytes_read"
        | "req.body_bytes_read"
        | "server.port" => Shape::Decimal,
        "resp.bytes_written" | "resp.header_bytes_written" => Shape::Decimal,
        _ if variable.starts_with("time.") => Shape::Name,
        _ if variable.starts_with("client.geo.") || variable.starts_with("geoip.") => Shape::Name,
        _ if variable.starts_with("tls.client.") || variable.starts_with("fastly_info.") => Shape::Word,
        _ => Shape::Anything,
    }
}

/// A variable that is true or false as a condition: what it tells, and whether true means yes.
pub(super) fn condition_of(variable: &str) -> Option<(Meaning, bool)> {
    Some(match variable {
        "resp.completed" => (Meaning::Completed, true),
        "segmented_caching.is_inner_req" => (Meaning::Inner, true),
        "fastly.ff.visits_this_service" | "req.http.fastly-ff" => (Meaning::Edge, false),
        _ => return None,
    })
}

/// Functions that give their first argument back, more or less.
pub(super) fn passes_on(function: &str) -> bool {
    matches!(
        function,
        "json.escape"
            | "cstr_escape"
            | "regsub"
            | "regsuball"
            | "substr"
            | "utf8.substr"
            | "std.tolower"
            | "std.toupper"
            | "std.atoi"
            | "std.itoa"
            | "std.str2ip"
            | "std.ip"
            | "std.collect"
    )
}

/// Functions whose result has escapes that must be undone.
pub(super) fn escapes(function: &str) -> bool {
    matches!(function, "json.escape" | "cstr_escape")
}
