//! Curves and pace: dense hours, quartiles of earlier episodes.

use super::world::World;

super::in_both!(
    a_curve_has_no_gaps_and_ends_now,
    launches_that_were_not_seen_have_no_curve,
    pace_is_measured_against_earlier_episodes,
    quartiles_are_interpolated_linearly,
    only_the_latest_fifty_count,
);

/// Published twelve and a half hours before the last commit: twelve hours are complete, the thirteenth has begun.
async fn a_curve_has_no_gaps_and_ends_now(world: World) {
    world.episode(1, 1, "2026-11-29T12:00:00Z").await;
    world
        .insert("launch_hour (episode_id, age_hours, downloads, instance_id)", &["1, 3, 4, 1", "1, 0, 5, 1"])
        .await;
    world.insert("launch_hour (episode_id, age_hours, downloads, instance_id)", &["1, 0, 2, 2"]).await;
    let curve =
        world.ask("show episode age_hours downloads cumulative", "launch_curve ORDER BY age_hours").await;
    let tail: Vec<_> = (4..=12).map(|hour| format!("alpha 1 {hour} 0 11")).collect();
    assert_eq!(curve[..4], ["alpha 1 0 7 7", "alpha 1 1 0 7", "alpha 1 2 0 7", "alpha 1 3 4 11"]);
    assert_eq!(curve[4..], tail);
    let pace =
        world.ask("age_hours cumulative earlier_episodes median:1", "launch_pace ORDER BY age_hours").await;
    assert_eq!((pace.len(), pace[11].as_str()), (12, "11 11 0 -"));
    // Nobody has asked for it yet.
    world.episode(2, 2, "2026-11-30T00:00:00Z").await;
    assert_eq!(
        world.ask("age_hours downloads cumulative", "launch_curve WHERE episode = '2'").await,
        ["0 0 0"]
    );
    // A whole launch has 720 hours, however old the episode.
    world.run("UPDATE instance SET committed_at = '2027-02-01T00:00:00Z' WHERE id = 1").await;
    let whole = "launch_curve WHERE episode = '1' AND age_hours >= 718 ORDER BY age_hours";
    assert_eq!(world.ask("age_hours cumulative", whole).await, ["718 11", "719 11"]);
}

async fn launches_that_were_not_seen_have_no_curve(world: World) {
    for (key, published_at) in
        [(1, "2026-10-31T23:59:59Z"), (2, "2026-11-01T00:00:00Z"), (3, "2026-11-30T00:30:01Z")]
    {
        world.episode(key, 1, published_at).await;
        world.launch(key, &[(0, 5)]).await;
    }
    assert_eq!(world.ask("episode", "(SELECT DISTINCT episode FROM launch_curve) AS seen").await, ["2"]);
    let reach =
        world.ask("episode downloads_1d downloads_7d downloads_30d", "episode_reach ORDER BY episode").await;
    assert_eq!(reach, ["1 - - -", "2 5 5 5", "3 - - -"]);
}

/// Hour 0 of the earlier episodes: 10, 40, 20, 80. So below the fifth lie 10, 20, 40, 80: a quarter of the way is
/// 17.5, half 30, three quarters 50.
async fn pace_is_measured_against_earlier_episodes(world: World) {
    for (key, downloads) in [(1, 10), (2, 40), (3, 20), (4, 80), (5, 60)] {
        world.episode(key, 1, &format!("2026-11-0{key}T06:00:00Z")).await;
        world.launch(key, &[(0, downloads), (2, 1)]).await;
    }
    // Of another show, or later: not compared with.
    world.episode(6, 2, "2026-11-02T06:00:00Z").await;
    world.launch(6, &[(0, 7000)]).await;
    world.episode(7, 1, "2026-11-05T06:00:01Z").await;
    world.launch(7, &[(0, 9000)]).await;
    let columns = "episode cumulative earlier_episodes p25:1 median:1 p75:1 difference:1 ratio:2";
    let first =
        world.ask(columns, "launch_pace WHERE age_hours = 0 AND show = 'alpha' ORDER BY episode").await;
    assert_eq!(
        first,
        [
            "1 10 0 - - - - -",
            "2 40 1 - - - - -",
            "3 20 2 - - - - -",
            "4 80 3 15.0 20.0 30.0 60.0 4.00",
            "5 60 4 17.5 30.0 50.0 30.0 2.00",
            "7 9000 5 20.0 40.0 60.0 8960.0 225.00",
        ]
    );
    let later =
        "launch_pace WHERE show = 'alpha' AND episode = '5' AND age_hours IN (1, 719) ORDER BY age_hours";
    assert_eq!(world.ask("age_hours cumulative median:1", later).await, ["1 60 30.0"]);
    world.run("UPDATE instance SET committed_at = '2027-02-01T00:00:00Z' WHERE id = 1").await;
    assert_eq!(world.ask("age_hours cumulative median:1", later).await, ["1 60 30.0", "719 61 31.0"]);
}

/// Against another way of working them out, for any number of earlier episodes.
async fn quartiles_are_interpolated_linearly(world: World) {
    let downloads: Vec<i64> = (0..14).map(|n| 5 + n * 7919 % 101).collect();
    let mut expected = Vec::new();
    for (n, own) in downloads.iter().enumerate() {
        let key = u32::try_from(n).unwrap() + 1;
        world.episode(key, 1, &format!("2026-11-{key:02}T00:00:00Z")).await;
        world.launch(key, &[(0, *own)]).await;
        let mut earlier = downloads[..n].to_vec();
        earlier.sort_unstable();
        if n >= 3 {
            let [p25, median, p75] = [0.25, 0.5, 0.75].map(|part| percentile(&earlier, part));
            expected.push(format!("{own} {n} {p25:.2} {median:.2} {p75:.2}"));
        }
    }
    let pace = "launch_pace WHERE age_hours = 0 AND earlier_episodes >= 3 ORDER BY published_at";
    assert_eq!(world.ask("cumulative earlier_episodes p25:2 median:2 p75:2", pace).await, expected);
}

fn percentile(sorted: &[i64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] as f64 + place.fract() * (sorted[above] - sorted[below]) as f64
}

/// Of 60 earlier ones, with 1 to 60 downloads, the latest 50 have 11 to 60: the median is 35.5.
async fn only_the_latest_fifty_count(world: World) {
    for key in 1..=61 {
        world.episode(key, 1, &format!("2026-11-{:02}T{:02}:00:00Z", 1 + key / 24, key % 24)).await;
        world.launch(key, &[(0, key.into())]).await;
    }
    let pace = "launch_pace WHERE episode = '61' AND age_hours = 0";
    assert_eq!(world.ask("cumulative earlier_episodes median:1", pace).await, ["61 50 35.5"]);
}
