use super::*;
use crate::report::ExitReport;

fn at(job: u32, restart: u32) -> Attempt {
    Attempt { job, restart }
}

fn order(attempt: Attempt) -> Box<LaunchOrder> {
    let argv = vec![b"/bin/true".to_vec()];
    Box::new(LaunchOrder { attempt, argv, cwd: b"/".to_vec(), ..Default::default() })
}

fn scratched(attempt: Attempt) -> Box<LaunchOrder> {
    Box::new(LaunchOrder { scratch: Some(b"/scratch/1".to_vec()), ..*order(attempt) })
}

fn exit(attempt: Attempt, code: i32) -> Ending {
    Ending::Exited(ExitReport { attempt, wait_status: code << 8, ..Default::default() })
}

fn tell(keeper: &mut Keeper, message: ToKeeper) -> Vec<Action> {
    keeper.on(Input::Message { message, now: Stamp::default() })
}

fn hello() -> ToKeeper {
    ToKeeper::Hello { version: 1, controller_pid: 1, respawn: vec![b"ctld".to_vec()] }
}

fn intent(order: &LaunchOrder) -> Record {
    Record::Intent { attempt: order.attempt, traces: order.traces(), at: Stamp::default() }
}

fn claim(attempt: Attempt, pid: i32) -> Record {
    Record::Claimed { attempt, process: Process { pid, start_ticks: 1 } }
}

fn running(attempt: Attempt) -> Keeper {
    let (mut keeper, _) = Keeper::new(&[]);
    tell(&mut keeper, hello());
    tell(&mut keeper, ToKeeper::Launch(order(attempt)));
    keeper.on(Input::Forked { attempt, pid: 10, at: Stamp::default() });
    keeper
}

fn forks(actions: &[Action]) -> usize {
    actions.iter().filter(|a| matches!(a, Action::Fork(_))).count()
}

#[test]
fn an_attempt_is_recorded_before_each_step_and_forgotten_when_acknowledged() {
    let a = at(5, 0);
    let (mut keeper, actions) = Keeper::new(&[]);
    assert_eq!(actions, []);
    assert!(matches!(
        tell(&mut keeper, hello())[..],
        [Action::Record(Record::Session(_)), Action::Welcome(_)]
    ));
    let actions = tell(&mut keeper, ToKeeper::Launch(order(a)));
    assert_eq!(actions, [Action::Record(intent(&order(a))), Action::Fork(order(a))]);
    let actions = keeper.on(Input::Forked { attempt: a, pid: 10, at: Stamp::default() });
    assert!(matches!(actions[..], [Action::Send(FromKeeper::Launched { pid: 10, .. })]));
    let actions = keeper.on(Input::Ended { attempt: a, ending: exit(a, 7) });
    assert!(matches!(
        actions[..],
        [
            Action::Record(Record::Ended { .. }),
            Action::Reap { .. },
            Action::KillAll { .. },
            Action::Send(FromKeeper::Exited(_))
        ]
    ));
    assert_eq!(
        tell(&mut keeper, ToKeeper::Ack { attempt: a }),
        [Action::Record(Record::Forget { attempt: a })]
    );
    assert_eq!(keeper.attempts(), []);
    assert_eq!(tell(&mut keeper, ToKeeper::Ack { attempt: a }), []);
}

#[test]
fn before_the_claim_an_attempt_can_be_signalled_and_can_end() {
    let a = at(5, 0);
    let (mut keeper, _) = Keeper::new(&[]);
    tell(&mut keeper, hello());
    tell(&mut keeper, ToKeeper::Launch(order(a)));
    assert_eq!(keeper.attempts(), [(a, AttemptStatus::NotStarted)]);
    assert_eq!(tell(&mut keeper, ToKeeper::Launch(order(a))), [], "it is being launched");
    let (signal, scope) = (15, Scope::BatchOnly);
    let actions = tell(&mut keeper, ToKeeper::Signal { attempt: a, signal, scope });
    assert_eq!(actions, [Action::Signal { attempt: a, signal, scope }]);
    assert_eq!(tell(&mut keeper, ToKeeper::Kill { attempt: a }), [Action::KillAll { attempt: a }]);
    let failure = LaunchFailure { step: FailedStep::Fork, errno: 0, what: "killed".into() };
    let actions = keeper.on(Input::Ended { attempt: a, ending: Ending::Failed(failure.clone()) });
    assert!(actions.contains(&Action::Reap { attempt: a }));
    assert!(actions.contains(&Action::Send(FromKeeper::LaunchFailed { attempt: a, failure })));
    assert_eq!(keeper.on(Input::Forked { attempt: a, pid: 10, at: Stamp::default() }), []);
}

#[test]
fn a_known_attempt_is_reported_not_started() {
    let a = at(5, 0);
    let mut keeper = running(a);
    let actions = tell(&mut keeper, ToKeeper::Launch(order(a)));
    assert!(matches!(actions[..], [Action::Send(FromKeeper::Launched { .. })]));
    keeper.on(Input::Ended { attempt: a, ending: exit(a, 0) });
    let actions = tell(&mut keeper, ToKeeper::Launch(order(a)));
    assert!(matches!(actions[..], [Action::Send(FromKeeper::Exited(_))]));
}

#[test]
fn a_later_attempt_kills_the_older_and_is_refused_for_good() {
    let (old, new) = (at(5, 0), at(5, 1));
    let mut keeper = running(old);
    let actions = tell(&mut keeper, ToKeeper::Launch(order(new)));
    assert_eq!(actions[0], Action::KillAll { attempt: old });
    assert!(
        matches!(&actions[1..], [Action::Send(FromKeeper::LaunchFailed { attempt, .. })] if *attempt == new)
    );
    keeper.on(Input::Ended { attempt: old, ending: exit(old, 0) });
    // A doubled message must not start what was refused and is not yet acknowledged.
    assert_eq!(forks(&tell(&mut keeper, ToKeeper::Launch(order(new)))), 0);
    tell(&mut keeper, ToKeeper::Ack { attempt: new });
    assert_eq!(forks(&tell(&mut keeper, ToKeeper::Launch(order(new)))), 1);
    // An older attempt than the living one is refused without harm to it.
    keeper.on(Input::Forked { attempt: new, pid: 11, at: Stamp::default() });
    tell(&mut keeper, ToKeeper::Ack { attempt: old });
    let actions = tell(&mut keeper, ToKeeper::Launch(order(old)));
    assert!(matches!(actions[..], [Action::Send(FromKeeper::LaunchFailed { .. })]));
}

#[test]
fn an_unclaimed_intent_is_not_started_and_may_be_launched_again() {
    let o = order(at(5, 0));
    let (mut keeper, actions) = Keeper::new(&[intent(&o)]);
    assert_eq!(actions, []);
    assert_eq!(keeper.attempts(), [(o.attempt, AttemptStatus::NotStarted)]);
    tell(&mut keeper, hello());
    let actions = tell(&mut keeper, ToKeeper::Launch(o.clone()));
    assert_eq!(
        actions,
        [Action::Record(Record::Forget { attempt: o.attempt }), Action::Record(intent(&o)), Action::Fork(o)]
    );
}

#[test]
fn a_claimed_attempt_is_adopted() {
    let o = scratched(at(5, 0));
    let a = o.attempt;
    let new = || Keeper::new(&[intent(&o), claim(a, 10)]);
    let (mut keeper, actions) = new();
    assert_eq!(actions, [Action::Adopt { attempt: a, process: Process { pid: 10, start_ticks: 1 } }]);
    assert_eq!(keeper.on(Input::Adopted { attempt: a, found: Found::Running }), []);
    // The reaper has recorded and reaped; the keeper does neither.
    let actions = keeper.on(Input::Ended { attempt: a, ending: exit(a, 3) });
    assert!(matches!(
        actions[..],
        [Action::KillAll { .. }, Action::RemoveScratch { .. }, Action::Send(FromKeeper::Exited(_))]
    ));
    let (mut keeper, _) = new();
    let actions = keeper.on(Input::Adopted { attempt: a, found: Found::Lost });
    assert!(matches!(
        actions[..],
        [
            Action::Record(Record::Ended { ending: Ending::Lost, .. }),
            Action::KillAll { .. },
            Action::RemoveScratch { .. },
            Action::Send(FromKeeper::Unknown { .. })
        ]
    ));
    assert_eq!(keeper.attempts(), [(a, AttemptStatus::Unknown)]);
}

#[test]
fn damage_makes_lost_never_not_started() {
    let o = order(at(5, 0));
    let corrupt = Record::Corrupt { attempt: Some(o.attempt), what: "x".into() };
    let (mut keeper, _) =
        Keeper::new(&[intent(&o), corrupt, Record::Corrupt { attempt: None, what: "y".into() }]);
    assert_eq!(keeper.attempts(), [(o.attempt, AttemptStatus::Unknown)]);
    tell(&mut keeper, hello());
    assert_eq!(forks(&tell(&mut keeper, ToKeeper::Launch(o))), 0);
}

#[test]
fn scratch_is_removed_before_the_slot_is_freed_and_again_after_a_crash() {
    let o = scratched(at(5, 0));
    let a = o.attempt;
    let ended = Record::Ended { attempt: a, ending: exit(a, 0) };
    let (mut keeper, actions) = Keeper::new(&[intent(&o), claim(a, 10), ended.clone()]);
    assert!(matches!(actions[..], [Action::KillAll { .. }, Action::RemoveScratch { .. }]));
    tell(&mut keeper, hello());
    assert_eq!(tell(&mut keeper, ToKeeper::Ack { attempt: a }), []);
    assert_eq!(keeper.attempts(), [], "acknowledged is not reported again");
    let actions = keeper.on(Input::ScratchRemoved { attempt: a });
    let forgotten = Action::Record(Record::Forget { attempt: a });
    assert_eq!(actions, [Action::Record(Record::ScratchRemoved { attempt: a }), forgotten]);
    let records = [intent(&o), claim(a, 10), ended, Record::ScratchRemoved { attempt: a }];
    assert_eq!(Keeper::new(&records).1, [Action::KillAll { attempt: a }]);
}

#[test]
fn no_space_is_a_failed_launch() {
    let a = at(5, 0);
    let (mut keeper, _) = Keeper::new(&[]);
    tell(&mut keeper, hello());
    tell(&mut keeper, ToKeeper::Launch(order(a)));
    let failure = LaunchFailure { step: FailedStep::NoSpace, errno: 28, what: "full".into() };
    let actions = keeper.on(Input::NotLaunched { attempt: a, failure: failure.clone() });
    assert!(actions.contains(&Action::Send(FromKeeper::LaunchFailed { attempt: a, failure })));
    assert!(!keeper.has_live());
}

#[test]
fn a_lost_controller_is_started_again_until_it_is_back() {
    let mut keeper = running(at(5, 0));
    assert_eq!(keeper.on(Input::Disconnected), [Action::ScheduleRespawn { failures: 0 }]);
    assert_eq!(keeper.on(Input::Disconnected), []);
    let spawn = Action::SpawnController { argv: vec![b"ctld".to_vec()] };
    for failures in 1..RESPAWN_LIMIT + 3 {
        assert_eq!(keeper.on(Input::RespawnDue), [spawn.clone(), Action::ScheduleRespawn { failures }]);
    }
    tell(&mut keeper, hello());
    assert_eq!(keeper.on(Input::RespawnDue), []);
    // A new keeper knows from the journal that a controller is to be expected.
    let session = Session { respawn: vec![b"ctld".to_vec()], ending: false };
    let (_, actions) = Keeper::new(&[Record::Session(session)]);
    assert_eq!(actions, [Action::ScheduleRespawn { failures: 0 }]);
}

#[test]
fn without_jobs_futile_respawns_end() {
    let (mut keeper, _) = Keeper::new(&[]);
    tell(&mut keeper, hello());
    keeper.on(Input::Disconnected);
    let mut spawned = 0;
    loop {
        let actions = keeper.on(Input::RespawnDue);
        if actions.contains(&Action::End) {
            break;
        }
        assert!(matches!(actions[0], Action::SpawnController { .. }));
        spawned += 1;
    }
    assert_eq!(spawned, RESPAWN_LIMIT);
}

#[test]
fn goodbye_ends_the_keeper_when_nothing_runs() {
    let a = at(5, 0);
    let mut keeper = running(a);
    tell(&mut keeper, ToKeeper::Goodbye);
    assert_eq!(keeper.on(Input::Disconnected), []);
    assert_eq!(keeper.on(Input::Alone), []);
    let actions = keeper.on(Input::Ended { attempt: a, ending: exit(a, 0) });
    assert_eq!(actions.last(), Some(&Action::End), "the unacknowledged end waits in the journal");
    // A controller that comes back before that keeps it.
    let mut keeper = running(a);
    tell(&mut keeper, ToKeeper::Goodbye);
    keeper.on(Input::Disconnected);
    tell(&mut keeper, hello());
    let actions = keeper.on(Input::Ended { attempt: a, ending: exit(a, 0) });
    assert!(!actions.contains(&Action::End));
}

#[test]
fn shutdown_with_cancel_kills_and_waits_for_the_acknowledgement() {
    let a = at(5, 0);
    let mut keeper = running(a);
    let actions = tell(&mut keeper, ToKeeper::Shutdown { cancel: true });
    assert!(actions.contains(&Action::KillAll { attempt: a }) && !actions.contains(&Action::End));
    assert_eq!(forks(&tell(&mut keeper, ToKeeper::Launch(order(at(6, 0))))), 0);
    tell(&mut keeper, ToKeeper::Ack { attempt: at(6, 0) });
    assert!(!keeper.on(Input::Ended { attempt: a, ending: exit(a, 0) }).contains(&Action::End));
    assert_eq!(tell(&mut keeper, ToKeeper::Ack { attempt: a }).last(), Some(&Action::End));
}

#[test]
fn a_keeper_to_which_nobody_comes_ends() {
    let (mut keeper, _) = Keeper::new(&[]);
    assert_eq!(keeper.on(Input::Alone), [Action::End]);
}

#[test]
fn invalid_orders_are_refused() {
    let (mut keeper, _) = Keeper::new(&[]);
    tell(&mut keeper, hello());
    let bad = [
        LaunchOrder { env: vec![b"A=\0".to_vec()], ..*order(at(2, 0)) },
        LaunchOrder { scratch: Some(b"relative".to_vec()), ..*order(at(3, 0)) },
        LaunchOrder { scratch: Some(vec![b'/'; 1025]), ..*order(at(4, 0)) },
    ];
    for o in bad {
        let actions = tell(&mut keeper, ToKeeper::Launch(Box::new(o)));
        assert!(
            matches!(&actions[..], [Action::Send(FromKeeper::LaunchFailed { failure, .. })] if failure.step == FailedStep::Refused)
        );
    }
}
