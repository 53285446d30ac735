//! What a first week is going to bring: on paper, and tried on shows whose weeks are known.

use std::fmt::Write;

use super::world::World;
use crate::store::fixture::Numbers;

super::in_both!(earlier_weeks_are_the_measure, nine_earlier_weeks_make_an_interval, projections_hold);

/// Earlier weeks had 2, 3 and 4 times the downloads of their first hour; 50 so far will be 150, between 100 and 200.
async fn earlier_weeks_are_the_measure(world: World) {
    for (key, week) in [(1, 20), (2, 40), (3, 30)] {
        world.episode(key, 1, &format!("2026-11-0{key}T00:00:00Z")).await;
        world.launch(key, &[(0, 10), (100, week - 10), (168, 5000)]).await;
    }
    world.episode(4, 1, "2026-11-29T23:00:00Z").await;
    world.launch(4, &[(0, 50), (1, 7)]).await;
    let columns = "episode age_hours downloads expected_7d:1 low_7d:1 high_7d:1 earlier_episodes";
    assert_eq!(world.ask(columns, "launch_projection").await, ["4 1 50 150.0 100.0 200.0 3"]);
    // An episode of another show has nobody to be compared with, one without downloads nothing to go by.
    world.episode(5, 2, "2026-11-29T23:00:00Z").await;
    world.launch(5, &[(0, 50)]).await;
    world.episode(6, 1, "2026-11-29T22:30:00Z").await;
    assert_eq!(
        world.ask(columns, "launch_projection ORDER BY episode").await,
        ["4 1 50 150.0 100.0 200.0 3", "5 1 50 - - - 0", "6 2 0 - - - 3"]
    );
    // Looked back at: the third episode was published when no earlier week was over.
    let past =
        "launch_projection_hour WHERE episode = '3' AND age_hours IN (0, 119, 143, 167) ORDER BY age_hours";
    assert_eq!(
        world.ask("age_hours downloads earlier_episodes expected_7d:1 downloads_7d", past).await,
        ["0 10 0 - 30", "119 30 1 - 30", "143 30 2 - 30", "167 30 2 - 30"]
    );
}

/// Ratios 1 to 9, then 1 to 14: a tenth of the way from below 1 to above 9 is 1, nine tenths is 9; of 14 it is 1.5 and
/// 13.5.
async fn nine_earlier_weeks_make_an_interval(world: World) {
    world.run("UPDATE fate_day SET day = '2026-06-01' WHERE fate = 'valid' AND day = '2026-11-01'").await;
    for key in 1..=14 {
        world.episode(key, 1, &format!("2026-0{}-{:02}T00:00:00Z", 6 + key / 10, 1 + key % 10)).await;
        world.launch(key, &[(0, 10), (100, i64::from(key) * 10 - 10)]).await;
    }
    world.episode(15, 1, "2026-07-01T00:00:00Z").await;
    world.launch(15, &[(0, 100)]).await;
    let past = "launch_projection_hour WHERE episode = '15' AND age_hours = 100";
    let columns = "earlier_episodes downloads expected_7d:1 low_7d:1 high_7d:1";
    world.run("DELETE FROM launch_hour WHERE episode_id = 15").await;
    world.run("UPDATE episode SET published_at = '2026-08-01T00:00:00Z' WHERE id = 15").await;
    world.launch(15, &[(0, 100)]).await;
    let first = "launch_projection_hour WHERE episode = '15' AND age_hours = 0";
    assert_eq!(world.ask(columns, first).await, ["14 100 750.0 150.0 1350.0"]);
    assert_eq!(
        world.ask(columns, past).await,
        ["14 100 100.0 100.0 100.0"],
        "all of the week has come by then"
    );
    world.run("UPDATE episode SET published_at = '2026-10-01T00:00:00Z' WHERE id BETWEEN 10 AND 14").await;
    assert_eq!(world.ask(columns, first).await, ["9 100 500.0 100.0 900.0"]);
}

/// Three shows with 30 weekly episodes each. Sizes vary by a factor of four, what follows the first day by a factor of
/// two. After the first day four intervals of five should hold the week; and the projection must be far nearer to it
/// than the usual week of the show is.
async fn projections_hold(world: World) {
    const SHOWS: u32 = 2;
    const EPISODES: u32 = 30;
    world.run("UPDATE fate_day SET day = '2026-01-01' WHERE fate = 'valid' AND day = '2026-11-01'").await;
    let mut numbers = Numbers(2026);
    let mut hours = String::new();
    for n in 0..SHOWS * EPISODES {
        let (show, week) = (1 + n % SHOWS, n / SHOWS);
        let published =
            chrono::DateTime::from_timestamp(1_768_000_000 + i64::from(week) * 604_800, 0).unwrap();
        world.episode(n + 1, show, &published.format("%Y-%m-%dT%H:%M:%SZ").to_string()).await;
        let (size, tail) = (50 + numbers.below(150), 50 + numbers.below(50));
        for hour in 0..168_i64 {
            let usual = size * 24 / (hour + 12);
            let scale = if hour < 24 { 100 } else { tail };
            let downloads = usual * scale / 100 + numbers.below(3);
            write!(hours, ",({}, {hour}, {downloads}, 1)", n + 1).unwrap();
        }
    }
    let into = "INSERT INTO launch_hour (episode_id, age_hours, downloads, instance_id) VALUES";
    world.run(&format!("{into} {}", &hours[1..])).await;

    let tried = "(SELECT p.*, (SELECT median FROM launch_pace AS q WHERE q.show = p.show AND q.episode = p.episode \
                 AND q.age_hours = 167) AS usual FROM launch_projection_hour AS p \
                 WHERE p.age_hours = 23 AND p.earlier_episodes >= 9) AS tried";
    let columns = "count(*) avg(CASE WHEN downloads_7d BETWEEN low_7d AND high_7d THEN 100 ELSE 0 END):0 \
                   avg(abs(expected_7d-downloads_7d)*100/downloads_7d):1 avg(abs(usual-downloads_7d)*100/downloads_7d):1";
    // Spaces part columns.
    let columns =
        columns.replace("CASE WHEN downloads_7d BETWEEN low_7d AND high_7d THEN 100 ELSE 0 END", "100*held");
    let tried = tried.replace(
        "(SELECT p.*,",
        "(SELECT p.*, CASE WHEN p.downloads_7d BETWEEN p.low_7d AND p.high_7d THEN 1 ELSE 0 END AS held,",
    );
    let answer = world.ask(&columns, &tried).await;
    let numbers: Vec<f64> = answer[0].split(' ').map(|number| number.parse().unwrap()).collect();
    let [count, held, error, naive] = numbers[..] else { panic!("{answer:?}") };
    println!("{count} projections: {held} % held, {error} % off; the usual week is {naive} % off");
    assert!(count >= 40.0, "{answer:?}");
    assert!((65.0..=95.0).contains(&held), "four of five: {answer:?}");
    assert!(error < naive / 2.0, "{answer:?}");
}
