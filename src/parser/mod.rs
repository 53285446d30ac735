//! Log lines into requests: framing of a buffer, prefixes, formats, ranges, times. Pure, without policy.
