//! The fixed places inside a view. Everything bivouac adds to a view's root lies below [`ROOT`].

/// The folder that holds all that bivouac adds; its presence means "inside a view".
pub const ROOT: &str = "/.bivouac";
/// The cluster's state folder; the controller's socket is `ctl.sock` in it.
pub const RUN: &str = "/.bivouac/run";
/// The controller's socket, as seen inside a view.
pub const SOCKET: &str = "/.bivouac/run/ctl.sock";
/// The folder of bivouac's executables.
pub const LIBEXEC: &str = "/.bivouac/libexec";
/// Links with the names of the commands (`sbatch`, `module`, ...).
pub const BIN: &str = "/.bivouac/bin";
/// Links with the names of conda's commands.
pub const CONDABIN: &str = "/.bivouac/condabin";
/// The user's home folder on the host, reachable though `/home` is the site's.
pub const HOST_HOME: &str = "/.bivouac/host-home";
/// The small file that tells a command in which cluster's view it runs (see [`crate::Marker`]).
pub const MARKER: &str = "/.bivouac/cluster";
/// What stands in for host files (see [`crate::Step::Extend`] and [`crate::Step::Replace`]).
pub(crate) const REPLACED: &str = "/.bivouac/replaced";
/// Where a host folder stays reachable when a union had to be made of links (see [`crate::Step::Union`]).
pub(crate) const UNDER: &str = "/.bivouac/under";

/// Below the state folder: link folder of the commands as a view needs it (it appears as [`BIN`]).
pub const STATE_BIN: &str = "site/view/bin";
/// Below the state folder: link folder of conda's commands (it appears as [`CONDABIN`]).
pub const STATE_CONDABIN: &str = "site/view/condabin";
/// Below the state folder: files that a view adds to `/etc/profile.d`.
pub const STATE_PROFILE_D: &str = "site/view/profile.d";
