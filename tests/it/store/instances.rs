//! Several instances, each with a journal of its own, write to one Postgres database.

use castmeter::rollup::Delta;
use castmeter::store::{Settings, Store};
use castmeter::units::EpisodeId;
use sqlx::{Connection, PgConnection};

use super::fixture::*;
use crate::tables::tables;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_start_and_commit_at_the_same_time() {
    let database = Database::postgres().await;
    let instances = (0..4_u8).map(|instance| {
        let url = database.url.clone();
        tokio::spawn(async move {
            let store = Store::open(&url, Settings::default()).unwrap();
            store.migrate().await.unwrap();
            let mut writer = store.claim([instance; 16], &format!("instance {instance}")).await.unwrap();
            // All know the same episodes, each under ids of its own.
            let mut episodes: Vec<_> =
                (0..60).map(|n| episode(&format!("show{}", n % 7), &n.to_string())).collect();
            episodes.rotate_left(usize::from(instance) * 15);
            let mut numbers = Numbers(u64::from(instance) + 1);
            let mut deltas = Vec::new();
            for step in 1..=25 {
                // Distinct counts do not add up over instances: they have a test of their own.
                let mut delta = numbers.delta(episodes.len());
                for day in delta.episode_days.values_mut() {
                    (day.listeners, day.addresses) = (0, 0);
                }
                for episode in &mut episodes[..3] {
                    episode.title = format!("{instance}.{step}");
                }
                commit_next(&mut writer, &delta, &episodes).await.unwrap();
                deltas.push(delta);
            }
            // In the order of the first one, so that all can be compared.
            let mut sorted = Delta::default();
            let unrotated = |id: EpisodeId| EpisodeId((id.0 + u32::from(instance) * 15) % 60);
            for delta in deltas {
                let renamed = with_episodes(delta, unrotated);
                sorted.merge(&renamed);
            }
            sorted
        })
    });
    let instances: Vec<_> = instances.collect();
    let mut deltas = Vec::new();
    for instance in instances {
        deltas.push(instance.await.unwrap());
    }
    let episodes: Vec<_> = (0..60).map(|n| episode(&format!("show{}", n % 7), &n.to_string())).collect();
    let counted = |tables: crate::tables::Tables| {
        let mut rows = tables.0;
        // Distinct counts of several instances are null: left out, with the titles that all of them changed.
        rows.retain(|row| !row.starts_with("episode|"));
        for row in rows.iter_mut().filter(|row| row.starts_with("episode_day|")) {
            let columns: Vec<_> = row.split('|').enumerate().filter(|(n, _)| *n != 5 && *n != 9).collect();
            *row = columns.into_iter().map(|(_, column)| column).collect::<Vec<_>>().join("|");
        }
        rows
    };
    let seen = counted(tables(&database.url).await);
    assert_eq!(seen, counted(expected(&deltas, &episodes, &source_names())));
}

#[tokio::test]
async fn each_has_rows_of_its_own_and_views_add_them_up() {
    let database = Database::postgres().await;
    let store = database.store().await;
    let mut one = store.claim([1; 16], "one").await.unwrap();
    let mut two = store.claim([2; 16], "two").await.unwrap();
    let episodes = [episode("a", "1"), episode("a", "2")];
    let shared = delta_of(EpisodeId(0), DAY, 1);
    let mut more = delta_of(EpisodeId(0), DAY, 10);
    more.merge(&delta_of(EpisodeId(1), DAY, 100));
    commit_next(&mut one, &shared, &episodes).await.unwrap();
    commit_next(&mut two, &more, &episodes).await.unwrap();

    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let own = "SELECT i.name, e.slug, d.downloads FROM episode_day AS d JOIN episode AS e ON e.id = d.episode_id \
               JOIN instance AS i ON i.id = d.instance_id ORDER BY 1, 2";
    let rows: Vec<(String, String, i64)> = sqlx::query_as(own).fetch_all(&mut connection).await.unwrap();
    let row = |instance: &str, slug: &str, downloads| (instance.to_owned(), slug.to_owned(), downloads);
    assert_eq!(rows, [row("one", "1", 1), row("two", "1", 10), row("two", "2", 100)]);

    let total = "SELECT e.slug, d.downloads, d.listeners, d.addresses FROM episode_day_total AS d \
                 JOIN episode AS e ON e.id = d.episode_id ORDER BY 1";
    let rows: Vec<(String, i64, Option<i64>, Option<i64>)> =
        sqlx::query_as(total).fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows, [("1".to_owned(), 11, None, None), ("2".to_owned(), 100, Some(200), Some(600))]);
}
