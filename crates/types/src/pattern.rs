//! File name patterns of --output, --error and --input: `%j %A %a %x %u %N %n %t %J %s %%`.
