//! Certificates of charge points: what they ask to be signed is signed by the authority of the settings (security whitepaper
//! A02, A03).

use onwire::Peer;
use onwire::ocpp::v16::*;
use serde_json::json;
use tracing::{info, warn};

use crate::app::App;
use crate::security::authority::Request;
use crate::security::{audit, issued};

/// SignCertificate: whether the request can be signed. It is, by [`sign`], when the charge point has been told so.
pub(super) fn judge(app: &App, peer: &Peer, request: &SignCertificateRequest) -> SignCertificateResponse {
    let limits = &app.security.limits.signings;
    let refused = match (app.security.authority(), read(app, peer, request)) {
        (Some(_), Ok(_)) if limits.take(peer.identity()).is_ok() => {
            return SignCertificateResponse::new(GenericStatusEnumType::Accepted);
        }
        (Some(_), Ok(_)) => "it asks too often".to_owned(),
        (None, _) => "there is no authority here (--ca)".to_owned(),
        (_, Err(error)) => format!("{error:#}"),
    };
    warn!(identity = peer.identity(), refused, "a certificate is not signed");
    SignCertificateResponse::new(GenericStatusEnumType::Rejected)
}

/// Signs what was found good, keeps the certificate, and sends it.
pub(super) async fn sign(app: &App, peer: &Peer, request: &SignCertificateRequest) {
    let identity = peer.identity();
    let outcome = match signed(app, peer, request).await {
        Ok((serial, status)) => {
            info!(identity, serial, %status, "a certificate was signed and sent");
            status
        }
        Err(error) => {
            warn!(identity, error = format!("{error:#}"), "a certificate was not signed, or not delivered");
            format!("{error:#}")
        }
    };
    let by = format!("charge-point:{identity}");
    if let Err(error) = audit::record_as(app, &by, "SignCertificate", identity, &json!({}), &outcome).await {
        warn!(%error, "an entry of the audit log is missing");
    }
}

async fn signed(app: &App, peer: &Peer, request: &SignCertificateRequest) -> anyhow::Result<(String, String)> {
    let identity = peer.identity();
    // Refused before it came here.
    let Some(authority) = app.security.authority() else { anyhow::bail!("there is no authority") };
    let request = read(app, peer, request)?;
    let (operator, days) = (app.config.cpo_name.as_deref(), app.config.certificate_days);
    let issued = authority.sign(&request, identity, operator, days)?;
    // Before it is sent: a certificate that is in use must be one that can be revoked.
    issued::keep(&app.store, identity, &issued).await?;
    let answer = peer.call(CertificateSignedRequest::new(issued.pem.as_str())).await?;
    Ok((issued.serial, answer.status.to_string()))
}

fn read(app: &App, peer: &Peer, request: &SignCertificateRequest) -> anyhow::Result<Request> {
    Request::read(&request.csr, peer.identity(), app.config.cpo_name.as_deref())
}
