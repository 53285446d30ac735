//! The durable log of received batches: what was acknowledged is here.
