//! The store on real databases: exactly once, whatever fails.

mod both;
mod faults;
pub mod fixture;
mod instances;
mod postgres;
mod reach;
mod sqlite;
