//! The summary tables say what the rows they sum up say, whatever is done to these.

use super::world::World;
use crate::store::fixture::Numbers;

super::in_both!(summaries_follow_every_change);

/// Where a summary and the sum itself differ.
const DIFFERENCES: [&str; 2] = [
    "(SELECT episode_id, instance_id, downloads, bulk_downloads, progressive_downloads, body_bytes FROM episode_total \
     EXCEPT SELECT episode_id, instance_id, sum(downloads), sum(bulk_downloads), sum(progressive_downloads), \
     sum(body_bytes) FROM episode_day GROUP BY episode_id, instance_id) AS wrong WHERE downloads <> 0 OR body_bytes <> 0",
    "(SELECT episode_id, age_hours, downloads, cumulative, \
     coalesce((SELECT sum(h.downloads) FROM launch_hour AS h WHERE h.episode_id = t.episode_id AND h.age_hours = t.age_hours), 0) AS hour, \
     coalesce((SELECT sum(h.downloads) FROM launch_hour AS h WHERE h.episode_id = t.episode_id AND h.age_hours <= t.age_hours), 0) AS so_far \
     FROM launch_total AS t) AS wrong WHERE downloads <> hour OR cumulative <> so_far",
];

async fn summaries_follow_every_change(world: World) {
    for key in 1..=3 {
        world.episode(key, 1, "2026-11-01T00:00:00Z").await;
    }
    let mut numbers = Numbers(7);
    for _ in 0..60 {
        let (episode, instance) = (1 + numbers.below(3), 1 + numbers.below(2));
        let (hour, day, n) = (numbers.below(40), 1 + numbers.below(9), numbers.below(9) - 3);
        let changes = match numbers.below(6) {
            0 => format!(
                "DELETE FROM launch_hour WHERE episode_id = {episode} AND age_hours < {hour}; \
                 DELETE FROM episode_day WHERE episode_id = {episode} AND instance_id = {instance}"
            ),
            1 => format!("UPDATE launch_hour SET downloads = downloads + {n} WHERE instance_id = {instance}"),
            _ => format!(
                "INSERT INTO launch_hour AS t (episode_id, age_hours, downloads, instance_id) \
                 VALUES ({episode}, {hour}, {n}, {instance}), ({episode}, {hour} + 7, 1, {instance}) \
                 ON CONFLICT (episode_id, age_hours, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads; \
                 INSERT INTO episode_day AS t (episode_id, day, downloads, bulk_downloads, progressive_downloads, \
                 listeners, requests, delivered_bytes, body_bytes, addresses, instance_id) \
                 VALUES ({episode}, '2026-11-0{day}', {n}, 1, {n} - 1, 1, 1, 1, 7 * {n}, 1, {instance}) \
                 ON CONFLICT (episode_id, day, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads, \
                 body_bytes = t.body_bytes + excluded.body_bytes"
            ),
        };
        world.run(&changes).await;
        for difference in DIFFERENCES {
            assert_eq!(world.ask("episode_id", difference).await, [""; 0], "after {changes}");
        }
    }
    // No gap, and as far as any row has been.
    let gaps = "(SELECT episode_id, count(*) AS hours, max(age_hours) AS last FROM launch_total GROUP BY episode_id) AS t \
                WHERE hours <> last + 1";
    assert_eq!(world.ask("episode_id", gaps).await, [""; 0]);
    assert_eq!(world.ask("count(*)", "(SELECT DISTINCT episode_id FROM launch_total) AS t").await, ["3"]);
}
