//! Memory requests in Slurm's spelling.

use serde::{Deserialize, Serialize};

/// --mem, --mem-per-cpu or --mem-per-gpu, in MiB. `PerNode(0)` asks for the whole node's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemRequest {
    /// --mem.
    PerNode(u64),
    /// --mem-per-cpu.
    PerCpu(u64),
    /// --mem-per-gpu.
    PerGpu(u64),
}

/// Parses a size with one of the suffixes K, M, G, T (either case, `B` may follow) into MiB; without a suffix it is MiB. Sizes in K are rounded
/// up. None: not a size, or more than fits.
pub fn parse_mb(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let mb = match suffix.to_ascii_uppercase().as_str() {
        "" | "M" | "MB" => number,
        "K" | "KB" => number.div_ceil(1024),
        "G" | "GB" => number.checked_mul(1 << 10)?,
        "T" | "TB" => number.checked_mul(1 << 20)?,
        _ => return None,
    };
    // Sums over nodes must not overflow anywhere later.
    (mb <= 1 << 50).then_some(mb)
}

/// Prints MiB as squeue's %m and scontrol's MinMemoryNode do: the largest unit of M, G and T that leaves a whole number.
pub fn format_mb(mb: u64) -> String {
    match mb {
        0 => "0".to_owned(),
        mb if mb.is_multiple_of(1 << 20) => format!("{}T", mb >> 20),
        mb if mb.is_multiple_of(1 << 10) => format!("{}G", mb >> 10),
        mb => format!("{mb}M"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_and_their_suffixes() {
        for (text, mb) in [
            ("100", Some(100)),
            ("100M", Some(100)),
            ("2g", Some(2048)),
            ("2GB", Some(2048)),
            ("1T", Some(1 << 20)),
            ("1500K", Some(2)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5G", None),
            ("G", None),
            ("4X", None),
            ("99999999999999999999", None),
            ("99999999999999T", None),
        ] {
            assert_eq!(parse_mb(text), mb, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(mb in 0u64..1 << 45) {
            prop_assert_eq!(parse_mb(&format_mb(mb)), Some(mb));
        }

        #[test]
        fn garbage_never_panics(text in "\\PC{0,12}") {
            let _ = parse_mb(&text);
        }
    }
}
