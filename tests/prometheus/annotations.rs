//! `castmeter annotate` and its API, as far as the table that graphs read.

use sqlx::Row;

use crate::service::{Setup, castmeter};

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
        assert_eq!(said, "{\"at\":\"2026-11-01T05:00:00Z\",\"text\":\"deploy v1.2\",\"tags\":[\"deploy\",\"cdn\"]}\n");
        assert_eq!(annotate(&["now"]).0, Some(0));
        let (code, said, error) = annotate(&["x", "--tag=a,b"]);
        assert_eq!((code, said.as_str()), (Some(1), ""));
        assert!(error.contains("400 Bad Request: a tag must have"), "{error}");
        // A page elsewhere can make a browser post plain text, no more.
        let form = "POST /api/annotations HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nconnection: close\r\n";
        let answer = crate::service::exchange(
            service.admin,
            &format!("{form}content-length: 12\r\n\r\n"),
            br#"{"text":"x"}"#,
        );
        assert_eq!(answer.0, 415, "{answer:?}");
        assert!(service.stop().success());

        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&setup.database_url()).await.unwrap();
        let rows = sqlx::query("SELECT CAST(at AS text), text, tags FROM annotation ORDER BY at, id");
        let rows: Vec<[String; 3]> = rows
            .fetch_all(&pool)
            .await
            .unwrap()
            .iter()
            .map(|row| [0, 1, 2].map(|column| row.get::<String, _>(column)))
            .collect();
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(rows[0][0].starts_with("2026-11-01"), "{rows:?}");
        assert_eq!(rows[0][1..], ["deploy v1.2", "deploy,cdn"]);
        assert_eq!(rows[1][1..], ["now", ""]);
    }
}
