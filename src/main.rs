//! The `otb` binary: everything lives in the library.

fn main() -> std::process::ExitCode {
    otb::cli::main()
}
