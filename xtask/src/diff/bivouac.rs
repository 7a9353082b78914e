//! bivouac on the reference's configuration.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::reference::succeed;
use super::system::{Account, System};

/// Starts a cluster of the account's in `folder`, on the slurm.conf in the folder `configuration`.
///
/// # Errors
/// What `bivouac` said.
pub fn start(
    programs: &Path,
    configuration: &Path,
    folder: &Path,
    account: &Account,
) -> Result<System, String> {
    let io = |e: std::io::Error| format!("{}: {e}", folder.display());
    for name in ["", "bin", "home", "work", "said", "state"] {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).map_err(io)?;
        std::os::unix::fs::chown(&path, Some(account.uid), Some(account.gid)).map_err(io)?;
    }
    let system = System {
        name: "bivouac",
        folder: folder.to_owned(),
        configuration: configuration.to_owned(),
        variables: vec![
            ("BIVOUAC_STATE_DIR".to_owned(), folder.join("state").display().to_string()),
            ("BIVOUAC_CLUSTER".to_owned(), "reference".to_owned()),
        ],
    };
    let program = programs.join("bivouac");
    let program = program.to_string_lossy();
    succeed(system.command(&program, account).arg("link").arg(folder.join("bin")))?;
    // For the guard: the daemons bring each other back, so that they have to be asked.
    let stop = folder.join("stop");
    let state = folder.join("state");
    let text = format!(
        "#!/bin/sh\nBIVOUAC_STATE_DIR='{}' BIVOUAC_CLUSTER=reference exec '{program}' down --cancel\n",
        state.display()
    );
    std::fs::write(&stop, text).map_err(io)?;
    std::fs::set_permissions(&stop, PermissionsExt::from_mode(0o755)).map_err(io)?;
    succeed(system.command(&program, account).args(["up", "--slurm-conf"]).arg(configuration))?;
    Ok(system)
}
