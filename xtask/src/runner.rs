//! Running stages one after the other: what each took, and the verdict.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::stages::Stage;
use crate::workspace::Workspace;

/// Runs `stages` in order and prints the verdict as the last line.
///
/// Stops at the first failure unless `keep_going`: later stages mostly repeat the errors of the first that failed.
pub(crate) fn run(stages: &[&Stage], workspace: &Workspace, keep_going: bool) -> ExitCode {
    let start = Instant::now();
    let mut failed = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        println!("\nonwire: stage {}/{} \"{}\": {}", index + 1, stages.len(), stage.name, stage.about);
        let stage_start = Instant::now();
        let result = (stage.run)(workspace);
        let took = shown(stage_start.elapsed());
        match result {
            Ok(()) => println!("onwire: stage \"{}\" passed in {took}", stage.name),
            Err(error) => {
                println!("onwire: stage \"{}\" failed after {took}: {error:#}", stage.name);
                failed.push(stage.name);
                if !keep_going {
                    break;
                }
            }
        }
    }
    println!("\n{}", verdict(stages.len(), &failed, start.elapsed()));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(count: usize, failed: &[&str], took: Duration) -> String {
    match (failed, count) {
        ([], 1) => format!("onwire: 1 stage passed in {}", shown(took)),
        ([], _) => format!("onwire: all {count} stages passed in {}", shown(took)),
        ([name], _) => format!("onwire: stage \"{name}\" failed"),
        (names, _) => format!("onwire: stages \"{}\" failed", names.join("\", \"")),
    }
}

/// Tenths of a second below a minute, `7m 03s` from there.
fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    format!("{}m {:02}s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::{Duration, shown, verdict};

    #[test]
    fn durations() {
        assert_eq!(shown(Duration::from_millis(1_240)), "1.2s");
        assert_eq!(shown(Duration::from_secs(60)), "1m 00s");
        assert_eq!(shown(Duration::from_secs(423)), "7m 03s");
    }

    #[test]
    fn verdicts() {
        let took = Duration::from_secs(423);
        assert_eq!(verdict(9, &[], took), "onwire: all 9 stages passed in 7m 03s");
        assert_eq!(verdict(1, &[], took), "onwire: 1 stage passed in 7m 03s");
        assert_eq!(verdict(9, &["clippy"], took), "onwire: stage \"clippy\" failed");
        assert_eq!(verdict(9, &["clippy", "doc"], took), "onwire: stages \"clippy\", \"doc\" failed");
    }
}
