//! A server as a process of its own: `PROGRAM HOST:PORT THREADS`, and for onwire's what lies between TCP and HTTP.
//!
//! It prints the address that identities are appended to, says nothing more, and ends with the process that started
//! it.

use std::env;
use std::error::Error;
use std::net::SocketAddr;

use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::runtime::Builder;

/// What a server ends with.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Runs `server` on the address and with the threads that the command line names.
///
/// # Errors
/// Those of the server, of the system, and a command line that is none.
pub fn run<S: Future<Output = Outcome>>(server: impl FnOnce(SocketAddr) -> S) -> Outcome {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [listen, threads, ..] = arguments.as_slice() else { return Err("usage: PROGRAM HOST:PORT THREADS".into()) };
    let mut runtime = match threads.parse()? {
        1 => Builder::new_current_thread(),
        threads => {
            let mut runtime = Builder::new_multi_thread();
            runtime.worker_threads(threads);
            runtime
        }
    };
    runtime.enable_all().build()?.block_on(server(listen.parse()?))
}

/// Tells the process that waits for it where the server listens, and by which scheme.
pub fn announce(scheme: &str, address: SocketAddr) {
    println!("{scheme}://{address}/ocpp/");
}
