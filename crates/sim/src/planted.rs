//! Defects that can be planted to prove that the checks catch them.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A report counts though it names an attempt that is over.
    AcceptStaleReport,
    /// A job's resources are given back when it is told to end, and again when it has.
    FreeTwice,
    /// Users are answered before their commands are stored.
    AnswerBeforeDurable,
}

impl Planted {
    /// By its name on the command line.
    pub fn parse(name: &str) -> Option<Planted> {
        [Planted::AcceptStaleReport, Planted::FreeTwice, Planted::AnswerBeforeDurable]
            .into_iter()
            .find(|p| format!("{p:?}") == name)
    }
}
