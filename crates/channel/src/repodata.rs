//! The index of a channel: one `repodata.json` in each platform folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::error::{At, Error};
use crate::package::{Record, platform_subdir};

/// Writes `repodata.json` for this machine's platform and for `noarch`; conda's clients need both to exist.
///
/// # Errors
/// A file cannot be written.
pub fn write(channel: &Path, records: &[Record]) -> Result<(), Error> {
    for subdir in [platform_subdir(), "noarch"] {
        let packages: BTreeMap<&str, &Record> = records
            .iter()
            .filter(|record| record.index.get("subdir").is_some_and(|own| own == subdir))
            .map(|record| (record.file.as_str(), record))
            .collect();
        let repodata = json!({
            "info": { "subdir": subdir },
            "packages": {},
            "packages.conda": packages,
            "removed": [],
            "repodata_version": 1,
        });
        let folder = channel.join(subdir);
        std::fs::create_dir_all(&folder).at("cannot make the folder", &folder)?;
        let path = folder.join("repodata.json");
        std::fs::write(&path, format!("{repodata:#}\n")).at("cannot write", &path)?;
    }
    Ok(())
}
