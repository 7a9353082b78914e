//! Looks after what the controller has in its state folder: a socket that somebody removed is made anew; without its folder
//! or its database it cannot keep what it promises, and ends.

use crate::connection;
use crate::mailbox::Mail;
use bivouac_proto::place::Place;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How often. A second controller waits longer than this for one that has the lock and does not answer.
const EVERY: Duration = Duration::from_secs(5);

/// Which file a path leads to: device and number; none if it leads nowhere.
type Identity = Option<(u64, u64)>;

struct Watch {
    place: Place,
    kept: [(PathBuf, Identity); 2],
    socket: Identity,
}

/// Serves clients and watches, until the process ends.
pub fn serve(place: Place, listener: UnixListener, owner: Sender<Mail>) {
    let kept = [place.state_dir.clone(), place.state_dir.join(bivouac_store::FILE)]
        .map(|p| (p.clone(), identity(&p)));
    let mut watch = Watch { socket: identity(&place.socket()), kept, place };
    accept(listener, owner.clone());
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(EVERY);
            if let Some(path) = watch.lost() {
                let _ = owner.send(Mail::Gone(path.to_owned()));
                return;
            }
            match watch.renew_socket() {
                Ok(None) => {}
                Ok(Some(listener)) => accept(listener, owner.clone()),
                Err(e) => say!("{}: {e}", watch.place.socket().display()),
            }
        }
    });
}

fn accept(listener: UnixListener, owner: Sender<Mail>) {
    std::thread::spawn(move || connection::serve(&listener, &owner));
}

impl Watch {
    fn lost(&self) -> Option<&Path> {
        self.kept.iter().find(|(path, was)| identity(path) != *was).map(|(path, _)| path.as_path())
    }

    fn renew_socket(&mut self) -> std::io::Result<Option<UnixListener>> {
        let path = self.place.socket();
        if identity(&path) == self.socket {
            return Ok(None);
        }
        let listener = self.place.listen()?;
        self.socket = identity(&path);
        Ok(Some(listener))
    }
}

fn identity(path: &Path) -> Identity {
    std::fs::symlink_metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_socket_is_renewed_and_a_replaced_folder_is_lost() {
        let tmp = tempfile::tempdir().unwrap();
        let place = Place { cluster: "c".into(), state_dir: tmp.path().join("c"), inside: false };
        place.create().unwrap();
        let _first = place.listen().unwrap();
        let kept = [(); 2].map(|()| (place.state_dir.clone(), identity(&place.state_dir)));
        let mut watch = Watch { socket: identity(&place.socket()), kept, place: place.clone() };
        assert!(watch.renew_socket().unwrap().is_none() && watch.lost().is_none());
        std::fs::remove_file(place.socket()).unwrap();
        let _second = watch.renew_socket().unwrap().expect("a new socket");
        place.connect().unwrap();
        std::fs::rename(&place.state_dir, tmp.path().join("aside")).unwrap();
        assert_eq!(watch.lost(), Some(place.state_dir.as_path()));
        place.create().unwrap();
        assert_eq!(watch.lost(), Some(place.state_dir.as_path()));
    }
}
