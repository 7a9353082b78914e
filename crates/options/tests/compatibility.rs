//! docs/compatibility.md is the table's own word.

// The switch that rewrites the document is the one variable that a test of a pure crate reads.
#![allow(clippy::disallowed_methods)]

use std::path::Path;

#[test]
fn the_compatibility_document_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
    let fresh = bivouac_options::compatibility::document();
    if std::env::var_os("BIVOUAC_BLESS").is_some_and(|v| v == "1") {
        std::fs::write(&path, &fresh).expect("docs/compatibility.md can be written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == fresh,
        "docs/compatibility.md is stale; make it anew with: BIVOUAC_BLESS=1 cargo test -p bivouac-options --test compatibility"
    );
}
