//! Which requests may be repeated when nobody knows whether they were heard.

use super::Ask;
use bivouac_types::StepLimit;

impl Ask {
    /// Whether it may be asked again if nobody knows whether it was heard: it changes nothing, or the second time changes
    /// nothing more and is answered likewise.
    pub fn is_repeatable(&self) -> bool {
        match self {
            Ask::Ping
            | Ask::Greet { .. }
            | Ask::Status
            | Ask::Faults
            | Ask::TestOnly(_)
            | Ask::Jobs(_)
            | Ask::Accounting(_)
            | Ask::Nodes
            | Ask::Spells
            | Ask::Partitions
            | Ask::Licenses
            | Ask::Priorities
            | Ask::Diagnostics
            | Ask::Config
            | Ask::StepSocket(_)
            | Ask::Measure(_)
            | Ask::Script(_)
            | Ask::Payload(_)
            | Ask::Triggers => true,
            // It has a key of its own.
            Ask::Submit(_) => true,
            Ask::Cancel(request) => request.signal.is_none(),
            Ask::UpdateStep { limit, .. } => matches!(limit, StepLimit::To(_)),
            Ask::ResetDiagnostics
            | Ask::Reconfigure
            | Ask::Hold { .. }
            | Ask::Release(_)
            | Ask::Top(_)
            | Ask::Update { .. }
            | Ask::Set(_)
            | Ask::UpdatePartition { .. } => true,
            Ask::AddFault { .. }
            | Ask::ClearFaults(_)
            | Ask::Requeue { .. }
            | Ask::Suspend(_)
            | Ask::Resume(_)
            | Ask::Notify { .. }
            | Ask::UpdateNodes { .. }
            | Ask::CreatePartition { .. }
            | Ask::DeletePartition(_)
            | Ask::Misfortune { .. }
            | Ask::TriggerSet(_)
            | Ask::TriggerClear(_) => false,
            // Whoever asks for these knows what a controller's end means.
            Ask::WaitEnd(_)
            | Ask::Attend { .. }
            | Ask::Complete { .. }
            | Ask::StepStart(_)
            | Ask::StepEnd { .. }
            | Ask::Shutdown { .. } => false,
        }
    }
}
