//! Reach of episodes and shows, and listen-through.

use super::world::World;

super::in_both!(
    episodes_and_shows_have_their_reach,
    a_curve_of_listening_has_its_coverage,
    few_sessions_make_no_curve,
    chapters_are_points_on_the_curve,
);

const DAY: &str = "episode_day (episode_id, day, downloads, bulk_downloads, progressive_downloads, listeners, requests, \
                   delivered_bytes, body_bytes, addresses, instance_id)";
const SPAN: &str = "reach_span (scope, scope_id, span, starts, listeners)";

/// Two instances, of which each saw a part; the last commit was on 2026-11-30, so the last seven days begin on the 24th.
async fn episodes_and_shows_have_their_reach(world: World) {
    world.episode(1, 1, "2026-11-01T00:00:00Z").await;
    world.episode(2, 1, "2026-11-29T00:00:00Z").await;
    world.launch(1, &[(0, 3), (23, 2), (24, 10), (167, 100), (168, 1000), (719, 5)]).await;
    world
        .insert(
            DAY,
            &[
                "1, '2026-11-01', 5, 2, 3, 5, 9, 2000000, 3000000, 4, 1",
                "1, '2026-11-01', 1, 1, 0, 1, 1, 1000000, 1000000, 1, 2",
                "1, '2026-11-23', 7, 7, 0, 7, 7, 0, 500000, 7, 1",
                "1, '2026-11-24', 11, 11, 0, 7, 7, 0, 0, 7, 1",
                "2, '2026-11-30', 20, 20, 0, 7, 7, 0, 0, 7, 2",
                "2, '2026-11-02', 40, 40, 0, 7, 7, 0, 0, 7, 2",
            ],
        )
        .await;
    world
        .insert(
            SPAN,
            &[
                "'episode', 1, 'release_7d', '1970-01-01', 90",
                "'episode', 1, 'all', '1970-01-01', NULL",
                "'show', 1, 'rolling_7', '2026-11-24', 66",
                "'show', 1, 'rolling_28', '2026-11-02', 77",
                "'show', 1, 'rolling_28', '2026-11-01', 78",
                "'show', 1, 'all', '1970-01-01', 88",
                "'show', 2, 'rolling_7', '2026-11-23', 5",
                "'show', 2, 'rolling_28', '2026-10-31', 6",
                "'all', 0, 'week', '2026-11-23', 99",
            ],
        )
        .await;
    let columns = "show episode downloads_1d downloads_7d downloads_30d downloads_all listeners_7d listeners_all \
                   file_equivalents:2";
    assert_eq!(
        world.ask(columns, "episode_reach ORDER BY episode").await,
        ["alpha 1 5 115 1120 24 90 - 4.50", "alpha 2 0 0 0 60 - - 0.00"]
    );
    // November has 30 days: the last 28 begin on the 3rd.
    let columns = "show episodes downloads_last_7d downloads_last_28d downloads_all listeners_last_7d \
                   listeners_last_28d listeners_all file_equivalents:2";
    assert_eq!(
        world.ask(columns, "show_reach ORDER BY show").await,
        ["alpha 2 31 38 84 66 77 88 4.50", "beta 0 0 0 0 5 - - -"]
    );
    assert_eq!(
        world
            .ask("scope show episode span starts listeners", "listeners_span WHERE listeners > 87 ORDER BY 1")
            .await,
        [
            "all - - week 2026-11-23 99",
            "episode alpha 1 release_7d 1970-01-01 90",
            "show alpha - all 1970-01-01 88"
        ]
    );
    assert_eq!(
        world
            .ask(
                "episode day downloads bulk_downloads listeners requests",
                "downloads_day WHERE day = '2026-11-01'"
            )
            .await,
        ["1 2026-11-01 6 3 - 10"]
    );
    assert_eq!(
        world
            .ask("day downloads requests delivered_bytes", "show_day WHERE day < '2026-11-03' ORDER BY day")
            .await,
        ["2026-11-01 6 10 3000000", "2026-11-02 40 7 0"]
    );
}

/// Eight sessions of twenty downloads. All received the first two hundredths, four the third; one stopped within the
/// second, four within the third, three reached the end: half of them, four, had stopped by the third.
async fn a_curve_of_listening_has_its_coverage(world: World) {
    world.episode(1, 1, "2026-11-01T00:00:00Z").await;
    world.insert(DAY, &["1, '2026-11-01', 20, 11, 9, 20, 20, 0, 0, 1, 1"]).await;
    world
        .insert(
            "listen_bin (episode_id, bin, covered, furthest, instance_id)",
            &["1, 0, 5, 0, 1", "1, 0, 3, 0, 2", "1, 1, 8, 1, 1", "1, 2, 4, 4, 1", "1, 99, 3, 3, 2"],
        )
        .await;
    let columns =
        "show episode downloads bulk_downloads progressive_downloads sessions coverage:2 median_furthest:2";
    assert_eq!(world.ask(columns, "listen_summary").await, ["alpha 1 20 11 9 8 0.40 0.03"]);
    let curve = world
        .ask(
            "bin starts_seconds:0 share:3 sessions coverage:2 median_furthest:2",
            "listen_through ORDER BY bin",
        )
        .await;
    assert_eq!(curve.len(), 100);
    assert_eq!(
        curve[..4],
        [
            "0 0 1.000 8 0.40 0.03",
            "1 10 1.000 8 0.40 0.03",
            "2 20 0.500 8 0.40 0.03",
            "3 30 0.000 8 0.40 0.03"
        ]
    );
    assert_eq!(curve[99], "99 990 0.375 8 0.40 0.03");
}

async fn few_sessions_make_no_curve(world: World) {
    world.episode(1, 1, "2026-11-01T00:00:00Z").await;
    world.insert(DAY, &["1, '2026-11-01', 20, 16, 4, 20, 20, 0, 0, 1, 1"]).await;
    let bins = "listen_bin (episode_id, bin, covered, furthest, instance_id)";
    world.insert(bins, &["1, 99, 4, 4, 1"]).await;
    world.insert("chapter (episode_id, number, start_seconds, title)", &["1, 1, 0.0, 'Begin'"]).await;
    assert_eq!(world.ask("sessions coverage:2 median_furthest:2", "listen_summary").await, ["4 0.20 -"]);
    assert_eq!(world.ask("bin", "listen_through").await, [""; 0]);
    assert_eq!(world.ask("number", "chapter_reach").await, [""; 0]);
    world.insert(bins, &["1, 0, 0, 1, 2"]).await;
    assert_eq!(world.ask("share:2", "listen_through WHERE bin = 99").await, ["0.80"]);
    assert_eq!(world.ask("number", "chapter_reach").await, ["1"]);
}

/// 1,000 s: the hundredth that a second lies in is a tenth of it. What begins behind the end is no point on the curve.
async fn chapters_are_points_on_the_curve(world: World) {
    world.episode(1, 1, "2026-11-01T00:00:00Z").await;
    world.insert(DAY, &["1, '2026-11-01', 20, 10, 10, 20, 20, 0, 0, 1, 1"]).await;
    world
        .insert(
            "listen_bin (episode_id, bin, covered, furthest, instance_id)",
            &["1, 0, 9, 0, 1", "1, 29, 7, 0, 1", "1, 30, 6, 0, 1", "1, 99, 2, 10, 1"],
        )
        .await;
    world
        .insert(
            "chapter (episode_id, number, start_seconds, title)",
            &[
                "1, 1, 0.0, 'Begin'",
                "1, 2, 299.999, 'Before'",
                "1, 3, 300.0, 'At'",
                "1, 4, 999.9, 'End'",
                "1, 5, 1000.0, 'Behind'",
            ],
        )
        .await;
    assert_eq!(
        world
            .ask(
                "number chapter starts_seconds:3 bin share:2 sessions coverage:2",
                "chapter_reach ORDER BY number"
            )
            .await,
        [
            "1 Begin 0.000 0 0.90 10 0.50",
            "2 Before 299.999 29 0.70 10 0.50",
            "3 At 300.000 30 0.60 10 0.50",
            "4 End 999.900 99 0.20 10 0.50"
        ]
    );
}
