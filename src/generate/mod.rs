//! Deterministic, realistic Fastly traffic for demos, tests and measurements.
