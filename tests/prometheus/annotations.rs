//! `castmeter annotate` and its API, as far as the table that graphs read.

use crate::service::{Setup, castmeter, exchange};
use crate::tables::tables;

#[tokio::test(flavor = "multi_thread")]
async fn notes_end_up_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = folder.path().join("sqlite");
    let postgres = folder.path().join("postgres");
    for (folder, database_url) in
        [(sqlite, None), (postgres, Some(crate::postgres::Server::shared().database().await))]
    {
        std::fs::create_dir(&folder).unwrap();
        let setup = Setup { database_url, ..Setup::new(&folder) };
        let service = setup.start();
        service.wait_until_ready();
        let admin = format!("http://{}/", service.admin);
        let annotate = |arguments: &[&str]| {
            let output = castmeter().args(["annotate", "--admin", &admin]).args(arguments).output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        };

        let (code, said, error) =
            annotate(&["deploy v1.2", "--tag=deploy", "--tag=cdn", "--at=2026-11-01T06:00:00+01:00"]);
        assert_eq!((code, error.as_str()), (Some(0), ""));
        assert_eq!(
            said,
            "{\"at\":\"2026-11-01T05:00:00Z\",\"text\":\"deploy v1.2\",\"tags\":[\"deploy\",\"cdn\"]}\n"
        );
        assert_eq!(annotate(&["now"]).0, Some(0));
        let (code, said, error) = annotate(&["x", "--tag=a,b"]);
        assert_eq!((code, said.as_str()), (Some(1), ""));
        assert!(error.contains("400 Bad Request: a tag must have"), "{error}");
        // A page elsewhere can make a browser post plain text, no more.
        let form =
            "POST /api/annotations HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nconnection: close\r\n";
        let head = format!("{form}content-length: 12\r\n\r\n");
        assert_eq!(exchange(service.admin, &head, br#"{"text":"x"}"#).unwrap().status, 415);
        assert!(service.stop().success());

        let tables = tables(&setup.database_url()).await;
        let notes: Vec<&str> = tables.0.iter().filter_map(|row| row.strip_prefix("annotation|")).collect();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(notes[0], "2026-11-01T05:00:00Z|deploy v1.2|deploy,cdn");
        assert!(notes[1].ends_with("Z|now|") && notes[1] > notes[0], "{notes:?}");
    }
}
