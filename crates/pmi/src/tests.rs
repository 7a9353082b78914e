//! Transcripts of real clients, and what holds for any bytes.

use super::*;
use proptest::prelude::*;

/// Two nodes with two ranks each.
fn step() -> Step {
    Step { job: "12.0".into(), nodes: vec!["n1".into(), "n2".into()], ranks: vec![0, 0, 1, 1] }
}

fn alone() -> Server {
    Server::new(Step { job: "12.0".into(), nodes: vec!["n1".into()], ranks: vec![0] })
}

/// The bytes that go to ranks, as text.
fn sent(reactions: Vec<Reaction>) -> Vec<(u32, String)> {
    let text = |reaction| match reaction {
        Reaction::Send { rank, bytes } => Some((rank, String::from_utf8(bytes).unwrap())),
        _ => None,
    };
    reactions.into_iter().filter_map(text).collect()
}

/// What one rank is answered at once.
fn answer(server: &mut Server, rank: u32, request: &str) -> String {
    let sent = sent(server.receive(rank, request.as_bytes()));
    assert!(sent.iter().all(|(to, _)| *to == rank), "{request}: {sent:?}");
    sent.into_iter().map(|(_, text)| text).collect()
}

/// A frame, its length written as Slurm's library does.
fn framed(body: &str) -> String {
    format!("{:<6}{body}", body.len())
}

fn greeted(version: u32) -> Server {
    let mut server = Server::new(step());
    for rank in 0..4 {
        answer(
            &mut server,
            rank,
            &format!("cmd=init pmi_version={version} pmi_subversion={}\n", 2 - version),
        );
    }
    server
}

/// What MPICH 4.0.2 asked of Slurm 22.05.8, with Slurm's answers; the mapping is that of the step here.
#[test]
fn mpich_is_answered_as_slurm_does() {
    let mut server = Server::new(step());
    for (request, expected) in [
        (
            "cmd=init pmi_version=1 pmi_subversion=1\n",
            "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1\n",
        ),
        ("cmd=get_maxes\n", "cmd=maxes rc=0 kvsname_max=256 keylen_max=64 vallen_max=1024\n"),
        ("cmd=get_appnum\n", "cmd=appnum rc=0 appnum=-1\n"),
        ("cmd=get_my_kvsname\n", "cmd=my_kvsname rc=0 kvsname=12.0\n"),
        ("cmd=get kvsname=12.0 key=PMI_process_mapping\n", "cmd=get_result rc=0 value=(vector,(0,2,2))\n"),
        ("cmd=put kvsname=12.0 key=-bcast-1-0 value=2F64\n", "cmd=put_result rc=0\n"),
        ("cmd=get kvsname=12.0 key=-bcast-1-0\n", "cmd=get_result rc=1\n"),
        ("cmd=get_universe_size\n", "cmd=universe_size rc=0 size=4\n"),
        ("cmd=publish_name service=s port=a port\n", "cmd=publish_result rc=0 info=ok\n"),
        ("cmd=lookup_name service=s\n", "cmd=lookup_result rc=0 info=ok port=a port\n"),
        ("cmd=lookup_name service=t\n", "cmd=lookup_result rc=1 info=fail\n"),
        ("cmd=unpublish_name service=s\n", "cmd=unpublish_result rc=0 info=ok\n"),
        ("cmd=finalize\n", "cmd=finalize_ack rc=0\n"),
    ] {
        assert_eq!(answer(&mut server, 0, request), expected, "{request}");
    }
}

#[test]
fn a_barrier_lets_all_go_at_once_and_shows_what_was_put() {
    let mut server = greeted(1);
    answer(&mut server, 0, "cmd=put kvsname=12.0 key=k value=first\n");
    answer(&mut server, 1, "cmd=put kvsname=12.0 key=k value=last one\n");
    for rank in [2, 0, 3] {
        assert_eq!(answer(&mut server, rank, "cmd=barrier_in\n"), "");
    }
    // Who comes twice does not count twice.
    assert_eq!(answer(&mut server, 0, "cmd=barrier_in\n"), "");
    let out = |rank| (rank, "cmd=barrier_out rc=0\n".to_owned());
    assert_eq!(sent(server.receive(1, b"cmd=barrier_in\n")), [0, 1, 2, 3].map(out));
    assert_eq!(
        answer(&mut server, 3, "cmd=get kvsname=12.0 key=k\n"),
        "cmd=get_result rc=0 value=last one\n"
    );
    assert_eq!(answer(&mut server, 3, "cmd=barrier_in\n"), "", "the next barrier begins from nothing");
}

/// What Slurm's libpmi2 asked of Slurm 22.05.8. Slurm cuts a value at a semicolon; here it arrives whole.
#[test]
fn libpmi2_is_answered_as_slurm_does() {
    let mut server = Server::new(Step { ranks: vec![0], ..step() });
    let greeting = "cmd=init pmi_version=2 pmi_subversion=0\n";
    assert_eq!(
        answer(&mut server, 0, greeting),
        "cmd=response_to_init rc=0 pmi_version=2 pmi_subversion=0\n"
    );
    for (request, expected) in [
        (
            "cmd=fullinit;pmijobid=12.0;pmirank=0;threaded=FALSE;",
            "cmd=fullinit-response;rc=0;pmi-version=2;pmi-subversion=0;rank=0;size=1;appnum=-1;debugged=FALSE;\
             pmiverbose=FALSE;",
        ),
        ("cmd=job-getid;", "cmd=job-getid-response;rc=0;jobid=12.0;"),
        (
            "cmd=info-getjobattr;key=PMI_process_mapping;",
            "cmd=info-getjobattr-response;rc=0;found=TRUE;value=(vector,(0,1,1));",
        ),
        ("cmd=info-getjobattr;key=universeSize;", "cmd=info-getjobattr-response;rc=0;found=TRUE;value=1;"),
        ("cmd=info-getjobattr;key=none;", "cmd=info-getjobattr-response;rc=0;found=FALSE;"),
        ("cmd=info-getnodeattr;key=seg;wait=FALSE;", "cmd=info-getnodeattr-response;rc=0;found=FALSE;"),
        ("cmd=info-putnodeattr;key=seg;value=a;;b=c d;", "cmd=info-putnodeattr-response;rc=0;"),
        (
            "cmd=info-getnodeattr;key=seg;wait=TRUE;",
            "cmd=info-getnodeattr-response;rc=0;found=TRUE;value=a;;b=c d;",
        ),
        ("cmd=kvs-put;key=key0;value=of;;0=x;", "cmd=kvs-put-response;rc=0;"),
        ("cmd=kvs-fence;", "cmd=kvs-fence-response;rc=0;"),
        ("cmd=kvs-get;jobid=12.0;srcid=0;key=key0;", "cmd=kvs-get-response;rc=0;found=TRUE;value=of;;0=x;"),
        ("cmd=kvs-get;thrid=3;key=key9;", "cmd=kvs-get-response;thrid=3;rc=0;found=FALSE;"),
        ("cmd=name-publish;name=svc;port=port 1;infokeycount=0;", "cmd=name-publish-response;rc=0;"),
        (
            "cmd=name-lookup;name=svc;infokeycount=0;",
            "cmd=name-lookup-response;rc=0;value=port 1;port=port 1;found=TRUE;",
        ),
        ("cmd=name-lookup;name=none;infokeycount=0;", "cmd=name-lookup-response;rc=1;found=FALSE;"),
        ("cmd=name-unpublish;name=svc;infokeycount=0;", "cmd=name-unpublish-response;rc=0;"),
        ("cmd=finalize;", "cmd=finalize-response;rc=0;"),
    ] {
        assert_eq!(answer(&mut server, 0, &framed(request)), framed(expected), "{request}");
    }
}

#[test]
fn an_attribute_of_a_node_wakes_those_of_its_ranks_that_wait() {
    let mut server = greeted(2);
    for rank in [1, 2] {
        assert_eq!(answer(&mut server, rank, &framed("cmd=info-getnodeattr;key=seg;wait=TRUE;")), "");
    }
    let woken = sent(server.receive(0, framed("cmd=info-putnodeattr;key=seg;value=s;").as_bytes()));
    assert_eq!(
        woken,
        [
            (0, framed("cmd=info-putnodeattr-response;rc=0;")),
            (1, framed("cmd=info-getnodeattr-response;rc=0;found=TRUE;value=s;")),
        ],
        "rank 2 is on another node"
    );
}

#[test]
fn the_ring_tells_neighbours_of_each_other() {
    let mut server = greeted(2);
    let join = |rank: u32| framed(&format!("cmd=ring;ring-count=1;ring-left=l{rank};ring-right=r{rank};"));
    for rank in [3, 1, 0] {
        assert_eq!(answer(&mut server, rank, &join(rank)), "");
    }
    let told = sent(server.receive(2, join(2).as_bytes()));
    assert_eq!(told[0], (0, framed("cmd=ring-response;rc=0;ring-count=0;ring-left=r3;ring-right=l1;")));
    assert_eq!(told[3], (3, framed("cmd=ring-response;rc=0;ring-count=3;ring-left=r2;ring-right=l0;")));
}

#[test]
fn an_abort_is_for_the_whole_step() {
    let aborted = |reactions: Vec<Reaction>| match reactions.as_slice() {
        [Reaction::Abort { rank, exit_code, message }] => (*rank, *exit_code, message.clone()),
        other => panic!("{other:?}"),
    };
    let mut server = greeted(1);
    let request = b"cmd=abort exitcode=5 error_msg=out of luck\n";
    assert_eq!(aborted(server.receive(1, request)), (1, Some(5), "out of luck".to_owned()));
    let mut server = greeted(2);
    let request = framed("cmd=abort;isworld=TRUE;msg=going down;; now;");
    assert_eq!(aborted(server.receive(3, request.as_bytes())), (3, None, "going down; now".to_owned()));
}

/// A task that asked and is not answered would wait for ever.
#[test]
fn what_cannot_be_done_is_said_and_answered() {
    let spawn = "mcmd=spawn\nnprocs=1\nexecname=/bin/true\ntotspawns=2\nspawnssofar=";
    let both = format!("{spawn}1\nargcnt=0\nendcmd\n{spawn}2\nargcnt=0\nendcmd\n");
    for (version, request, said, answered) in [
        (1, "cmd=getbyidx kvsname=x idx=0\n".to_owned(), "'getbyidx'", "cmd=getbyidx_result rc=-1 info=fail"),
        (1, "cmd=get kvsname=x\n".to_owned(), "'key' is missing", "cmd=get_result rc=-1"),
        (1, "nonsense\n".to_owned(), "does not begin with 'cmd='", "cmd=error rc=-1"),
        (1, both, "MPI_Comm_spawn", "cmd=spawn_result rc=-1"),
        (2, framed("cmd=nosuch;"), "'nosuch'", "cmd=nosuch-response;rc=14;errmsg="),
        (2, framed("cmd=kvs-put;key=x;"), "'value' is missing", "cmd=kvs-put-response;rc=3;errmsg="),
        (2, framed("cmd=spawn;ncmds=1;subcmd=/bin/true;"), "mpiexec", "cmd=spawn-response;rc=14;"),
        (2, framed("nonsense"), "does not begin with 'cmd='", "cmd=error-response;rc=3;"),
    ] {
        let mut server = greeted(version);
        let reactions = server.receive(0, request.as_bytes());
        assert!(
            matches!(&reactions[0], Reaction::Say { rank: 0, text } if text.contains(said)),
            "{reactions:?}"
        );
        let sent = sent(reactions);
        assert_eq!(sent.len(), 1, "{request}");
        assert!(sent[0].1.contains(answered), "{sent:?}");
    }
    let mut server = alone();
    assert_eq!(
        answer(&mut server, 0, "what\n"),
        "cmd=response_to_init rc=1 pmi_version=2 pmi_subversion=0\n"
    );
    assert_eq!(
        answer(&mut server, 0, "cmd=init pmi_version=3 pmi_subversion=0\n"),
        "cmd=response_to_init rc=-1 pmi_version=3 pmi_subversion=0\n"
    );
}

#[test]
fn a_lost_stream_is_closed_and_read_no_further() {
    let mut server = greeted(2);
    let reactions = server.receive(0, b"xx    cmd=job-getid;");
    assert!(matches!(&reactions[..], [Reaction::Say { .. }, Reaction::Close { rank: 0 }]), "{reactions:?}");
    assert_eq!(server.receive(0, framed("cmd=job-getid;").as_bytes()), []);
    assert_eq!(server.receive(9, b"cmd=get_maxes\n"), [], "there is no such rank");
}

/// Slurm 22.05.8 says the same of these steps.
#[test]
fn ranks_are_mapped_to_nodes() {
    for (nodes, expected) in [
        (&[0, 0, 1, 1][..], "(vector,(0,2,2))"),
        (&[0, 0, 1], "(vector,(0,1,2),(1,1,1))"),
        (&[0, 0, 1, 2], "(vector,(0,1,2),(1,2,1))"),
        (&[0, 1, 2, 0], "(vector,(0,3,1),(0,1,1))"),
        (&[0, 1, 2, 0, 1, 2, 0, 1], "(vector,(0,3,1),(0,3,1),(0,2,1))"),
        (&[0, 0, 1, 1, 2, 2, 0, 1], "(vector,(0,3,2),(0,2,1))"),
        (&[0, 0, 0, 1, 1, 1, 2, 2], "(vector,(0,2,3),(2,1,2))"),
        (&[0], "(vector,(0,1,1))"),
    ] {
        assert_eq!(process_mapping(nodes), expected);
    }
}

/// The ranks' nodes, read back from a mapping.
fn unmapped(mapping: &str) -> Vec<u32> {
    let blocks = mapping.strip_prefix("(vector,(").and_then(|m| m.strip_suffix("))")).unwrap().split("),(");
    let node = |block: &str| {
        let n: Vec<u32> = block.split(',').map(|n| n.parse().unwrap()).collect();
        (0..n[1]).flat_map(move |at| vec![n[0] + at; n[2] as usize])
    };
    blocks.flat_map(node).collect::<Vec<_>>()
}

/// Commands as servers and clients write them.
fn commands() -> impl Strategy<Value = Command> {
    let words =
        prop::collection::vec(("[a-z][a-z_;-]{0,9}", prop::collection::vec(any::<u8>(), 0..12)), 0..4);
    ("[a-z_;-]{1,12}", words).prop_map(|(name, words)| {
        words.into_iter().fold(Command::new(name), |command, (key, value)| command.with(key, value))
    })
}

proptest! {
    #[test]
    fn a_frame_reads_as_it_was_written(command in commands()) {
        let bytes = frame::write(&command);
        let (head, body) = bytes.split_first_chunk().unwrap();
        prop_assert_eq!(frame::length(head), Ok(body.len()));
        prop_assert_eq!(frame::read(body), Ok(command));
    }

    /// A line holds what has no space in it; the last value may have some.
    #[test]
    fn a_line_reads_as_it_was_written(
        name in "[a-z_]{1,12}", words in prop::collection::vec(("[a-z_]{6,9}", "[!-~]{0,12}"), 0..4), last in "[ -~]{0,12}",
    ) {
        let command = words.into_iter().fold(Command::new(name), |c, (key, value)| c.with(key, value)).with("value", last);
        let bytes = line::write(&command);
        let (end, line) = bytes.split_last().unwrap();
        prop_assert_eq!((*end, line::read(line)), (b'\n', Ok(command)));
    }

    #[test]
    fn a_line_is_one_line(command in commands()) {
        prop_assert_eq!(line::write(&command).iter().filter(|&&b| b == b'\n').count(), 1);
    }

    #[test]
    fn a_mapping_says_where_each_rank_is(nodes in prop::collection::vec(0..5_u32, 1..40)) {
        prop_assert_eq!(unmapped(&process_mapping(&nodes)), nodes);
    }

    /// How the bytes come in makes no difference.
    #[test]
    fn bytes_may_be_cut_anywhere(version in 1..3_u32, commands in prop::collection::vec(commands(), 0..6), cut in 1..9_usize) {
        let write = |c: &Command| if version == 1 { line::write(c) } else { frame::write(c) };
        let mut bytes = format!("cmd=init pmi_version={version} pmi_subversion=0\n").into_bytes();
        bytes.extend(commands.iter().flat_map(write));
        let whole = Server::new(step()).receive(2, &bytes);
        let mut server = Server::new(step());
        let pieces: Vec<Reaction> = bytes.chunks(cut).flat_map(|piece| server.receive(2, piece)).collect();
        prop_assert_eq!(whole, pieces);
    }
}
