//! What is compiled in: profiles and module trees. The newest profile of a family comes first.

/// A profile that needs no file.
pub(crate) struct Embedded {
    pub name: &'static str,
    pub text: &'static str,
}

pub(crate) const EMBEDDED: &[Embedded] = &[
    Embedded { name: "local", text: include_str!("../profiles/local.toml") },
    Embedded { name: "alpine@2023-07", text: include_str!("../profiles/alpine@2023-07.toml") },
];

/// A module tree that needs no folder: relative file names and texts.
#[derive(Debug)]
pub(crate) struct Tree {
    pub name: &'static str,
    pub files: &'static [(&'static str, &'static str)],
}

pub(crate) const TREES: &[Tree] = &[Tree {
    name: "alpine@2023-07",
    files: &[
        // One text: what differs on the site is the Python of the base environment, which bivouac does not bring.
        ("anaconda/2020.11.lua", include_str!("../modulefiles/alpine@2023-07/anaconda.lua")),
        ("anaconda/2022.10.lua", include_str!("../modulefiles/alpine@2023-07/anaconda.lua")),
        ("python/3.10.2.lua", include_str!("../modulefiles/alpine@2023-07/python.lua")),
        ("slurm/alpine.lua", include_str!("../modulefiles/alpine@2023-07/slurm.lua")),
    ],
}];

/// The embedded profile of that name; a family's name without its date (`alpine`) means its newest.
pub(crate) fn by_name(name: &str) -> Option<&'static Embedded> {
    let family = |e: &&Embedded| e.name.split_once('@').is_some_and(|(family, _)| family == name);
    EMBEDDED.iter().find(|e| e.name == name).or_else(|| EMBEDDED.iter().find(family))
}

/// All names that [`by_name`] takes, aliases last.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let families = EMBEDDED.iter().filter_map(|e| e.name.split_once('@')).map(|(family, _)| family);
    EMBEDDED.iter().map(|e| e.name).chain(families)
}

/// The embedded module tree of that name.
pub(crate) fn tree(name: &str) -> Option<&'static Tree> {
    TREES.iter().find(|t| t.name == name)
}
