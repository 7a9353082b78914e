//! What follows a report of sreport: `start=2026-11-01 users=alice group`.

/// Which words a report understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `cluster`.
    Cluster,
    /// `job`.
    Job,
    /// `reservation`.
    Reservation,
    /// `user`.
    User,
}

/// A condition or a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Accounts,
    AllClusters,
    Below,
    Clusters,
    End,
    Flat,
    Format,
    Gids,
    Group,
    Grouping,
    Jobs,
    Names,
    Nodes,
    Partitions,
    PrintJobCount,
    Start,
    TopCount,
    Tree,
    Users,
    Wckeys,
}

/// Its name, and the least of it that is enough.
type Named = (&'static str, usize, Word);

const COMMON: [Named; 4] = [
    ("clusters", 1, Word::Clusters),
    ("end", 1, Word::End),
    ("format", 1, Word::Format),
    ("start", 1, Word::Start),
];

impl Family {
    /// Conditions: they have a value.
    fn conditions(self) -> &'static [Named] {
        match self {
            Family::Cluster => {
                &[("accounts", 2, Word::Accounts), ("users", 1, Word::Users), ("wckeys", 1, Word::Wckeys)]
            }
            Family::User => {
                &[("accounts", 1, Word::Accounts), ("topcount", 1, Word::TopCount), ("users", 1, Word::Users)]
            }
            Family::Reservation => &[("names", 2, Word::Names), ("nodes", 2, Word::Nodes)],
            Family::Job => &[
                ("accounts", 2, Word::Accounts),
                ("gid", 2, Word::Gids),
                ("grouping", 2, Word::Grouping),
                ("jobs", 1, Word::Jobs),
                ("nodes", 1, Word::Nodes),
                ("partitions", 2, Word::Partitions),
                ("users", 1, Word::Users),
                ("wckeys", 2, Word::Wckeys),
            ],
        }
    }

    /// Switches: they have none.
    fn switches(self) -> &'static [Named] {
        match self {
            Family::Cluster => &[("all_clusters", 1, Word::AllClusters), ("tree", 4, Word::Tree)],
            Family::User => &[("all_clusters", 1, Word::AllClusters), ("group", 1, Word::Group)],
            Family::Reservation => &[("all_clusters", 1, Word::AllClusters)],
            Family::Job => &[
                ("all_clusters", 2, Word::AllClusters),
                ("acctasparent", 2, Word::Below),
                ("flatview", 2, Word::Flat),
                ("printjobcount", 2, Word::PrintJobCount),
            ],
        }
    }
}

/// What was asked for, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// accounts=.
    pub accounts: Option<Vec<String>>,
    /// clusters=, and words that are nothing else.
    pub clusters: Vec<String>,
    /// end=.
    pub end: Option<String>,
    /// format=.
    pub format: Option<String>,
    /// gid=.
    pub gids: Option<Vec<String>>,
    /// grouping=.
    pub grouping: Option<String>,
    /// jobs=.
    pub jobs: Option<Vec<String>>,
    /// nodes=, a list of names that may be ranges.
    pub nodes: Option<String>,
    /// partitions=.
    pub partitions: Option<Vec<String>>,
    /// start=.
    pub start: Option<String>,
    /// topcount=.
    pub top: Option<String>,
    /// users=.
    pub users: Option<Vec<String>>,
    /// AcctAsParent.
    pub below: bool,
    /// FlatView.
    pub flat: bool,
    /// Group.
    pub group: bool,
    /// PrintJobCount.
    pub count: bool,
    /// Tree.
    pub tree: bool,
    /// What was not understood.
    pub unknown: Vec<String>,
}

impl Conditions {
    /// Reads the words behind a report.
    pub fn read(family: Family, words: &[String]) -> Conditions {
        let mut conditions = Conditions::default();
        words.iter().for_each(|word| conditions.add(family, word));
        conditions
    }

    fn add(&mut self, family: Family, word: &str) {
        let find = |name: &str, words: &[Named]| {
            let lower = name.to_ascii_lowercase();
            let fits = |(full, least, _): &&Named| lower.len() >= *least && full.starts_with(&lower);
            words.iter().find(fits).map(|named| named.2)
        };
        let Some((name, value)) = word.split_once('=') else {
            match find(word, family.switches()) {
                Some(Word::Below) => self.below = true,
                Some(Word::Flat) => self.flat = true,
                Some(Word::Group) => self.group = true,
                Some(Word::PrintJobCount) => self.count = true,
                Some(Word::Tree) => self.tree = true,
                // There is one.
                Some(Word::AllClusters) => {}
                // Any other word is the name of a cluster.
                _ => self.clusters.extend(list(word)),
            }
            return;
        };
        // Times are taken as they are.
        let as_written = value;
        let value = unquoted(value);
        let given = || Some(value.to_owned());
        match find(name, family.conditions()).or_else(|| find(name, &COMMON)) {
            Some(Word::Accounts) => self.accounts = Some(list(value)),
            Some(Word::Clusters) => self.clusters.extend(list(value)),
            Some(Word::End) => self.end = Some(as_written.to_owned()),
            Some(Word::Format) => self.format = given(),
            Some(Word::Gids) => self.gids = Some(list(value)),
            Some(Word::Grouping) => self.grouping = given(),
            Some(Word::Jobs) => self.jobs = Some(list(value)),
            Some(Word::Nodes) => self.nodes = given(),
            Some(Word::Partitions) => self.partitions = Some(list(value)),
            Some(Word::Start) => self.start = Some(as_written.to_owned()),
            Some(Word::TopCount) => self.top = given(),
            Some(Word::Users) => self.users = Some(list(value)),
            // Jobs have no such keys, and there are no reservations: nothing is found by them, nor without them.
            Some(Word::Wckeys | Word::Names) => {}
            _ => self.unknown.push(word.to_owned()),
        }
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|word| unquoted(word.trim()).to_owned()).collect()
}

fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(family: Family, line: &str) -> Conditions {
        Conditions::read(family, &line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn conditions_by_the_beginning_of_their_names() {
        let all =
            read(Family::Job, "ac=a,b gi=5 GROUPING=individual j=1 n=n[1-2] pa=main Users='x' flat print");
        assert_eq!(all.accounts.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
        assert_eq!((all.grouping.as_deref(), all.nodes.as_deref()), (Some("individual"), Some("n[1-2]")));
        assert_eq!(all.users, Some(vec!["x".to_owned()]));
        assert!(all.flat && all.count && !all.below && all.unknown.is_empty());
        let top = read(Family::User, "g t=3 s=now-1days end=now format='login,used'");
        assert_eq!((top.group, top.top.as_deref(), top.end.as_deref()), (true, Some("3"), Some("now")));
        assert_eq!(read(Family::Cluster, "a=x topcount=1").unknown, ["a=x", "topcount=1"]);
        assert_eq!(read(Family::Cluster, "foo cluster=bar all_clusters").clusters, ["foo", "bar"]);
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "\\PC{0,60}") {
            for family in [Family::Cluster, Family::Job, Family::Reservation, Family::User] {
                let _ = read(family, &line);
            }
        }
    }
}
