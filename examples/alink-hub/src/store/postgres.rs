//! TLS to PostgreSQL: which URLs are safe, and what an operator is told when the server cannot be reached.

use std::fs::File;
use std::str::FromStr;

use anyhow::{Context, Error, Result, ensure};
use onwire::net::rustls;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// SQLSTATE of a connection that `pg_hba.conf` does not allow.
const INVALID_AUTHORIZATION: &str = "28000";

/// Rejects a URL that names an authority (`sslrootcert`) with a mode that does not verify certificates: the driver would
/// ignore the authority, and anybody could stand in for the server.
///
/// # Errors
/// That; a URL or a file that cannot be read. The URL itself is not in the error, as it may hold a password.
pub(super) fn check(url: &str) -> Result<()> {
    let options = PgConnectOptions::from_str(url).context("the database's URL cannot be read")?;
    let mut names_authority = false;
    for (name, value) in options.to_url_lossy().query_pairs() {
        names_authority |= name == "sslrootcert";
        // The driver does not say which file it cannot read. It shows files so, and PEM text without the prefix.
        if let Some(path) = value.strip_prefix("file: ") {
            File::open(path).with_context(|| format!("cannot read {path}, {name} of the database's URL"))?;
        }
    }
    let verifies = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    ensure!(
        verifies || !names_authority,
        "the database's URL has sslrootcert without sslmode=verify-full, so that the server's certificate would not be \
         verified: add sslmode=verify-full"
    );
    Ok(())
}

/// Says what to do about an error that has to do with TLS.
pub(super) fn explained(error: sqlx::Error) -> Error {
    let advice = match &error {
        sqlx::Error::Database(refused)
            if refused.code().as_deref() == Some(INVALID_AUTHORIZATION)
                && refused.message().ends_with("no encryption") =>
        {
            "the server demands TLS: add sslmode=verify-full to the database's URL, and sslrootcert=FILE if its \
             certificate is not of an authority that this system trusts"
        }
        sqlx::Error::Io(error) if is_untrusted(error) => {
            "the server's certificate is rejected: in the database's URL, sslrootcert=FILE names the authority that has \
             issued it, and the host is one that the certificate is for"
        }
        sqlx::Error::Tls(_) => "TLS to the database failed",
        _ => return Error::new(error),
    };
    Error::new(error).context(advice)
}

fn is_untrusted(error: &std::io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_named_only_where_certificates_are_verified() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let check = |parameters: &str| {
            let parameters = parameters.replace("FILE", file.path().to_str().unwrap());
            check(&format!("postgres://u:secret@db.example/hub{parameters}")).map_err(|error| format!("{error:#}"))
        };
        for good in [
            "",
            "?sslmode=require",
            "?sslmode=verify-full",
            "?sslmode=verify-full&sslrootcert=FILE",
            "?sslmode=Verify-CA&ssl-ca=FILE",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("?sslrootcert=FILE", "add sslmode=verify-full"),
            ("?sslmode=require&sslrootcert=FILE", "add sslmode=verify-full"),
            ("?sslmode=prefer&ssl-root-cert=FILE", "add sslmode=verify-full"),
            ("?sslmode=verify-full&sslrootcert=/no/ca.pem", "cannot read /no/ca.pem, sslrootcert"),
            ("?sslmode=some", "the database's URL cannot be read"),
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{bad}: {error}");
        }
    }
}
