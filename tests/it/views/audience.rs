//! Slices, exclusions, subscribers and traffic: sums over instances, with the names of shows and episodes.

use super::world::World;

super::in_both!(
    slices_add_up_over_instances,
    a_changed_list_shows_side_by_side,
    subscribers_are_the_largest_number
);

async fn slices_add_up_over_instances(world: World) {
    world.episode(1, 1, "2026-11-01T00:00:00Z").await;
    let day = "'2026-11-05'";
    for (into, key, view, columns, expected) in [
        (
            "audience_slice (episode_id, day, country, app, device, downloads, instance_id)",
            "'DE', 'Castro', 'phone'",
            "audience_day",
            "show episode day country app device downloads",
            "alpha 1 2026-11-05 DE Castro phone 7",
        ),
        (
            "region_day (episode_id, day, country, region, downloads, instance_id)",
            "'DE', 'BY'",
            "audience_region_day",
            "show episode day country region downloads",
            "alpha 1 2026-11-05 DE BY 7",
        ),
        (
            "referrer_day (episode_id, day, referrer, downloads, instance_id)",
            "'social'",
            "audience_referrer_day",
            "show episode day referrer downloads",
            "alpha 1 2026-11-05 social 7",
        ),
    ] {
        world.insert(into, &[&format!("1, {day}, {key}, 3, 1"), &format!("1, {day}, {key}, 4, 2")]).await;
        assert_eq!(world.ask(columns, view).await, [expected]);
    }
    world
        .insert(
            "traffic_slice (episode_id, day, status, pop, cache_state, requests, body_bytes, instance_id)",
            &["1, '2026-11-05', 206, 'FRA', 'HIT', 3, 30, 1", "1, '2026-11-05', 206, 'FRA', 'HIT', 4, 40, 2"],
        )
        .await;
    let columns = "show episode day status pop cache_state requests body_bytes";
    assert_eq!(world.ask(columns, "traffic_day").await, ["alpha 1 2026-11-05 206 FRA HIT 7 70"]);
    world
        .insert(
            "episode_hour (episode_id, hour, downloads, instance_id)",
            &["1, '2026-11-05T05:00:00Z', 3, 1", "1, '2026-11-05T05:00:00Z', 4, 2"],
        )
        .await;
    assert_eq!(world.ask("show episode downloads", "downloads_hour").await, ["alpha 1 7"]);
}

/// On the second day a new version of the list is in force: it leaves one pattern out and has a new one.
async fn a_changed_list_shows_side_by_side(world: World) {
    world.episode(1, 1, "2026-11-01T00:00:00Z").await;
    world.episode(2, 1, "2026-11-01T00:00:00Z").await;
    world
        .insert(
            "exclusion_day (day, episode_id, reason, rule, requests, body_bytes, instance_id)",
            &[
                "'2026-11-01', 1, 'bot', 'list 1: old', 5, 50, 1",
                "'2026-11-01', 2, 'bot', 'list 1: old', 2, 20, 2",
                "'2026-11-01', 1, 'probe', '', 9, 18, 1",
                "'2026-11-02', 1, 'bot', 'list 2: new', 6, 60, 1",
                "'2026-11-02', 1, 'probe', '', 8, 16, 1",
            ],
        )
        .await;
    assert_eq!(
        world
            .ask(
                "show episode day reason requests body_bytes",
                "exclusions_day WHERE rule = 'list 1: old' ORDER BY episode"
            )
            .await,
        ["alpha 1 2026-11-01 bot 5 50", "alpha 2 2026-11-01 bot 2 20"]
    );
    let changes = "exclusion_changes WHERE day = '2026-11-02' ORDER BY reason, rule";
    assert_eq!(
        world.ask("show reason requests requests_before body_bytes body_bytes_before rule", changes).await,
        ["alpha bot 0 7 0 70 list 1: old", "alpha bot 6 0 60 0 list 2: new", "alpha probe 8 9 16 18 "]
    );
}

async fn subscribers_are_the_largest_number(world: World) {
    world
        .insert(
            "feed_day (feed, service, day, subscribers, clients, instance_id)",
            &[
                "'/feed', 'Overcast', '2026-11-01', 300, 0, 1",
                "'/feed', 'Overcast', '2026-11-01', 310, 0, 2",
                "'/feed', '', '2026-11-01', 0, 7, 1",
                "'/feed', '', '2026-11-01', 0, 8, 2",
                "'/feed', '', '2026-11-02', 0, 9, 2",
            ],
        )
        .await;
    assert_eq!(
        world.ask("feed day subscribers clients service", "subscribers_day ORDER BY day, service").await,
        ["/feed 2026-11-01 0 - ", "/feed 2026-11-01 310 0 Overcast", "/feed 2026-11-02 0 9 "]
    );
}
