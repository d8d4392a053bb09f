//! How many files, and so connections, the system lets this process have.

/// Raises the limit as far as the system allows without a privilege: the one that processes start with, often 1,024, is meant
/// for programs that ask for more.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(?current, ?maximum, "the limit of open files was raised"),
        Err(error) => tracing::warn!(%error, ?current, ?maximum, "the limit of open files cannot be raised"),
    }
}

/// Elsewhere there is none that could be raised.
#[cfg(not(unix))]
pub(crate) fn raise_limit() {}
