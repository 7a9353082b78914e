//! Bad input harms nobody but its sender.

use bivouac_e2e::{Camp, is_root};
use bivouac_proto::frame;
use bivouac_proto::message::{Ask, Request, Response};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

fn up() -> Camp {
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    camp
}

fn header(version: u16, length: u32) -> Vec<u8> {
    [b"BVK1".as_slice(), &version.to_le_bytes(), &length.to_le_bytes()].concat()
}

fn refusal(stream: &mut UnixStream) -> String {
    match frame::read::<Response>(stream).unwrap() {
        Response::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error_without_a_panic() {
    let camp = up();
    for command in ["sbatch --wrap true", "squeue -i 1", "scontrol show hostnames n1", "bivouac status"] {
        let said = camp.run("sh", ["-c", &format!("{command} >/dev/full")]);
        assert_eq!((said.code, said.err.contains("panicked")), (1, false), "{command}: {said:?}");
    }
}

#[test]
fn garbage_oversize_and_foreign_versions_are_refused_while_others_are_served() {
    let camp = up();
    let mut good = camp.place().connect().unwrap();
    let cases: [(Vec<u8>, &str); 4] = [
        (b"GET / HTTP/1.0\r\n\r\n".to_vec(), "does not speak"),
        (header(frame::VERSION, 17 << 20), "over the limit"),
        (header(99, 2), "version 99"),
        ([header(frame::VERSION, 9), b"[1,2,3,4]".to_vec()].concat(), "could not be understood"),
    ];
    for (bytes, expected) in cases {
        let mut bad = camp.place().connect().unwrap();
        bad.write_all(&bytes).unwrap();
        let why = refusal(&mut bad);
        assert!(why.contains(expected), "{why}");
        let mut rest = Vec::new();
        bad.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty(), "the connection is closed after the refusal");
        frame::write(&mut good, &Request { admin: false, body: Ask::Ping }).unwrap();
        assert!(matches!(frame::read(&mut good).unwrap(), Response::Pong { .. }));
    }
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_a_frame_is_no_trouble() {
    let camp = up();
    for length in [1, 5, 9, 40] {
        let mut bytes = header(frame::VERSION, 1000);
        bytes.extend(vec![b'x'; 100]);
        camp.place().connect().unwrap().write_all(&bytes[..length]).unwrap();
    }
    assert!(camp.run("scontrol", ["ping"]).ok().contains("is UP"));
}

#[test]
fn a_damaged_or_newer_database_is_refused_by_name_and_kept() {
    for (name, damage) in [
        ("damaged", &b"no database at all, but long enough to be taken for one"[..]),
        ("empty page", &[7; 4096]),
    ] {
        let camp = up();
        camp.bivouac(["down"]).ok();
        let file = camp.place().state_dir.join("cluster.db");
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(camp.place().state_dir.join(format!("cluster.db{ending}")));
        }
        std::fs::write(&file, damage).unwrap();
        let said = camp.run("squeue", ["-h"]);
        assert_eq!(said.code, 1, "{name}: {said:?}");
        assert!(
            said.err.contains("cluster.db") && said.err.contains("nothing was changed"),
            "{name}: {said:?}"
        );
        assert_eq!(std::fs::read(&file).unwrap(), damage, "{name}");
    }
}

#[test]
fn a_full_disk_refuses_submissions_and_loses_nothing() {
    if !is_root() {
        eprintln!("SKIPPED: making a small file system needs root");
        return;
    }
    let camp = Camp::new();
    let disk = SmallDisk::mount(&camp.path("state"));
    let running = camp.sbatch(["--wrap", "until test -e go; do sleep 0.02; done; exit 5"]);
    let waiting = camp.sbatch(["--hold", "--wrap", "exit 6"]);
    let filler = camp.path("state/filler");
    disk.fill(&filler);
    // Small submissions may still fit into pages that the database has; each is either kept or refused, never both.
    let mut accepted = vec![waiting];
    let mut refused = 0;
    for _ in 0..400 {
        let said =
            camp.run("sbatch", ["--parsable", "--hold", "--comment", &"x".repeat(4000), "--wrap", "exit 6"]);
        match said.code {
            0 => accepted.push(said.out.trim().parse().unwrap()),
            _ => {
                assert!(said.err.contains("cannot be stored"), "{said:?}");
                refused += 1;
                break;
            }
        }
    }
    assert_eq!(refused, 1, "the disk is full, and still everything was accepted");
    assert!(camp.status().unwrap().storage_problem.is_some());
    // The running job ends while nothing can be stored; its exit code is kept all the same.
    camp.file("go", "");
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(camp.wait(running).code, 5);
    for id in accepted {
        camp.until("the database can be written again", || {
            camp.run("scontrol", ["release", &id.to_string()]).code == 0
        });
        assert_eq!(camp.wait(id).code, 6, "job {id}");
    }
    camp.bivouac(["down", "--cancel"]).ok();
}

/// A small file system over a folder, for as long as this lives.
struct SmallDisk(std::ffi::CString);

impl SmallDisk {
    fn mount(on: &std::path::Path) -> SmallDisk {
        let path = std::ffi::CString::new(on.to_str().unwrap()).unwrap();
        // SAFETY: all strings are NUL-terminated.
        let rc = unsafe {
            libc::mount(
                c"tmpfs".as_ptr(),
                path.as_ptr(),
                c"tmpfs".as_ptr(),
                0,
                c"size=2m,mode=700".as_ptr().cast(),
            )
        };
        assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
        SmallDisk(path)
    }

    fn fill(&self, file: &std::path::Path) {
        let mut file = std::fs::File::create(file).unwrap();
        while file.write_all(&[0; 1024]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // SAFETY: the string is NUL-terminated. Lazy: a keeper on its way out may still hold a file.
        unsafe { libc::umount2(self.0.as_ptr(), libc::MNT_DETACH) };
    }
}
