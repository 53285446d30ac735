//! Where lines come in: HTTP and syslog, their limits, decompression. Knows no log format.
