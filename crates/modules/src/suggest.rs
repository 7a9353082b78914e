//! What an unknown name was probably meant to be.

use crate::session::Session;
use crate::tree::{Tree, split_name};

const MAX_SUGGESTIONS: usize = 5;

/// Lines that help with `unknown` names: versions that exist, names that look alike, and where to look.
pub fn hint(session: &Session, unknown: &[String]) -> String {
    let tree = session.tree();
    let available = names(&tree);
    if available.is_empty() {
        let path = session.look(|w| w.environment.text("MODULEPATH")).unwrap_or_default();
        return format!(
            "\nThere is no modulefile in MODULEPATH ({}).\n\"module use FOLDER\" adds a folder of modulefiles.\n",
            if path.is_empty() { "it is empty" } else { &path }
        );
    }
    let mut hint = String::new();
    for asked in unknown {
        let near = near(asked, &available);
        if !near.is_empty() {
            hint.push_str(&format!("\nInstead of \"{asked}\", did you mean: {}\n", near.join(", ")));
        }
    }
    hint.push_str(
        "\nPlease check the spelling and the version number. \"module avail\" lists what there is.\n",
    );
    hint
}

fn names(tree: &Tree) -> Vec<String> {
    let shelves = tree.walk().into_iter().flat_map(|(_, shelves)| shelves);
    let visible = shelves.flat_map(|shelf| shelf.modules).filter(|module| !module.hidden);
    visible.map(|module| module.full_name).collect()
}

/// The available names that `asked` resembles, best first.
pub fn near(asked: &str, available: &[String]) -> Vec<String> {
    let asked_name = split_name(asked).0;
    let mut versions: Vec<String> = available
        .iter()
        .filter(|full| [asked, asked_name].contains(&split_name(full).0) && full.contains('/'))
        .cloned()
        .collect();
    if !versions.is_empty() {
        versions.sort_by(|a, b| crate::version::compare(b, a));
        versions.dedup();
        versions.truncate(MAX_SUGGESTIONS);
        return versions;
    }
    let wanted = asked_name.to_lowercase();
    let mut scored: Vec<(usize, String)> = available
        .iter()
        .filter_map(|full| {
            let name = split_name(full).0;
            let score = score(&wanted, &name.to_lowercase())?;
            Some((score, name.to_owned()))
        })
        .collect();
    scored.sort();
    scored.dedup();
    scored.truncate(MAX_SUGGESTIONS);
    scored.into_iter().map(|(_, name)| name).collect()
}

fn score(wanted: &str, name: &str) -> Option<usize> {
    let distance = distance(wanted, name);
    let length = wanted.chars().count();
    if distance <= (length / 3).max(1) {
        return Some(distance);
    }
    let contained = length >= 3 && (name.contains(wanted) || (name.len() >= 3 && wanted.contains(name)));
    contained.then_some(length + distance)
}

/// Edits (insert, delete, replace, swap of neighbours) between two words.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_like_the_one_asked_for() {
        let available: Vec<String> =
            ["anaconda/2022.10", "anaconda/2020.11", "python/3.10", "gcc/9", "slurm/alpine"]
                .map(str::to_owned)
                .into();
        assert_eq!(near("anacnoda", &available), ["anaconda"]);
        assert_eq!(near("Anaconda3/2022.10", &available), ["anaconda"]);
        assert_eq!(near("anaconda/2023", &available), ["anaconda/2022.10", "anaconda/2020.11"]);
        assert_eq!(near("conda", &available), ["anaconda"]);
        assert!(near("matlab", &available).is_empty());
    }
}
