//! Both ways of counting, and the parts of their difference.

use super::world::World;

super::in_both!(the_parts_add_up);

const DAY: &str = "episode_day (episode_id, day, downloads, listeners, requests, delivered_bytes, body_bytes, addresses, \
                   instance_id)";

/// A file of 1,000,000 bytes. One listener fetches it twice (2,000,000 sent, 1,000,000 delivered), another gets 300,000
/// of it, which is a download too, a third 10,000, which is none. A bot takes it whole, a data centre half of it, a VPN
/// 100,000; a probe 2; a HEAD answer claims 500, a redirect 77, a missing page 23.
///
/// Delivered: 1,000,000 + 300,000 + 10,000. Two downloads are 2,000,000, so 690,000 are lacking. The older way counts
/// all but redirect and missing page: 2,310,000 + 1,000,000 + 500,000 + 100,000 + 2 + 500.
async fn the_parts_add_up(world: World) {
    world.episode(1, 1, "2026-11-01T00:00:00Z").await;
    world.insert(DAY, &["1, '2026-11-05', 2, 3, 4, 1310000, 3910502, 9, 1"]).await;
    world
        .insert(
            "exclusion_day (day, episode_id, reason, rule, requests, body_bytes, instance_id)",
            &[
                "'2026-11-05', 1, 'bot', 'list: x', 1, 1000000, 1",
                "'2026-11-05', 1, 'datacenter', 'proxy_type=hosting', 1, 500000, 1",
                "'2026-11-05', 1, 'vpn', 'vpn', 1, 100000, 1",
                "'2026-11-05', 1, 'probe', '', 1, 2, 1",
                "'2026-11-05', 1, 'method', '', 1, 500, 1",
                "'2026-11-05', 1, 'status', '', 2, 100, 1",
                "'2026-11-06', 1, 'bot', 'list: x', 1, 9, 1",
            ],
        )
        .await;
    world
        .insert(
            "traffic_slice (episode_id, day, status, pop, cache_state, requests, body_bytes, instance_id)",
            &[
                "1, '2026-11-05', 200, '', '', 8, 3910502, 1",
                "1, '2026-11-05', 301, '', '', 1, 77, 1",
                "1, '2026-11-05', 404, '', '', 1, 23, 1",
            ],
        )
        .await;
    world
        .insert(
            "reach_span (scope, scope_id, span, starts, listeners)",
            &["'episode', 1, 'day', '2026-11-05', 3"],
        )
        .await;
    assert_eq!(
        world
            .ask(
                "show episode day downloads listeners requests file_equivalents:4 addresses body_bytes",
                "parity"
            )
            .await,
        ["alpha 1 2026-11-05 2 3 4 3.9105 9 3910502"]
    );
    let parts = "file_bytes partial_bytes refetched_bytes bot_bytes network_bytes probe_bytes other_bytes";
    assert_eq!(world.ask(parts, "parity").await, ["1000000 690000 1000000 1000000 600000 2 500"]);
    let identity = "body_bytes-(downloads*file_bytes-partial_bytes+refetched_bytes+bot_bytes+network_bytes+probe_bytes+other_bytes)";
    assert_eq!(world.ask(identity, "parity").await, ["0"]);
    // With a second instance the sums go on, distinct addresses do not.
    world.insert(DAY, &["1, '2026-11-05', 1, 1, 1, 1000000, 1000000, 1, 2"]).await;
    assert_eq!(
        world.ask(&format!("downloads addresses partial_bytes refetched_bytes {identity}"), "parity").await,
        ["3 - 690000 1000000 0"]
    );
    // Without a size there is nothing to divide by.
    world.run("UPDATE episode SET bytes = NULL").await;
    assert_eq!(
        world.ask("file_equivalents:2 partial_bytes refetched_bytes", "parity").await,
        ["- - 1000000"]
    );
}
