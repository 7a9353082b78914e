//! `bivouac setup --paths`: where namespaces are forbidden, makes the site's literal paths once, as root.

use super::{Words, fail, place, usage};
use crate::cluster::{sibling, site_of};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Response};
use bivouac_proto::place::{Account, Place};
use bivouac_site::{Cluster, User};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) fn run(mut words: Words) -> ExitCode {
    let paths = words.flag("--paths");
    let state_dir = words.value("--state-dir");
    if let Err(code) = words.end() {
        return code;
    }
    if !paths {
        return usage("setup needs --paths: that is all it can set up");
    }
    match state_dir.and_then(|dir| setup(dir.map(PathBuf::from))) {
        Ok(code) | Err(code) => code,
    }
}

/// As root for another user (`sudo bivouac setup --paths --state-dir DIR`) the state folder names the user: its owner.
fn setup(state_dir: Option<PathBuf>) -> Result<ExitCode, ExitCode> {
    use std::os::unix::fs::MetadataExt;
    let place = match state_dir {
        None => place()?,
        Some(dir) => {
            let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            Place { cluster: name, state_dir: dir, inside: false }
        }
    };
    let owner = std::fs::metadata(&place.state_dir)
        .map_err(|e| {
            fail(format!("{}: {e}; run `bivouac up` with the site first", place.state_dir.display()))
        })?
        .uid();
    let account = Account::of_uid(owner).map_err(|e| fail(format!("user {owner}: {e}")))?;
    let mut client = Client::connect(&place).map_err(|e| {
        fail(format!("cluster {} is not running ({e}); run `bivouac up` first", place.cluster))
    })?;
    let Response::Status(status) = client.call(Ask::Status).map_err(fail)? else {
        return Err(fail("the controller did not say which site it runs"));
    };
    let site = site_of(&mut client, &status.site, &account.home).map_err(fail)?;
    let exe_dir = sibling("").map_err(fail)?;
    let cluster = Cluster { name: place.cluster.clone(), state_dir: place.state_dir.clone(), exe_dir };
    let installed = site.installed(&cluster).map_err(fail)?;
    let user = User { name: account.name.clone(), home: account.home.clone() };
    let links = installed.path_links(&user);
    let made = bivouac_view::setup_paths(&links).map_err(fail)?;
    for link in &links {
        let word = if made.contains(link) { "made" } else { "was there" };
        println!("{word}: {} -> {}", link.link.display(), link.target.display());
    }
    if links.is_empty() {
        println!("site {} has no paths of its own", site.name());
    }
    Ok(ExitCode::SUCCESS)
}
