//! Rebuilds when a migration is added: `sqlx::migrate!` embeds the folders, cargo watches only known files.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
