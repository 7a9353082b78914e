//! The program `bivouac-conda`, also called `conda` and `mamba`.

fn main() -> std::process::ExitCode {
    bivouac_conda::main()
}
