//! Fates that only the service knows: what depends on receipt, on the order of days, and on how a connection ends.

use std::io::Write;
use std::net::TcpStream;

use crate::service::Setup;
use crate::tables::tables;

fn line(start: &str, more: &str) -> String {
    format!(
        r#"{{"v":1,"timestamp":"{start}","ip":"192.0.2.1","url":"/show/one.mp3","status":200,"body_bytes":1000000,"ua":"Overcast/3.0"{more}}}"#
    ) + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_service_knows() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(folder.path());
    let service = setup.start();
    let post = |lines: &[String]| assert_eq!(service.post(&[], lines.concat().as_bytes()).0, 200);
    post(&[line("2026-01-05T12:00:00Z", r#","id":"a""#)]);
    // The same id, within the window.
    post(&[line("2026-01-05T12:00:00Z", r#","id":"a""#), line("2026-01-05T13:00:00Z", r#","id":"b""#)]);
    // Exactly lateness after the day's end it is still open, and its line counts.
    post(&[line("2026-01-06T06:00:00Z", ""), line("2026-01-05T14:00:00Z", "")]);
    // A moment later it is closed.
    post(&[line("2026-01-06T06:00:01Z", ""), line("2026-01-05T14:00:01Z", "")]);
    // Further ahead of its receipt than any clock.
    post(&[line("9998-01-01T00:00:00Z", ""), line("2026-01-06T07:00:00Z", "")]);
    // A body that comes again, with no ids in it: all of its lines were received before.
    let body = [line("2026-01-06T07:10:00Z", ""), "no line\n".to_owned(), line("2026-01-06T07:20:00Z", "")];
    post(&body);
    post(&body);
    // A connection that closes within a line; what came before it is whole.
    let mut stream = TcpStream::connect(service.syslog).unwrap();
    stream.write_all(line("2026-01-06T08:00:00Z", "").as_bytes()).unwrap();
    stream.write_all(&line("2026-01-06T08:00:00Z", "").as_bytes()[..90]).unwrap();
    drop(stream);
    service.wait_for_lines(17);
    assert!(service.stop().success());

    let fates: Vec<String> = tables(&setup.database_url())
        .await
        .0
        .iter()
        .filter_map(|row| {
            let [day, source, fate, reason, requests, bytes] =
                row.strip_prefix("fate_day|")?.split('|').collect::<Vec<_>>().try_into().unwrap();
            // A line without a usable start is of the day it was received.
            let day = if fate == "malformed" { "today" } else { day };
            Some(format!("{day} {source} {fate} {reason} {requests} {bytes}"))
        })
        .collect();
    let expected = [
        "2026-01-05 http ignored late 1 1000000",
        "2026-01-05 http ignored redelivered 1 1000000",
        "2026-01-05 http valid - 3 3000000",
        "2026-01-06 http ignored redelivered 2 2000000",
        "2026-01-06 http valid - 5 5000000",
        "2026-01-06 syslog valid - 1 1000000",
        "today http malformed bad_json 2 0",
        "today http malformed bad_time 1 0",
        "today syslog malformed truncated 1 0",
    ];
    let mut fates = fates;
    fates.sort_unstable();
    assert_eq!(fates, expected);
}
