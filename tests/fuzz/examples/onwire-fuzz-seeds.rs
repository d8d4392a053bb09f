//! Writes the seeds of a target into a folder, for a fuzzer to begin with: `onwire-fuzz-seeds TARGET FOLDER`. Without
//! arguments it lists the targets.

use std::path::PathBuf;
use std::process::ExitCode;

use onwire_fuzz::TARGETS;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let written = match arguments.as_slice() {
        [] => {
            TARGETS.iter().for_each(|target| println!("{}", target.name));
            Ok(())
        }
        [name, folder] => write(name, &PathBuf::from(folder)),
        _ => Err("usage: onwire-fuzz-seeds [TARGET FOLDER]".to_owned()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("onwire-fuzz-seeds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(name: &str, folder: &std::path::Path) -> Result<(), String> {
    let target =
        TARGETS.iter().find(|target| target.name == name).ok_or_else(|| format!("no target is called {name}"))?;
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (index, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{index}")), seed).map_err(failed)?;
    }
    Ok(())
}
