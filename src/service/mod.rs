//! Wiring: what runs, in which order it starts and stops.
