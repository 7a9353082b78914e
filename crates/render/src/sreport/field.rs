//! The fields of each kind of report: names, how far they may be cut short, headings and widths.

use super::amounts::Measure;
use super::sheet::Head;

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// cluster Utilization.
    Utilization,
    /// cluster AccountUtilizationByUser.
    AccountUser,
    /// cluster UserUtilizationByAccount.
    UserAccount,
    /// cluster UserUtilizationByWckey.
    UserWckey,
    /// cluster WCKeyUtilizationByUser.
    WckeyUser,
    /// job SizesByAccount.
    SizesAccount,
    /// job SizesByAccountAndWckey.
    SizesAccountWckey,
    /// job SizesByWckey.
    SizesWckey,
    /// reservation Utilization.
    Reservations,
    /// user TopUsage.
    Top,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The account.
    Account,
    /// Used by jobs.
    Allocated,
    /// The accounts and users of a reservation.
    Associations,
    /// The cluster.
    Cluster,
    /// Out of service.
    Down,
    /// The end of a reservation.
    End,
    /// Never measured.
    Energy,
    /// Of a reservation.
    Flags,
    /// Not used.
    Idle,
    /// The user's name.
    Login,
    /// Of a reservation.
    Name,
    /// Of a reservation.
    Nodes,
    /// Waited for beyond what there was.
    Overcommitted,
    /// Still to come.
    PlannedDown,
    /// Waited for.
    Planned,
    /// The user's name in full.
    Proper,
    /// All of it.
    Reported,
    /// Of a reservation.
    ReservationId,
    /// The beginning of a reservation.
    Start,
    /// Of a reservation.
    TotalTime,
    /// How much of the resource there is.
    TresCount,
    /// The resource.
    TresName,
    /// The resources of a reservation.
    TresTime,
    /// Used.
    Used,
    /// The workload characterization key.
    Wckey,
}

impl Field {
    /// Whether it is an amount: its width follows from the form of time, whatever was asked for.
    fn is_amount(self) -> bool {
        matches!(
            self,
            Field::Allocated
                | Field::Down
                | Field::Energy
                | Field::Idle
                | Field::Overcommitted
                | Field::PlannedDown
                | Field::Planned
                | Field::Reported
                | Field::Used
        )
    }

    fn heading(self) -> &'static str {
        match self {
            Field::Account => "Account",
            Field::Allocated => "Allocated",
            Field::Associations => "Associations",
            Field::Cluster => "Cluster",
            Field::Down => "Down",
            Field::End => "End",
            Field::Energy => "Energy",
            Field::Flags => "Flags",
            Field::Idle => "Idle",
            Field::Login => "Login",
            Field::Name => "Name",
            Field::Nodes => "Nodes",
            Field::Overcommitted => "Over Comm",
            Field::PlannedDown => "PLND Down",
            Field::Planned => "Planned",
            Field::Proper => "Proper Name",
            Field::Reported => "Reported",
            Field::ReservationId => "Id",
            Field::Start => "Start",
            Field::TotalTime => "TotalTime",
            Field::TresCount => "TRES Count",
            Field::TresName => "TRES Name",
            Field::TresTime => "TRES Time",
            Field::Used => "Used",
            Field::Wckey => "WCKey",
        }
    }

    fn heading_in(self, kind: Kind) -> &'static str {
        if self == Field::Wckey && kind == Kind::SizesWckey { "Wckey" } else { self.heading() }
    }

    fn width(self, kind: Kind) -> i32 {
        match self {
            Field::Account if matches!(kind, Kind::SizesAccount) => 9,
            Field::Account if matches!(kind, Kind::SizesAccountWckey) => -20,
            Field::Wckey if matches!(kind, Kind::SizesWckey) => 9,
            Field::Account | Field::Proper | Field::Wckey | Field::Associations => 15,
            Field::Allocated | Field::Idle if kind == Kind::Reservations => 20,
            Field::Start | Field::End => 19,
            Field::TresName => 14,
            Field::TresCount => 10,
            Field::Flags | Field::Nodes => 20,
            Field::ReservationId => 8,
            _ => 9,
        }
    }
}

/// A name in a format: with fewer letters than `least` it is none.
type Named = (&'static str, usize, Field);

const OF_USERS: &[Named] = &[
    ("accounts", 2, Field::Account),
    ("cluster", 2, Field::Cluster),
    ("energy", 1, Field::Energy),
    ("login", 1, Field::Login),
    ("proper", 1, Field::Proper),
    ("trescount", 5, Field::TresCount),
    ("tresname", 5, Field::TresName),
    ("used", 1, Field::Used),
    ("wckey", 1, Field::Wckey),
];
/// `planned` is the beginning of `planneddown`, and means that: the page does not know it. `reserved` is what it was called.
const OF_CLUSTER: &[Named] = &[
    ("allocated", 1, Field::Allocated),
    ("cluster", 1, Field::Cluster),
    ("down", 1, Field::Down),
    ("energy", 1, Field::Energy),
    ("idle", 1, Field::Idle),
    ("overcommitted", 1, Field::Overcommitted),
    ("planneddown", 2, Field::PlannedDown),
    ("reported", 3, Field::Reported),
    ("reserved", 3, Field::Planned),
    ("trescount", 5, Field::TresCount),
    ("tresname", 5, Field::TresName),
];
const OF_SIZES: &[Named] =
    &[("account", 1, Field::Account), ("cluster", 2, Field::Cluster), ("wckey", 1, Field::Wckey)];
const OF_TOP: &[Named] = &[
    ("account", 1, Field::Account),
    ("cluster", 1, Field::Cluster),
    ("energy", 1, Field::Energy),
    ("login", 1, Field::Login),
    ("proper", 1, Field::Proper),
    ("tresname", 5, Field::TresName),
    ("used", 1, Field::Used),
];
const OF_RESERVATIONS: &[Named] = &[
    ("allocated", 2, Field::Allocated),
    ("associations", 2, Field::Associations),
    ("cluster", 2, Field::Cluster),
    ("end", 1, Field::End),
    ("flags", 1, Field::Flags),
    ("idle", 1, Field::Idle),
    ("name", 2, Field::Name),
    ("nodes", 2, Field::Nodes),
    ("reservationid", 1, Field::ReservationId),
    ("start", 1, Field::Start),
    ("totaltime", 2, Field::TotalTime),
    ("trescount", 5, Field::TresCount),
    ("tresname", 5, Field::TresName),
    ("trestime", 5, Field::TresTime),
];

impl Kind {
    fn named(self) -> &'static [Named] {
        match self {
            Kind::Utilization => OF_CLUSTER,
            Kind::AccountUser | Kind::UserAccount | Kind::UserWckey | Kind::WckeyUser => OF_USERS,
            Kind::SizesAccount | Kind::SizesAccountWckey | Kind::SizesWckey => OF_SIZES,
            Kind::Reservations => OF_RESERVATIONS,
            Kind::Top => OF_TOP,
        }
    }

    /// The names of its fields.
    pub fn field_names(self) -> impl Iterator<Item = &'static str> {
        self.named().iter().map(|(name, ..)| *name)
    }

    /// The fields without format=; Energy stands beside CPUs, the name of the resource beside others.
    fn default_fields(self, measure: &Measure) -> Vec<Field> {
        use Field::*;
        let given = measure.tres.is_some();
        let (name, energy) = (Some(TresName).filter(|_| given), Some(Energy).filter(|_| !given));
        let all: Vec<Option<Field>> = match self {
            Kind::Utilization => {
                let amounts = [Allocated, Down, PlannedDown, Idle, Planned, Reported].map(Some);
                [Some(Cluster), name].into_iter().chain(amounts).collect()
            }
            Kind::AccountUser => {
                vec![Some(Cluster), Some(Account), Some(Login), Some(Proper), name, Some(Used), energy]
            }
            Kind::UserAccount | Kind::Top => {
                vec![Some(Cluster), Some(Login), Some(Proper), Some(Account), name, Some(Used), energy]
            }
            Kind::UserWckey => vec![Some(Cluster), Some(Login), Some(Proper), Some(Wckey), name, Some(Used)],
            Kind::WckeyUser => vec![Some(Cluster), Some(Wckey), Some(Login), Some(Proper), name, Some(Used)],
            Kind::SizesAccount | Kind::SizesAccountWckey => vec![Some(Cluster), Some(Account)],
            Kind::SizesWckey => vec![Some(Cluster), Some(Wckey)],
            Kind::Reservations => {
                [Cluster, Name, Start, End, TresName, Allocated, Idle].into_iter().map(Some).collect()
            }
        };
        all.into_iter().flatten().collect()
    }
}

/// A field with its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub field: Field,
    /// As it is without `%`, or as was asked for.
    width: i32,
}

/// The fields of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    kind: Kind,
    all: Vec<Chosen>,
}

impl Fields {
    /// Those of format=, or else the usual ones. What is none is told, and left out.
    pub fn read(kind: Kind, format: Option<&str>, measure: &Measure) -> (Fields, Vec<String>) {
        let plain = |field: Field| Chosen { field, width: field.width(kind) };
        let Some(format) = format else {
            let all = kind.default_fields(measure).into_iter().map(plain).collect();
            return (Fields { kind, all }, Vec::new());
        };
        let (mut all, mut unknown) = (Vec::new(), Vec::new());
        for word in format.split(',') {
            let (name, width) = word.split_once('%').unwrap_or((word, ""));
            let lower = name.to_ascii_lowercase();
            let mut known = kind.named().iter();
            match known.find(|(full, least, _)| lower.len() >= *least && full.starts_with(&lower)) {
                Some((.., field)) => {
                    let width = width.parse().ok().filter(|w: &i32| *w != 0 && w.unsigned_abs() < 10_000);
                    all.push(Chosen { width: width.unwrap_or(field.width(kind)), ..plain(*field) });
                }
                None => unknown.push(name.to_owned()),
            }
        }
        (Fields { kind, all }, unknown)
    }

    /// Accounts to the left, with room for the tree, where no width was asked for.
    pub fn as_tree(mut self) -> Fields {
        let plain = Field::Account.width(self.kind);
        for chosen in self.all.iter_mut().filter(|c| c.field == Field::Account && c.width == plain) {
            chosen.width = -20;
        }
        self
    }

    /// Whether the column of accounts is set to the left, and so has room for the tree.
    pub(super) fn shows_tree(&self) -> bool {
        self.all.iter().any(|c| c.field == Field::Account && c.width < 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Chosen> {
        self.all.iter()
    }

    /// The place of a field.
    pub(super) fn places(&self, field: Field) -> impl Iterator<Item = usize> {
        self.all.iter().enumerate().filter(move |(_, c)| c.field == field).map(|(n, _)| n)
    }

    pub(super) fn heads(&self, measure: &Measure) -> Vec<Head> {
        let head = |c: &Chosen| {
            let amount = c.field.is_amount() && self.kind != Kind::Reservations;
            let width = if amount { measure.form.width() as i32 } else { c.width };
            Head { text: c.field.heading_in(self.kind).to_owned(), width, cut: !amount }
        };
        self.all.iter().map(head).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Observed on Slurm 22.05.8.
    #[test]
    fn names_are_cut_short_as_far_as_they_are_clear() {
        let read = |kind, format: &str| {
            let (fields, unknown) = Fields::read(kind, Some(format), &Measure::default());
            let heads: Vec<String> =
                fields.heads(&Measure::default()).iter().map(|h| format!("{}{}", h.text, h.width)).collect();
            (heads.join(" "), unknown)
        };
        assert_eq!(read(Kind::Top, "a,l%-3,Used%4"), ("Account15 Login-3 Used8".into(), vec![]));
        assert_eq!(read(Kind::Top, "tresc"), (String::new(), vec!["tresc".into()]));
        assert_eq!(read(Kind::Top, ""), (String::new(), vec![String::new()]));
        assert_eq!(read(Kind::Utilization, "res,planned,pl%20").0, "Planned8 PLND Down8 PLND Down8");
        assert_eq!(read(Kind::AccountUser, "a,acc%x").1, ["a"]);
        assert_eq!(read(Kind::SizesAccount, "account%2").0, "Account2");
    }

    proptest! {
        #[test]
        fn any_format_is_read(format in "\\PC{0,40}") {
            for kind in [Kind::Utilization, Kind::AccountUser, Kind::SizesAccount, Kind::Reservations, Kind::Top] {
                let (fields, unknown) = Fields::read(kind, Some(&format), &Measure::default());
                prop_assert_eq!(fields.iter().count() + unknown.len(), format.split(',').count());
            }
        }
    }
}
