//! The words of -s and --reason.

use bivouac_types::JobState;

/// A word of -s that is no state, or one that is not in the accounting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadState {
    /// Not a state.
    Unknown(String),
    /// A state that is never recorded.
    NotRecorded(String),
}

impl std::fmt::Display for BadState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadState::Unknown(word) => write!(f, "unrecognized job state value '{word}'"),
            BadState::NotRecorded(word) => write!(f, "job state {word} is not supported / accounted"),
        }
    }
}

impl std::error::Error for BadState {}

/// States of Slurm that are recorded and never occur here: asked for, they match nothing.
const NEVER: [&str; 4] = ["RESIZING", "RS", "REVOKED", "RV"];

/// States that a job has besides another, which alone is recorded.
const NOT_RECORDED: [&str; 18] = [
    "COMPLETING",
    "CG",
    "CONFIGURING",
    "CF",
    "REQUEUE_FED",
    "RF",
    "REQUEUE_HOLD",
    "RH",
    "RESV_DEL_HOLD",
    "RD",
    "SIGNALING",
    "SI",
    "SPECIAL_EXIT",
    "SE",
    "STAGE_OUT",
    "SO",
    "STOPPED",
    "ST",
];

/// Parses -s.
///
/// # Errors
/// The first word that is no state of the accounting.
pub fn parse_states(text: &str) -> Result<Vec<JobState>, BadState> {
    let is_one_of = |list: &[&str], word: &str| list.iter().any(|w| w.eq_ignore_ascii_case(word));
    let mut states = Vec::new();
    for word in text.split(',').filter(|w| !w.is_empty()) {
        match JobState::parse(word) {
            _ if is_one_of(&NOT_RECORDED, word) => return Err(BadState::NotRecorded(word.to_owned())),
            Some(state) => states.push(state),
            None if is_one_of(&NEVER, word) => {}
            None => return Err(BadState::Unknown(word.to_owned())),
        }
    }
    Ok(states)
}

/// A word of --reason that is none; `Display` is sacct's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadReason(pub String);

impl std::fmt::Display for BadReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unrecognized job reason value '{}'", self.0)
    }
}

impl std::error::Error for BadReason {}

/// Parses --reason: words, compared in any case.
///
/// # Errors
/// The first word that is no reason of Slurm's.
pub fn parse_reasons(text: &str) -> Result<Vec<String>, BadReason> {
    let known = |word: &str| REASONS.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(word));
    let words = text.split(',').filter(|w| !w.is_empty());
    words.map(|w| if known(w) { Ok(w.to_owned()) } else { Err(BadReason(w.to_owned())) }).collect()
}

/// Every reason of Slurm 22.05; most cannot occur here.
const REASONS: &str = "AccountNotAllowed AccountingPolicy AssocGrpBB AssocGrpBBMinutes AssocGrpBBRunMinutes AssocGrpBilling \
    AssocGrpBillingMinutes AssocGrpBillingRunMinutes AssocGrpCPUMinutesLimit AssocGrpCPURunMinutesLimit \
    AssocGrpCpuLimit AssocGrpEnergy AssocGrpEnergyMinutes AssocGrpEnergyRunMinutes AssocGrpGRES \
    AssocGrpGRESMinutes AssocGrpGRESRunMinutes AssocGrpJobsLimit AssocGrpLicense AssocGrpLicenseMinutes \
    AssocGrpLicenseRunMinutes AssocGrpMemLimit AssocGrpMemMinutes AssocGrpMemRunMinutes AssocGrpNodeLimit \
    AssocGrpNodeMinutes AssocGrpNodeRunMinutes AssocGrpSubmitJobsLimit AssocGrpUnknown AssocGrpUnknownMinutes \
    AssocGrpUnknownRunMinutes AssocGrpWallLimit AssocMaxBBMinutesPerJob AssocMaxBBPerJob AssocMaxBBPerNode \
    AssocMaxBillingMinutesPerJob AssocMaxBillingPerJob AssocMaxBillingPerNode AssocMaxCpuMinutesPerJobLimit \
    AssocMaxCpuPerJobLimit AssocMaxCpuPerNode AssocMaxEnergyMinutesPerJob AssocMaxEnergyPerJob \
    AssocMaxEnergyPerNode AssocMaxGRESMinutesPerJob AssocMaxGRESPerJob AssocMaxGRESPerNode AssocMaxJobsLimit \
    AssocMaxLicenseMinutesPerJob AssocMaxLicensePerJob AssocMaxMemMinutesPerJob AssocMaxMemPerJob \
    AssocMaxMemPerNode AssocMaxNodeMinutesPerJob AssocMaxNodePerJobLimit AssocMaxSubmitJobLimit \
    AssocMaxUnknownMinutesPerJob AssocMaxUnknownPerJob AssocMaxUnknownPerNode AssocMaxWallDurationPerJobLimit \
    AssociationJobLimit AssociationResourceLimit AssociationTimeLimit BeginTime BlockFreeAction BlockMaxError \
    BurstBufferOperation BurstBufferResources BurstBufferStageIn Cleaning DeadLine Dependency \
    DependencyNeverSatisfied FedJobLock FrontEndDown InactiveLimit InvalidAccount InvalidQOS JobArrayTaskLimit \
    JobHeldAdmin JobHeldUser JobHoldMaxRequeue JobLaunchFailure Licenses MaxBBPerAccount MaxBillingPerAccount \
    MaxCpuPerAccount MaxEnergyPerAccount MaxGRESPerAccount MaxJobsPerAccount MaxLicensePerAccount MaxMemPerLimit \
    MaxMemoryPerAccount MaxNodePerAccount MaxSubmitJobsPerAccount MaxUnknownPerAccount NodeDown NonZeroExitCode \
    None OutOfMemory PartitionConfig PartitionDown PartitionInactive PartitionNodeLimit PartitionTimeLimit \
    Priority QOSGrpBB QOSGrpBBMinutes QOSGrpBBRunMinutes QOSGrpBilling QOSGrpBillingMinutes \
    QOSGrpBillingRunMinutes QOSGrpCPUMinutesLimit QOSGrpCPURunMinutesLimit QOSGrpCpuLimit QOSGrpEnergy \
    QOSGrpEnergyMinutes QOSGrpEnergyRunMinutes QOSGrpGRES QOSGrpGRESMinutes QOSGrpGRESRunMinutes QOSGrpJobsLimit \
    QOSGrpLicense QOSGrpLicenseMinutes QOSGrpLicenseRunMinutes QOSGrpMemLimit QOSGrpMemoryMinutes \
    QOSGrpMemoryRunMinutes QOSGrpNodeLimit QOSGrpNodeMinutes QOSGrpNodeRunMinutes QOSGrpSubmitJobsLimit \
    QOSGrpUnknown QOSGrpUnknownMinutes QOSGrpUnknownRunMinutes QOSGrpWallLimit QOSJobLimit QOSMaxBBPerJob \
    QOSMaxBBPerNode QOSMaxBBPerUser QOSMaxBillingMinutesPerJob QOSMaxBillingPerJob QOSMaxBillingPerNode \
    QOSMaxBillingPerUser QOSMaxCpuMinutesPerJobLimit QOSMaxCpuPerJobLimit QOSMaxCpuPerNode QOSMaxCpuPerUserLimit \
    QOSMaxEnergyMinutesPerJob QOSMaxEnergyPerJob QOSMaxEnergyPerNode QOSMaxEnergyPerUser QOSMaxGRESMinutesPerJob \
    QOSMaxGRESPerJob QOSMaxGRESPerNode QOSMaxGRESPerUser QOSMaxJobsPerUserLimit QOSMaxLicenseMinutesPerJob \
    QOSMaxLicensePerJob QOSMaxLicensePerUser QOSMaxMemoryMinutesPerJob QOSMaxMemoryPerJob QOSMaxMemoryPerNode \
    QOSMaxMemoryPerUser QOSMaxNodeMinutesPerJob QOSMaxNodePerJobLimit QOSMaxNodePerUserLimit \
    QOSMaxSubmitJobPerUserLimit QOSMaxUnknownMinutesPerJob QOSMaxUnknownPerJob QOSMaxUnknownPerNode \
    QOSMaxUnknownPerUser QOSMaxWallDurationPerJobLimit QOSMinBB QOSMinBilling QOSMinCpuNotSatisfied QOSMinEnergy \
    QOSMinGRES QOSMinLicense QOSMinMemory QOSMinNode QOSMinUnknown QOSNotAllowed QOSResourceLimit QOSTimeLimit \
    QOSUsageThreshold ReqNodeNotAvail Reservation ReservationDeleted Resources SystemFailure";
