//! strigger --get.

use crate::settings::push;
use bivouac_types::hostlist::compress;
use bivouac_types::trigger::{Trigger, TriggerEvent, TriggerOn};

/// The line of headings.
pub const HEADING: &str =
    "TRIG_ID RES_TYPE   RES_ID TYPE                                OFFSET USER     FLAGS PROGRAM\n";

/// The lines of triggers.
pub fn lines<'t>(triggers: impl IntoIterator<Item = &'t Trigger>) -> String {
    let mut out = String::new();
    for Trigger { id, user, spec, .. } in triggers {
        let (kind, of) = match &spec.on {
            TriggerOn::Job(job) | TriggerOn::NodesOf(job) => ("job", job.to_string()),
            TriggerOn::Nodes(None) => ("node", "*".to_owned()),
            TriggerOn::Nodes(Some(names)) => ("node", compress(names.iter().map(String::as_str))),
            TriggerOn::Controller => ("slurmctld", "*".to_owned()),
        };
        let flags = if spec.permanent { "PERM" } else { "" };
        push(
            &mut out,
            format_args!(
                "{id:>7} {kind:<9} {of:>7} {:<35} {:>6} {user:<8} {flags:<5} {}\n",
                spec.event.name(),
                spec.offset,
                spec.program
            ),
        );
    }
    out
}

/// Whether a trigger looks at one of these nodes (--get --node).
pub fn looks_at(trigger: &Trigger, nodes: &[String]) -> bool {
    match &trigger.spec.on {
        TriggerOn::Nodes(None) => true,
        TriggerOn::Nodes(Some(names)) => nodes.is_empty() || names.iter().any(|name| nodes.contains(name)),
        TriggerOn::Job(_) | TriggerOn::NodesOf(_) | TriggerOn::Controller => false,
    }
}

/// Whether a trigger is of one of these events (none: of any).
pub fn is_of(trigger: &Trigger, events: &[TriggerEvent]) -> bool {
    events.is_empty() || events.contains(&trigger.spec.event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_types::trigger::TriggerSpec;
    use bivouac_types::{JobId, Uid};

    fn trigger(id: u32, on: TriggerOn, event: TriggerEvent, offset: i32, permanent: bool) -> Trigger {
        let program = if id == 1 { "/opt/trig.sh a b" } else { "/opt/trig.sh" }.to_owned();
        let spec = TriggerSpec { on, event, offset, permanent, program };
        Trigger { id, uid: Uid(0), user: "root".into(), spec }
    }

    #[test]
    fn the_lines_of_slurm() {
        let n1 = || TriggerOn::Nodes(Some(vec!["n1".into()]));
        let list = [
            trigger(1, n1(), TriggerEvent::Down, 0, false),
            trigger(2, n1(), TriggerEvent::Drained, 0, true),
            trigger(6, TriggerOn::Controller, TriggerEvent::ControllerResumed, 0, false),
            trigger(7, TriggerOn::Nodes(None), TriggerEvent::Reconfig, 0, false),
            trigger(18, TriggerOn::Job(JobId(88)), TriggerEvent::Time, -100, false),
            trigger(27, TriggerOn::NodesOf(JobId(88)), TriggerEvent::Down, 0, false),
        ];
        insta::assert_snapshot!(format!("{HEADING}{}", lines(&list)), @r"
        TRIG_ID RES_TYPE   RES_ID TYPE                                OFFSET USER     FLAGS PROGRAM
              1 node           n1 down                                     0 root           /opt/trig.sh a b
              2 node           n1 drained                                  0 root     PERM  /opt/trig.sh
              6 slurmctld       * primary_slurmctld_resumed_operation      0 root           /opt/trig.sh
              7 node            * reconfig                                 0 root           /opt/trig.sh
             18 job            88 time                                  -100 root           /opt/trig.sh
             27 job            88 down                                     0 root           /opt/trig.sh
        ");
        let of = |nodes: &[&str]| {
            let nodes: Vec<String> = nodes.iter().map(|n| n.to_string()).collect();
            list.iter().filter(|t| looks_at(t, &nodes)).map(|t| t.id).collect::<Vec<_>>()
        };
        assert_eq!((of(&["n1"]), of(&["n2"])), (vec![1, 2, 7], vec![7]));
        assert!(is_of(&list[0], &[]) && !is_of(&list[0], &[TriggerEvent::Up]));
    }
}
