-- What a publisher asks for beside downloads: launch pace, listen-through, slices, reach, subscribers, exclusions and
-- the CDN's own traffic. Rows are signed sums, one for each instance, as those of the first migration; the exceptions
-- say so. The previous release goes on working: it leaves the new tables and columns alone.

INSERT INTO schema_compatibility VALUES (2, 1);

-- Downloads that were fetched as a file: one request delivered at least 90 % of it, or at least 99 % came in less than
-- a quarter of the playing time.
ALTER TABLE episode_day ADD COLUMN bulk_downloads INTEGER NOT NULL DEFAULT 0;
-- All other downloads: fetched bit by bit, as a player does.
ALTER TABLE episode_day ADD COLUMN progressive_downloads INTEGER NOT NULL DEFAULT 0;

-- Downloads by whole hour since publication, for the first 720 hours (30 days). At most 720 rows for each episode and
-- instance; none without a publication date.
CREATE TABLE launch_hour (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    age_hours INTEGER NOT NULL CHECK (age_hours BETWEEN 0 AND 719), -- whole hours from publication to the session's earliest valid request; what began before publication is in no row
    downloads INTEGER NOT NULL,                            -- sessions that are downloads
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, age_hours, instance_id)
) STRICT, WITHOUT ROWID;

-- Listen-through of progressive downloads, of all time, by hundredths of the content (the file without its leading
-- tag). An upper bound of listening: players read ahead. At most 100 rows for each episode and instance.
CREATE TABLE listen_bin (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    bin INTEGER NOT NULL CHECK (bin BETWEEN 0 AND 99),     -- hundredth of the content: bytes from content × bin ÷ 100 up to, without, content × (bin + 1) ÷ 100, both rounded down
    covered INTEGER NOT NULL,                              -- progressive downloads that received every byte of this bin
    furthest INTEGER NOT NULL,                             -- progressive downloads whose last byte of content lies in this bin; their sum over all bins is the number of sessions behind the curve
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, bin, instance_id)
) STRICT, WITHOUT ROWID;

-- Downloads by country, app and device class together, so that any of them can be crossed.
CREATE TABLE audience_slice (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    day TEXT NOT NULL,                                     -- UTC day of the session's earliest valid request
    country TEXT NOT NULL,                                 -- two-letter code of the country of that request; empty where the log does not say
    app TEXT NOT NULL,                                     -- app, browser or library by its user agent; unknown where no pattern matches
    device TEXT NOT NULL,                                  -- phone, tablet, desktop, speaker, car, tv, watch, console or unknown
    downloads INTEGER NOT NULL,                            -- sessions that are downloads
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, day, country, app, device, instance_id)
) STRICT, WITHOUT ROWID;

-- Downloads by region of a country.
CREATE TABLE region_day (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    day TEXT NOT NULL,                                     -- UTC day of the session's earliest valid request
    country TEXT NOT NULL,                                 -- two-letter code of the country of that request; empty where the log does not say
    region TEXT NOT NULL,                                  -- region as the CDN names it (Fastly: the part of ISO 3166-2 after the country); empty where the log does not say, (other) past 16,000 different ones
    downloads INTEGER NOT NULL,                            -- sessions that are downloads
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, day, country, region, instance_id)
) STRICT, WITHOUT ROWID;

-- Downloads by the class of page that led to them.
CREATE TABLE referrer_day (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    day TEXT NOT NULL,                                     -- UTC day of the session's earliest valid request
    referrer TEXT NOT NULL,                                -- class of the Referer header of that request: none, own_site, player, search, social or other
    downloads INTEGER NOT NULL,                            -- sessions that are downloads
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, day, referrer, instance_id)
) STRICT, WITHOUT ROWID;

-- The ledger of exclusions: what was not counted for an episode, why, and by which rule in which version.
CREATE TABLE exclusion_day (
    day TEXT NOT NULL,                                     -- UTC day of the request's start
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode asked for
    reason TEXT NOT NULL,                                  -- the reason, as in fate_day
    rule TEXT NOT NULL,                                    -- what decided: the list with its version and the pattern or network in it, or the field with its value; empty where the reason says all, (other) past 16,000 different ones
    requests INTEGER NOT NULL,                             -- lines
    body_bytes INTEGER NOT NULL,                           -- body bytes of these lines
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (day, episode_id, reason, rule, instance_id)
) STRICT, WITHOUT ROWID;

-- Who reads the configured feeds, from the user agents of requests answered with 200 or 304. subscribers is no sum: a
-- greater number replaces it, and over instances it is the greatest.
CREATE TABLE feed_day (
    feed TEXT NOT NULL,                                    -- path of the feed, percent-decoded once
    service TEXT NOT NULL,                                 -- name of the service that reported subscribers; empty in the row of all clients that report none, (other) past 1,000 different ones
    day TEXT NOT NULL,                                     -- UTC day of the requests' starts
    subscribers INTEGER NOT NULL,                          -- largest number of subscribers that the service reported on the day; 0 in the row without a service
    clients INTEGER NOT NULL,                              -- distinct clients (network and user agent) that asked for the feed and reported no number; 0 in the rows of services
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (feed, service, day, instance_id)
) STRICT, WITHOUT ROWID;

-- What the CDN did: every request for an episode, counted or not, but for inner requests, those logged at a shield, and
-- lines sent twice.
CREATE TABLE traffic_slice (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    day TEXT NOT NULL,                                     -- UTC day of the request's start
    status INTEGER NOT NULL,                               -- HTTP status
    pop TEXT NOT NULL,                                     -- the CDN's point of presence; empty where the log does not say, (other) past 1,000 different ones
    cache_state TEXT NOT NULL,                             -- cache state as logged; empty where the log does not say, (other) past 200 different ones
    requests INTEGER NOT NULL,                             -- lines
    body_bytes INTEGER NOT NULL,                           -- body bytes of these lines
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, day, status, pop, cache_state, instance_id)
) STRICT, WITHOUT ROWID;

-- Sets of listeners as HyperLogLog sketches, which can be merged over days and instances. At most a minute behind the
-- counted rows.
CREATE TABLE reach_sketch (
    scope TEXT NOT NULL,                                   -- episode, show or all
    scope_id INTEGER NOT NULL,                             -- the episode's or show's key; 0 for all
    span TEXT NOT NULL,                                    -- as in reach_span; only those that are not merged from days: day, release_1d, release_7d, release_30d, all
    starts TEXT NOT NULL,                                  -- as in reach_span
    sketch BLOB NOT NULL,                                  -- Apache DataSketches HLL sketch in its standard serialised form, of 64-bit keyed hashes of listeners
    key_id INTEGER,                                        -- which key the listeners were hashed under: sketches of different keys cannot be merged; null where one sketch holds listeners of several
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (scope, scope_id, span, starts, instance_id)
) STRICT;

-- Distinct listeners with at least one valid request over the standard spans: exact up to 100, then with an error of at
-- most 2 %. Absolute numbers over all instances, not sums: never add them up.
CREATE TABLE reach_span (
    scope TEXT NOT NULL,       -- episode, show or all
    scope_id INTEGER NOT NULL, -- the episode's or show's key; 0 for all
    span TEXT NOT NULL,        -- day; week (from Monday), month, rolling_7 and rolling_28 (shows and all only); release_1d, release_7d and release_30d (episodes only): the first 24, 168 and 720 hours since publication; all: of all time
    starts TEXT NOT NULL,      -- the span's first UTC day; a rolling span ends 6 or 27 days later, and has a row if somebody listened on its last day; 1970-01-01 for release spans and for all
    listeners INTEGER,         -- distinct listeners; null where the listener keys changed within the span, or differ between instances, so that nobody can tell
    PRIMARY KEY (scope, scope_id, span, starts)
) STRICT, WITHOUT ROWID;
