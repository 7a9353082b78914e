//! The marker file of a view at [`crate::MARKER`]: the cluster's name in the first line, then `key=value`
//! lines.

use std::path::PathBuf;

use crate::layout::MARKER;

/// What a command learns from the view that it runs in, without any environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The cluster whose view this is. Its socket is [`crate::SOCKET`].
    pub cluster: String,
    /// The user that the view was made for.
    pub user: String,
    /// The host folder that was kept at its path although the site replaces the folder above it
    /// ([`crate::ViewInputs::work_dir`]). A job submitted from here needs the same folder kept.
    pub kept: Option<PathBuf>,
}

impl Marker {
    /// Reads the marker of the view that this process is in; `None` outside any view.
    pub fn read() -> Option<Marker> {
        Marker::parse(&std::fs::read_to_string(MARKER).ok()?)
    }

    /// Parses the file's text. Unknown keys are passed over, so that an older command can read a newer
    /// view's marker; without a cluster there is no marker.
    pub fn parse(text: &str) -> Option<Marker> {
        let mut lines = text.lines();
        let cluster = lines.next().map(str::trim).filter(|c| !c.is_empty())?;
        let value = |key: &str| {
            lines.clone().find_map(|l| l.split_once('=').filter(|(k, _)| *k == key)).map(|(_, v)| v)
        };
        Some(Marker {
            cluster: cluster.to_owned(),
            user: value("user").unwrap_or_default().to_owned(),
            kept: value("kept").map(PathBuf::from),
        })
    }

    /// The file's text. A kept path that holds a newline is left out: it could not be read back.
    pub fn text(&self) -> String {
        let mut text = format!("{}\nuser={}\n", self.cluster, self.user);
        if let Some(kept) = self.kept.as_ref().and_then(|k| k.to_str()).filter(|k| !k.contains('\n')) {
            text.push_str(&format!("kept={kept}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn text_is_read_back(cluster in "[a-z0-9@-]{1,9}", user in "[a-z@.]{0,9}", kept in prop::option::of("/[^\n\r]{0,20}")) {
            let marker = Marker { cluster, user, kept: kept.map(PathBuf::from) };
            prop_assert_eq!(Marker::parse(&marker.text()), Some(marker));
        }

        #[test]
        fn foreign_text_never_panics(text in ".{0,80}") {
            let _ = Marker::parse(&text);
        }
    }

    #[test]
    fn a_file_without_a_cluster_is_no_marker() {
        assert_eq!(Marker::parse(""), None);
        assert_eq!(Marker::parse("\nuser=alice\n"), None);
        assert_eq!(Marker::parse("camp").map(|m| m.cluster).as_deref(), Some("camp"));
    }
}
