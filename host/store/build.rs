//! Builds the crate again when a migration of the store is changed.

fn main() {
    println!("cargo::rerun-if-changed=src/sqlite/migrations");
}
