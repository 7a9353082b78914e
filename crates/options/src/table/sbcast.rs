//! sbcast(1).

use super::{HELP, Opt, USAGE, VERBOSE, VERSION, opt};

const SAME_FILES: &str = "all nodes see the same files";
const NO_MESSAGES: &str = "the file is copied on this machine, without messages";

pub(super) const OPTIONS: &[Opt] = &[
    opt("compress", "compress what is sent")
        .short('C')
        .may_take("library")
        .env(&["SBCAST_COMPRESS"])
        .listed(NO_MESSAGES),
    opt("exclude", "libraries that --send-libs leaves out")
        .takes("paths")
        .env(&["SBCAST_EXCLUDE"])
        .listed(SAME_FILES),
    opt("fanout", "how many nodes are sent to at once")
        .short('F')
        .takes("number")
        .env(&["SBCAST_FANOUT"])
        .listed(NO_MESSAGES),
    opt("force", "replace a file that is there").short('f').env(&["SBCAST_FORCE"]),
    HELP,
    opt("jobid", "job to whose nodes the file goes, or a step of it").short('j').takes("job[.step]"),
    opt("preserve", "keep times and mode of the file").short('p').env(&["SBCAST_PRESERVE"]),
    opt("send-libs", "send the libraries of a program too")
        .may_take("yes|no")
        .env(&["SBCAST_SEND_LIBS"])
        .listed(SAME_FILES),
    opt("size", "size of a block").short('s').takes("bytes").env(&["SBCAST_SIZE"]).listed(NO_MESSAGES),
    opt("timeout", "how long to wait for messages")
        .short('t')
        .takes("seconds")
        .env(&["SBCAST_TIMEOUT"])
        .listed(NO_MESSAGES),
    USAGE,
    VERBOSE,
    VERSION,
];
