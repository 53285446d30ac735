//! Every metric family there is. Their names are an interface: dashboards, alerts and `docs/metrics.md` go by them.
//!
//! `castmeter_<what>_<unit>`, counters with `_total`; `process_…` as every exporter calls them. Labels come from closed
//! sets, or are bounded.

use super::definition::Definition;

/// Families that belong together, with what is to be said of all of them.
pub struct Group {
    pub title: &'static str,
    pub about: &'static str,
    pub families: &'static [Definition],
}

macro_rules! group {
    ($name:ident, $title:literal, $about:literal, { $($family:ident = $kind:ident($($part:expr),+ $(,)?);)+ }) => {
        $(pub const $family: Definition = Definition::$kind($($part),+);)+
        const $name: Group = Group { title: $title, about: $about, families: &[$($family),+] };
    };
}

/// In the order of the page and of its documentation.
pub const GROUPS: [Group; 7] = [LINES, COUNTS, TRAFFIC, ARRIVAL, RECEIVER, STORAGE, PROCESS];

group!(
    LINES,
    "Lines",
    "Each line received has exactly one fate. In every scrape, for each source: received = valid + ignored + malformed. \
`received` is counted where lines are cut from what came in, the fates where they are decided; a difference is a defect \
of castmeter. Lines are counted when they are read from the journal, so they lag behind receipt by the backlog.",
    {
        LINES_RECEIVED =
            counter("castmeter_lines_received_total", &["source"], "Lines cut from what was received.");
        LINES_VALID = counter("castmeter_lines_valid_total", &["source"], "Lines that joined a session.");
        LINES_IGNORED = counter(
            "castmeter_lines_ignored_total",
            &["source", "reason"],
            "Lines that were read but are not counted, by the reason that came first.",
        );
        LINES_MALFORMED = counter(
            "castmeter_lines_malformed_total",
            &["source", "defect"],
            "Lines that could not be read, by defect.",
        );
        FATE_BODY_BYTES = counter(
            "castmeter_fate_body_bytes_total",
            &["source", "fate"],
            "Bytes of response bodies that the lines of a fate claim; 0 for malformed ones.",
        );
    }
);

group!(
    COUNTS,
    "Downloads and listeners",
    "By the rules of the methodology, over all days together. A sum may go back (the file turns out \
to be larger than it was taken for, so what was a download is none); its counter then waits until the sum is higher than before. Episodes, apps \
and countries past their bound are together in `(other)`, and `castmeter_label_overflows_total` says so.",
    {
        DOWNLOADS = counter(
            "castmeter_downloads_total",
            &["show", "episode"],
            "Downloads (IAB v2.3), one a session at the most.",
        );
        DELIVERED_BYTES = counter(
            "castmeter_delivered_bytes_total",
            &["show", "episode"],
            "Bytes delivered to sessions, each byte of the file once a session.",
        );
        BODY_BYTES = counter(
            "castmeter_body_bytes_total",
            &["show", "episode"],
            "Bytes of response bodies of all lines for the episode, the older way of counting: bots and repeats included.",
        );
        APP_DOWNLOADS = counter(
            "castmeter_app_downloads_total",
            &["app"],
            "Downloads by the app that the user agent names.",
        );
        DEVICE_DOWNLOADS =
            counter("castmeter_device_downloads_total", &["device"], "Downloads by class of device.");
        COUNTRY_DOWNLOADS = counter(
            "castmeter_country_downloads_total",
            &["country"],
            "Downloads by country, as a two-letter code; unknown where the log does not say.",
        );
        LIVE_LISTENERS = gauge(
            "castmeter_live_listeners",
            &[],
            "Distinct listeners (network and user agent) of whom a valid line was received in the last five minutes. \
        Exact up to 32,768, then within about 1 %.",
        );
        EPISODES_SHOWN = gauge("castmeter_episodes_shown", &[], "Episodes with labels of their own.");
        LABEL_OVERFLOWS = counter(
            "castmeter_label_overflows_total",
            &["label"],
            "Changes counted under (other), because the label had as many values as it may or the value was longer than 200 bytes.",
        );
    }
);

group!(
    TRAFFIC,
    "What the CDN did",
    "Every request for an episode, counted or not, but for inner requests, those logged at a shield, lines sent twice, and lines for \
a day that is closed.",
    {
        STATUS_REQUESTS = counter("castmeter_status_requests_total", &["status"], "Requests by HTTP status.");
        POP_REQUESTS = counter(
            "castmeter_pop_requests_total",
            &["pop", "cache_state"],
            "Requests by point of presence and cache state, as logged.",
        );
        POP_BODY_BYTES = counter(
            "castmeter_pop_body_bytes_total",
            &["pop", "cache_state"],
            "Bytes of response bodies of those requests.",
        );
    }
);

group!(
    ARRIVAL,
    "Delay and backlog",
    "A request's end is its start and its duration as logged. Resolution is one second. The backlog is what was acknowledged \
and is not in the store yet; the journal holds it.",
    {
        RECEIPT_LAG = histogram(
            "castmeter_receipt_lag_seconds",
            "From the end of a request to the receipt of its line.",
        );
        COMMIT_LAG = histogram(
            "castmeter_commit_lag_seconds",
            "From the end of a request to the commit of its line to the store.",
        );
        BACKLOG_LINES = gauge(
            "castmeter_backlog_lines",
            &[],
            "Lines that are not in the store yet. Those not yet counted are estimated from the mean number of lines of a record.",
        );
        BACKLOG_SECONDS = gauge(
            "castmeter_backlog_seconds",
            &[],
            "Age of the oldest line that is not in the store yet, since its receipt; 0 if there is none.",
        );
        POSITION = gauge(
            "castmeter_journal_position_records",
            &["stage"],
            "Records of the journal, from its beginning, that are written, counted, committed to the store.",
        );
        WATERMARK = gauge(
            "castmeter_watermark_timestamp_seconds",
            &[],
            "How far requests have come, as Unix time; days close by it. 0 before the first line.",
        );
    }
);

group!(RECEIVER, "Receivers", "By transport: http or syslog.", {
    CONNECTIONS = gauge("castmeter_receiver_connections", &["transport"], "Open connections.");
    BATCHES = counter("castmeter_receiver_batches_total", &["transport"], "Batches that were acknowledged.");
    RECEIVED_BYTES = counter(
        "castmeter_receiver_received_bytes_total",
        &["transport"],
        "Bytes of acknowledged batches, as received.",
    );
    INFLATED_BYTES = counter(
        "castmeter_receiver_inflated_bytes_total",
        &["transport"],
        "Bytes of acknowledged batches, inflated.",
    );
    INCIDENTS = counter(
        "castmeter_receiver_incidents_total",
        &["transport", "incident"],
        "What was refused or went wrong.",
    );
});

group!(STORAGE, "State, journal and store", "", {
    SESSIONS = gauge("castmeter_sessions_open", &[], "Sessions held in memory.");
    STATE_BYTES = gauge(
        "castmeter_state_bytes",
        &[],
        "Memory that counting keeps for open days, estimated from the sizes of its tables.",
    );
    GAPS_CLOSED = counter(
        "castmeter_coverage_gaps_closed_total",
        &[],
        "Times a session had more byte ranges than it may hold, and its smallest gap was closed.",
    );
    CATALOG_EPISODES = gauge(
        "castmeter_catalog_episodes",
        &[],
        "Episodes that the catalogue's sources tell of; 0 without a catalogue.",
    );
    CATALOG_REFRESHES = counter(
        "castmeter_catalog_refreshes_total",
        &["result"],
        "Looks at the catalogue's sources: ok, or failed where one of them could not be read.",
    );
    CATALOG_REFRESHED = gauge(
        "castmeter_catalog_refreshed_timestamp_seconds",
        &[],
        "When all sources of the catalogue could be read last, as Unix time; 0 before the first time, and without a catalogue.",
    );
    JOURNAL_BYTES = gauge("castmeter_journal_bytes", &[], "What the journal's segments hold.");
    JOURNAL_LIMIT =
        gauge("castmeter_journal_limit_bytes", &[], "What the journal may hold (journal.max_bytes).");
    JOURNAL_DISK_FREE =
        gauge("castmeter_journal_disk_free_bytes", &[], "Free space on the disk of the data folder.");
    JOURNAL_SEGMENTS = gauge("castmeter_journal_segments", &[], "Segment files.");
    JOURNAL_FULL = gauge("castmeter_journal_full", &[], "1 while the journal takes no more.");
    JOURNAL_REFUSED = counter(
        "castmeter_journal_refused_batches_total",
        &[],
        "Batches refused because the journal was full; their senders try again.",
    );
    JOURNAL_APPENDED = counter("castmeter_journal_appended_records_total", &[], "Records written.");
    JOURNAL_APPENDED_BYTES =
        counter("castmeter_journal_appended_bytes_total", &[], "Bytes of the payloads of records written.");
    JOURNAL_SYNC =
        histogram("castmeter_journal_sync_seconds", "How long each fsync took, failed ones included.");
    JOURNAL_SYNC_FAILURES = counter("castmeter_journal_sync_failures_total", &[], "fsyncs that failed.");
    JOURNAL_DAMAGES =
        counter("castmeter_journal_damages_total", &[], "Places of the journal that could not be read.");
    JOURNAL_LOST = counter("castmeter_journal_lost_records_total", &[], "Records lost in those places.");
    STORE_COMMIT = histogram(
        "castmeter_store_commit_seconds",
        "How long each commit took, from the first attempt to success.",
    );
    STORE_COMMITS = counter("castmeter_store_commits_total", &[], "Commits that succeeded.");
    STORE_FAILURES = counter(
        "castmeter_store_failures_total",
        &[],
        "Attempts at the store that failed and are made again.",
    );
});

group!(PROCESS, "Process", "From `/proc`; on other systems than Linux only the first.", {
    BUILD = info("castmeter_build_info", &["version"], "The version that runs.");
    PROCESS_CPU = counter("process_cpu_seconds_total", &[], "CPU time spent, user and system.");
    PROCESS_RESIDENT = gauge("process_resident_memory_bytes", &[], "Resident memory.");
    PROCESS_VIRTUAL = gauge("process_virtual_memory_bytes", &[], "Virtual memory.");
    PROCESS_OPEN_FDS = gauge("process_open_fds", &[], "Open file descriptors.");
    PROCESS_MAX_FDS = gauge("process_max_fds", &[], "File descriptors that may be open.");
    PROCESS_THREADS = gauge("process_threads", &[], "Threads.");
    PROCESS_START = gauge("process_start_time_seconds", &[], "When the process started, as Unix time.");
});
