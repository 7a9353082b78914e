//! The keeper's side of the journal: which attempt has which slot, and the records in them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::record::Record;
use crate::report::{Attempt, Ending};
use crate::slot::{Damaged, Intent, Slot, State};
use crate::slots::Slots;

/// The journal, opened by the one keeper of a state folder.
pub struct Journal {
    slots: Slots,
    used: BTreeMap<Attempt, usize>,
    free: BTreeSet<usize>,
}

impl Journal {
    /// Opens `DIR/keeper.journal` and reads it. Unclaimed intents are voided here, and attempts of another boot are
    /// recorded as lost, before anything is returned.
    pub fn open(dir: &Path) -> io::Result<(Journal, Vec<Record>)> {
        let mut slots = Slots::open(dir)?;
        let boot_id = crate::sys::boot_id();
        let mut records: Vec<Record> = slots.session().map(|(_, s)| Record::Session(s)).into_iter().collect();
        let (mut used, mut free) = (BTreeMap::new(), BTreeSet::new());
        let same_boot = slots.boot_id == boot_id;
        for number in 0..slots.count() {
            let slot = slots.slot(number);
            match read(slot, number, same_boot) {
                Reading::Free => {
                    free.insert(number);
                }
                Reading::Used(attempt, found) => {
                    used.insert(attempt, number);
                    records.extend(found);
                }
                Reading::Illegible(what) => {
                    slot.free();
                    free.insert(number);
                    records.push(Record::Corrupt { attempt: None, what });
                }
            }
        }
        if !same_boot {
            slots.set_boot_id(&boot_id);
        }
        Ok((Journal { slots, used, free }, records))
    }

    /// Identity of the file.
    pub fn id(&self) -> u64 {
        self.slots.id
    }

    /// The boot id the records belong to.
    pub fn boot_id(&self) -> &str {
        &self.slots.boot_id
    }

    /// The slot of an attempt, and its number.
    pub fn slot(&self, attempt: Attempt) -> Option<(usize, Slot)> {
        self.used.get(&attempt).map(|n| (*n, self.slots.slot(*n)))
    }

    /// Writes a record. Only an intent can fail: it needs a slot for which `usable` holds, and the file may have to grow.
    /// Records about attempts without a slot (refused for lack of space) have nowhere to go and are dropped.
    pub fn write(&mut self, record: &Record, usable: impl FnMut(usize) -> bool) -> io::Result<()> {
        match record {
            Record::Session(session) => self.slots.set_session(session)?,
            Record::Intent { attempt, traces, at } => {
                let number = self.take_free(usable)?;
                self.slots.slot(number).occupy(&Intent {
                    attempt: *attempt,
                    traces: traces.clone(),
                    at: *at,
                });
                self.used.insert(*attempt, number);
            }
            Record::Ended { attempt, ending } => {
                if let Some((_, slot)) = self.slot(*attempt) {
                    slot.set_ending(ending);
                }
            }
            Record::ScratchRemoved { attempt } => {
                if let Some((_, slot)) = self.slot(*attempt) {
                    slot.set_scratch_removed();
                }
            }
            Record::Forget { attempt } => {
                if let Some(number) = self.used.remove(attempt) {
                    self.slots.slot(number).free();
                    self.free.insert(number);
                }
            }
            Record::Claimed { .. } | Record::Corrupt { .. } => {}
        }
        Ok(())
    }

    /// The lowest usable slot, so that few pages are ever touched.
    fn take_free(&mut self, mut usable: impl FnMut(usize) -> bool) -> io::Result<usize> {
        loop {
            if let Some(number) = self.free.iter().copied().find(|n| usable(*n)) {
                self.free.remove(&number);
                return Ok(number);
            }
            let count = self.slots.count();
            self.slots.grow()?;
            self.free.extend(count..self.slots.count());
        }
    }

    /// Brings everything to the disk; for an orderly end.
    pub fn sync(&self) -> io::Result<()> {
        self.slots.sync()
    }
}

enum Reading {
    Free,
    Used(Attempt, Vec<Record>),
    Illegible(String),
}

fn read(slot: Slot, number: usize, same_boot: bool) -> Reading {
    let (generation, state) = slot.state();
    if state == Some(State::Free) {
        return Reading::Free;
    }
    let intent = match slot.intent() {
        Ok(intent) => intent,
        Err(Damaged(section)) => return Reading::Illegible(damage(number, section, None)),
    };
    let attempt = intent.attempt;
    let corrupt = |section| {
        let what = damage(number, section, Some(attempt));
        Reading::Used(attempt, vec![Record::Corrupt { attempt: Some(attempt), what }])
    };
    if state.is_none() {
        return corrupt("state");
    }
    let mut records = vec![Record::Intent { attempt, traces: intent.traces, at: intent.at }];
    // An old child may claim at this very moment: whoever is first by the atomic word has it.
    let claimed = state == Some(State::Claimed) || (state == Some(State::Intent) && !slot.void(generation));
    if claimed {
        match slot.process() {
            Ok(process) => records.push(Record::Claimed { attempt, process }),
            Err(Damaged(section)) => return corrupt(section),
        }
        if !same_boot && slot.ending() == Ok(None) {
            slot.set_ending(&Ending::Lost);
        }
    }
    match slot.ending() {
        Ok(None) => {}
        Ok(Some(ending)) => records.push(Record::Ended { attempt, ending }),
        Err(Damaged(section)) => return corrupt(section),
    }
    if slot.scratch_removed() {
        records.push(Record::ScratchRemoved { attempt });
    }
    Reading::Used(attempt, records)
}

fn damage(number: usize, section: &str, attempt: Option<Attempt>) -> String {
    let whose = attempt.map_or("an unknown attempt".to_owned(), |a| format!("attempt {a}"));
    format!("keeper.journal: slot {number}: the {section} record of {whose} is damaged (wrong checksum)")
}
