//! --distribution: which tasks of a step run on which of its nodes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How tasks are numbered over the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// A node's tasks follow one another.
    #[default]
    Block,
    /// One on each node in turn.
    Cyclic,
    /// So many on each node in turn.
    Plane(u32),
    /// As a list of nodes says.
    Arbitrary,
}

/// What --distribution asks for. How tasks are spread over the sockets and cores of a node is kept for its text alone: they
/// are not bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Over the nodes.
    pub method: Method,
    /// `:block:cyclic` and the like.
    within: String,
    /// Whether nodes are filled one after the other (`Pack`), or all take the same number as far as possible (`NoPack`).
    pub pack: Option<bool>,
}

impl From<Method> for Distribution {
    fn from(method: Method) -> Distribution {
        Distribution { method, ..Distribution::default() }
    }
}

/// Why a text asks for no distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is none.
    Text,
    /// `plane` without a size.
    PlaneSize,
}

impl Distribution {
    /// Reads `block`, `cyclic:block`, `plane=4`, `*:cyclic,Pack`. `plane` alone takes its size from `plane_size`.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn parse(text: &str, plane_size: Option<u32>) -> Result<Distribution, Invalid> {
        let lower = text.to_ascii_lowercase();
        let (methods, packing) = lower.split_once(',').map_or((lower.as_str(), None), |(m, p)| (m, Some(p)));
        let pack = match packing {
            None => None,
            Some("pack") => Some(true),
            Some("nopack") => Some(false),
            Some(_) => return Err(Invalid::Text),
        };
        if let Some(size) = methods.strip_prefix("plane") {
            let size = match size.strip_prefix('=') {
                Some(size) => size.parse().ok(),
                None if size.is_empty() => plane_size,
                None => return Err(Invalid::Text),
            };
            let size = size.filter(|n| *n > 0).ok_or(Invalid::PlaneSize)?;
            return Ok(Distribution { method: Method::Plane(size), within: String::new(), pack });
        }
        let mut parts = methods.split(':');
        let method = match parts.next() {
            Some("block" | "*") => Method::Block,
            Some("cyclic") => Method::Cyclic,
            Some("arbitrary") => Method::Arbitrary,
            _ => return Err(Invalid::Text),
        };
        // By default sockets are taken in turn, and cores as the sockets are.
        let (mut within, mut above) = (String::new(), "cyclic");
        for (level, part) in parts.enumerate() {
            above = match part {
                "*" => above,
                "block" | "cyclic" | "fcyclic" if level < 2 => part,
                _ => return Err(Invalid::Text),
            };
            within.push(':');
            within.push_str(above);
        }
        Ok(Distribution { method, within, pack })
    }

    /// Whether the sockets of a node are filled one after the other, instead of in turn.
    pub fn fills_sockets(&self) -> bool {
        matches!(self.method, Method::Plane(_)) || self.within.starts_with(":block")
    }

    /// How many tasks each node gets, at least one: `room` says how many there can be at most, at least one. None: they are too
    /// many, or too few for so many nodes.
    pub fn counts(&self, room: &[u32], tasks: u32) -> Option<Vec<u32>> {
        let mut counts = vec![1; room.len()];
        let mut left = tasks.checked_sub(u32::try_from(room.len()).ok()?)?;
        let share = if self.pack == Some(true) { u32::MAX } else { self.plane_size().unwrap_or(1) };
        // Of a plane, the first task is there already.
        let mut share_now = if share == 1 { 1 } else { share - 1 };
        while left > 0 {
            let before = left;
            for (count, room) in counts.iter_mut().zip(room) {
                let more = share_now.min(left).min(room - *count);
                *count += more;
                left -= more;
            }
            if left == before {
                return None;
            }
            share_now = share;
        }
        Some(counts)
    }

    /// The node of each task, by its number, where nodes have so many tasks.
    pub fn nodes(&self, counts: &[u32]) -> Vec<usize> {
        let share = match self.method {
            Method::Block | Method::Arbitrary => u32::MAX,
            Method::Cyclic => 1,
            Method::Plane(size) => size.max(1),
        };
        let mut left = counts.to_vec();
        let mut nodes = Vec::new();
        while left.iter().any(|n| *n > 0) {
            for (node, left) in left.iter_mut().enumerate() {
                let here = share.min(*left);
                nodes.extend((0..here).map(|_| node));
                *left -= here;
            }
        }
        nodes
    }

    /// SLURM_DIST_PLANESIZE.
    pub fn plane_size(&self) -> Option<u32> {
        match self.method {
            Method::Plane(size) => Some(size),
            _ => None,
        }
    }
}

impl fmt::Display for Distribution {
    /// As in SLURM_DISTRIBUTION, which names no size of a plane.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.method {
            Method::Block => "block",
            Method::Cyclic => "cyclic",
            Method::Plane(_) => "plane",
            Method::Arbitrary => "arbitrary",
        })?;
        f.write_str(&self.within)?;
        match self.pack {
            None => Ok(()),
            Some(pack) => f.write_str(if pack { ",pack" } else { ",nopack" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of SLURM_DISTRIBUTION are those of Slurm 22.05.8.
    #[test]
    fn planes_and_blocks_fill_sockets() {
        for (text, fills) in [
            ("block", false),
            ("cyclic:block", true),
            ("block:cyclic", false),
            ("plane=2", true),
            ("*:*:block", false),
        ] {
            assert_eq!(Distribution::parse(text, None).unwrap().fills_sockets(), fills, "{text}");
        }
    }

    #[test]
    fn texts_are_read_and_shown() {
        for (given, shown) in [
            ("block", "block"),
            ("Cyclic", "cyclic"),
            ("*", "block"),
            ("*:*", "block:cyclic"),
            ("block:*", "block:cyclic"),
            ("cyclic:block:cyclic", "cyclic:block:cyclic"),
            ("block:fcyclic:*", "block:fcyclic:fcyclic"),
            ("plane=2", "plane"),
            ("block,Pack", "block,pack"),
            ("cyclic:cyclic,NoPack", "cyclic:cyclic,nopack"),
            ("arbitrary", "arbitrary"),
        ] {
            assert_eq!(
                Distribution::parse(given, None).map(|d| d.to_string()).as_deref(),
                Ok(shown),
                "{given}"
            );
        }
        for bad in ["", "x", "bl", "block:x", "x:cyclic", "cyclic,x", "block:cyclic:cyclic:cyclic", "planes"]
        {
            assert_eq!(Distribution::parse(bad, None), Err(Invalid::Text), "{bad}");
        }
        for bad in ["plane", "plane=0", "plane=-1", "plane=x", "plane=2:block"] {
            assert_eq!(Distribution::parse(bad, None), Err(Invalid::PlaneSize), "{bad}");
        }
        assert_eq!(Distribution::parse("plane", Some(3)).map(|d| d.method), Ok(Method::Plane(3)));
    }

    /// As srun of Slurm 22.05.8 lays them out on three nodes that have room for four tasks each.
    #[test]
    fn tasks_are_spread_and_numbered() {
        for (text, tasks, counts, nodes) in [
            ("block", 10, "[4, 3, 3]", "[0, 0, 0, 0, 1, 1, 1, 2, 2, 2]"),
            ("block", 4, "[2, 1, 1]", "[0, 0, 1, 2]"),
            ("cyclic", 7, "[3, 2, 2]", "[0, 1, 2, 0, 1, 2, 0]"),
            ("plane=2", 6, "[2, 2, 2]", "[0, 0, 1, 1, 2, 2]"),
            ("plane=4", 10, "[4, 4, 2]", "[0, 0, 0, 0, 1, 1, 1, 1, 2, 2]"),
            ("plane=3", 4, "[2, 1, 1]", "[0, 0, 1, 2]"),
            ("plane=1", 4, "[2, 1, 1]", "[0, 1, 2, 0]"),
            ("block,pack", 6, "[4, 1, 1]", "[0, 0, 0, 0, 1, 2]"),
        ] {
            let way = Distribution::parse(text, None).unwrap();
            let is = way.counts(&[4, 4, 4], tasks).unwrap();
            assert_eq!(format!("{is:?}"), counts, "{text} {tasks}");
            assert_eq!(format!("{:?}", way.nodes(&is)), nodes, "{text} {tasks}");
        }
        let block = Distribution::default();
        assert_eq!(block.counts(&[1, 4], 5), Some(vec![1, 4]));
        assert_eq!(block.counts(&[1, 4], 6), None);
        assert_eq!(block.counts(&[1, 4], 1), None);
    }
}
