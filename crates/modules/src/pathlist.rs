//! Variables that hold a list of elements, such as PATH: putting elements in, taking them out, counting references.
//!
//! An element that several modules (or a module and the user) brought stays until the last of them takes it away.
//! Elements that nobody touches keep their bytes and their order, empty and doubled ones too: they have a meaning in
//! PATH and MANPATH.

use std::collections::BTreeMap;

/// How often an element was brought, for elements brought more than once. Key: the element in printable ASCII, other
/// bytes as `%XX`.
pub type Counts = BTreeMap<String, u32>;

/// At which end new elements go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `prepend_path`.
    Front,
    /// `append_path`.
    Back,
}

/// A list variable taken apart at its delimiter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathList {
    elements: Vec<Vec<u8>>,
    delimiter: Vec<u8>,
}

impl PathList {
    /// Splits `value` at `delimiter`. No value and an empty value are the empty list; a value that is the delimiter
    /// alone is one empty element, so that [`Self::join`] can give it back.
    pub fn split(value: Option<&[u8]>, delimiter: &[u8]) -> Self {
        let elements = match value {
            None | Some([]) => Vec::new(),
            Some(value) if value == delimiter => vec![Vec::new()],
            Some(value) => split_bytes(value, delimiter),
        };
        Self { elements, delimiter: delimiter.to_owned() }
    }

    /// The elements of an argument of `prepend_path` and the like, each in the spelling it gets in the variable:
    /// in colon lists `//` becomes `/` and a trailing `/` goes, as Lmod does. An empty argument is one empty element.
    pub fn arguments(value: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
        split_bytes(value, delimiter)
            .into_iter()
            .map(|element| if delimiter == b":" { tidy(&element) } else { element })
            .collect()
    }

    /// The variable's value; `None` when the list is empty (the variable goes away).
    pub fn join(&self) -> Option<Vec<u8>> {
        match self.elements.as_slice() {
            [] => None,
            [only] if only.is_empty() => Some(self.delimiter.clone()),
            elements => Some(elements.join(self.delimiter.as_slice())),
        }
    }

    /// Whether `element` is in the list.
    pub fn contains(&self, element: &[u8]) -> bool {
        self.elements.iter().any(|e| e == element)
    }

    /// The elements in order.
    pub fn elements(&self) -> impl Iterator<Item = &[u8]> {
        self.elements.iter().map(Vec::as_slice)
    }

    /// Brings `new` elements to an end, in their order. An element already there moves and gains a reference.
    pub fn insert(&mut self, new: &[Vec<u8>], end: End, counts: &mut Counts) {
        let ordered: Box<dyn Iterator<Item = &Vec<u8>>> = match end {
            End::Front => Box::new(new.iter().rev()),
            End::Back => Box::new(new.iter()),
        };
        for element in ordered {
            let references = self.references(element, counts) + 1;
            self.elements.retain(|e| e != element);
            match end {
                End::Front => self.elements.insert(0, element.clone()),
                End::Back => self.elements.push(element.clone()),
            }
            remember(counts, element, references);
        }
    }

    /// Takes one reference off each element; with the last one the element goes (the copy nearest to `end`).
    pub fn release(&mut self, old: &[Vec<u8>], end: End, counts: &mut Counts) {
        for element in old {
            let references = self.references(element, counts);
            if references > 1 && self.elements.iter().filter(|e| *e == element).count() == 1 {
                remember(counts, element, references - 1);
                continue;
            }
            let position = match end {
                End::Front => self.elements.iter().position(|e| e == element),
                End::Back => self.elements.iter().rposition(|e| e == element),
            };
            if let Some(position) = position {
                self.elements.remove(position);
            }
            remember(counts, element, references.saturating_sub(1));
        }
    }

    /// Removes every copy of each element, whoever brought it (`remove_path`).
    pub fn remove_all(&mut self, old: &[Vec<u8>], counts: &mut Counts) {
        for element in old {
            self.elements.retain(|e| e != element);
            remember(counts, element, 0);
        }
    }

    /// References to `element`: what was counted, but never fewer than there are copies, and none when it is gone
    /// (the user may have edited the variable since).
    fn references(&self, element: &[u8], counts: &Counts) -> u32 {
        let copies = self.elements.iter().filter(|e| *e == element).count() as u32;
        if copies == 0 {
            return 0;
        }
        counts.get(&crate::encoding::encode(element)).copied().unwrap_or(0).max(copies)
    }
}

fn remember(counts: &mut Counts, element: &[u8], references: u32) {
    let key = crate::encoding::encode(element);
    if references > 1 {
        counts.insert(key, references);
    } else {
        counts.remove(&key);
    }
}

fn split_bytes(value: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.windows(delimiter.len()).position(|window| window == delimiter) {
        parts.push(rest[..at].to_owned());
        rest = &rest[at + delimiter.len()..];
    }
    parts.push(rest.to_owned());
    parts
}

fn tidy(element: &[u8]) -> Vec<u8> {
    let mut tidied: Vec<u8> = Vec::with_capacity(element.len());
    for &byte in element {
        if byte != b'/' || tidied.last() != Some(&b'/') {
            tidied.push(byte);
        }
    }
    if tidied.len() > 1 && tidied.last() == Some(&b'/') {
        tidied.pop();
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(value: &str) -> PathList {
        PathList::split(Some(value.as_bytes()), b":")
    }

    fn value(list: &PathList) -> String {
        String::from_utf8(list.join().unwrap_or_default()).unwrap()
    }

    fn of(elements: &[&str]) -> Vec<Vec<u8>> {
        elements.iter().map(|e| e.as_bytes().to_vec()).collect()
    }

    #[test]
    fn prepending_what_is_there_moves_it_to_the_front_and_counts() {
        let (mut path, mut counts) = (list("/m:/a:/n"), Counts::new());
        path.insert(&of(&["/a"]), End::Front, &mut counts);
        assert_eq!(value(&path), "/a:/m:/n");
        path.release(&of(&["/a"]), End::Front, &mut counts);
        assert_eq!(value(&path), "/a:/m:/n", "the user's own reference keeps it");
        path.release(&of(&["/a"]), End::Front, &mut counts);
        assert_eq!(value(&path), "/m:/n");
        assert!(counts.is_empty());
    }

    #[test]
    fn several_elements_keep_their_order_at_either_end() {
        let (mut path, mut counts) = (list("/m"), Counts::new());
        path.insert(&of(&["/q", "/r"]), End::Front, &mut counts);
        path.insert(&of(&["/x", "/y"]), End::Back, &mut counts);
        assert_eq!(value(&path), "/q:/r:/m:/x:/y");
    }

    #[test]
    fn a_copy_made_by_the_user_survives_one_release() {
        let (mut path, mut counts) = (list("/x:/m:/x"), Counts::new());
        path.release(&of(&["/x"]), End::Front, &mut counts);
        assert_eq!(value(&path), "/m:/x");
    }

    #[test]
    fn arguments_lose_doubled_and_trailing_slashes_in_colon_lists_only() {
        assert_eq!(PathList::arguments(b"/a//b/:/", b":"), of(&["/a/b", "/"]));
        assert_eq!(PathList::arguments(b"http://x/ y", b" "), of(&["http://x/", "y"]));
    }

    proptest! {
        #[test]
        fn split_and_join_give_the_value_back(value in "[a:/]{1,12}") {
            prop_assert_eq!(PathList::split(Some(value.as_bytes()), b":").join(), Some(value.into_bytes()));
        }

        #[test]
        fn release_undoes_insert(
            value in "[ab:]{1,10}",
            new in proptest::collection::vec("/[c-f]", 1..4),
            front: bool,
        ) {
            let end = if front { End::Front } else { End::Back };
            let mut new: Vec<Vec<u8>> = new.into_iter().map(String::into_bytes).collect();
            new.dedup();
            let (mut path, mut counts) = (list(&value), Counts::new());
            path.insert(&new, end, &mut counts);
            path.release(&new, end, &mut counts);
            prop_assert_eq!(path.join(), Some(value.into_bytes()));
            prop_assert!(counts.is_empty());
        }
    }
}
