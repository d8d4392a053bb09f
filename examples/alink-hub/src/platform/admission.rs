//! Who may connect, and who is registered instead.

use std::net::IpAddr;

use onwire::alink::{
    Claim, ClaimKind, DeviceRef, RegisterForm, Registered, RegisteredUnlisted, Secret, register_answer,
};
use onwire::net::alink::ClientFault;

use crate::app::SharedApp;
use crate::security::{new_secret, random_text};
use crate::store::devices::{self, Credentials, Device};
use crate::store::products::{self, Product, Registration};
use crate::store::{Store, StoreError, topology};

/// What becomes of a CONNECT that is in order.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// It is a device that wants to work.
    Works {
        device: Device,
        /// Whether services that wait for their answer come on `/ext/rrpc/..`.
        extended: bool,
    },
    /// It gets this message, and connects anew with what is in it.
    Registers { topic: &'static str, message: String },
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It is not who it says, or nobody that is known.
    Credentials,
    /// It is, and may not.
    NotAllowed,
    /// The hub failed.
    Unavailable,
}

/// Judges a CONNECT; what is refused is written down.
pub(crate) async fn admit(
    app: &SharedApp,
    client_id: &str,
    username: &str,
    password: &[u8],
    address: &str,
) -> Result<Admitted, Denied> {
    let claim = match Claim::parse(client_id, username, password) {
        Ok(claim) => claim,
        Err(error) => {
            app.metrics.login("malformed");
            app.note("warn", "", "", format!("a client at {address} was not let in: {error}")).await;
            return Err(Denied::Credentials);
        }
    };
    let device = claim.device();
    match judge(app, &claim).await {
        Ok(Ok(admitted)) => {
            app.metrics.login(match &admitted {
                Admitted::Works { .. } => "accepted",
                Admitted::Registers { .. } => "registered",
            });
            Ok(admitted)
        }
        Ok(Err((denied, why))) => {
            app.metrics.login(if denied == Denied::Credentials { "badCredentials" } else { "notAllowed" });
            let content = format!("not let in at {address}: {why}");
            app.note("warn", device.product_key, device.device_name, content).await;
            Err(denied)
        }
        Err(error) => {
            app.metrics.login("unavailable");
            tracing::error!(%error, "a login could not be judged");
            Err(Denied::Unavailable)
        }
    }
}

async fn judge(app: &SharedApp, claim: &Claim<'_>) -> anyhow::Result<Result<Admitted, (Denied, &'static str)>> {
    let DeviceRef { product_key, device_name } = claim.device();
    let Some(product) = products::find(&app.store, &app.seal, product_key).await? else {
        return Ok(Err((Denied::Credentials, "there is no such product")));
    };
    let known = devices::credentials(&app.store, &app.seal, product_key, device_name).await?;
    let wrong_signature = Ok(Err((Denied::Credentials, "the signature is wrong")));
    match claim.kind() {
        ClaimKind::DeviceSecret | ClaimKind::Token => {
            let Some(known) = known else { return Ok(Err((Denied::Credentials, "there is no such device"))) };
            let is_token = claim.kind() == ClaimKind::Token;
            let secret = match (&known.token, is_token) {
                (Some((client_id, token)), true) if client_id == claim.client_id() => token,
                (_, true) => return Ok(Err((Denied::Credentials, "the device has no token of that client id"))),
                (_, false) => &known.secret,
            };
            if claim.verify(&Secret::from(secret.as_str())).is_err() {
                return wrong_signature;
            }
            if known.disabled {
                return Ok(Err((Denied::NotAllowed, "the device is disabled")));
            }
            if !known.activated {
                // Before it is let in: from then on nobody is told its secret.
                devices::activate(&app.store, known.device.id).await?;
            }
            Ok(Ok(Admitted::Works { device: known.device, extended: claim.takes_ext_rrpc() }))
        }
        ClaimKind::Register | ClaimKind::RegisterUnlisted => {
            if claim.verify(&Secret::from(product.secret.as_str())).is_err() {
                return wrong_signature;
            }
            let is_unlisted = claim.kind() == ClaimKind::RegisterUnlisted;
            let known = match registrable(app, &product, claim.device(), known, is_unlisted).await? {
                Ok(known) => known,
                Err((_, why)) => return Ok(Err((Denied::NotAllowed, why))),
            };
            let name = format!("{product_key}/{device_name}");
            tracing::info!(device = name, unlisted = is_unlisted, "a device is registered");
            if !is_unlisted {
                let message = registered(&known).to_json();
                return Ok(Ok(Admitted::Registers { topic: "/ext/register", message }));
            }
            let (client_id, token) = (new_secret()?, random_text()?);
            devices::set_token(&app.store, &app.seal, &known.device, &client_id, &token).await?;
            let message = RegisteredUnlisted {
                client_id,
                product_key: product_key.to_owned(),
                device_name: device_name.to_owned(),
                device_token: Secret::from(token.as_str()),
            };
            Ok(Ok(Admitted::Registers { topic: "/ext/regnwl", message: message.to_json() }))
        }
    }
}

fn registered(known: &Credentials) -> Registered {
    Registered {
        product_key: known.device.product_key.clone(),
        device_name: known.device.device_name.clone(),
        device_secret: Secret::from(known.secret.as_str()),
    }
}

/// The device that is to be registered, which is entered if the product takes any; or the vendor's code of why not.
pub(super) async fn registrable(
    app: &SharedApp,
    product: &Product,
    of: DeviceRef<'_>,
    known: Option<Credentials>,
    is_unlisted: bool,
) -> anyhow::Result<Result<Credentials, (u32, &'static str)>> {
    let takes_any = product.registration == Registration::Any;
    match known {
        _ if product.registration == Registration::Off || (is_unlisted && !takes_any) => {
            Ok(Err((6288, "the product does not take such registrations")))
        }
        Some(known) if known.activated => Ok(Err((6289, "the device has been active already"))),
        Some(known) if known.disabled => Ok(Err((6288, "the device is disabled"))),
        Some(known) => Ok(Ok(known)),
        None if takes_any => {
            devices::add(&app.store, &app.seal, of.product_key, of.device_name, &new_secret()?).await?;
            app.entered.refresh(&app.store, of.product_key, of.device_name).await?;
            let known = devices::credentials(&app.store, &app.seal, of.product_key, of.device_name).await?;
            Ok(known.ok_or((6288, "the device was deleted meanwhile")))
        }
        None => Ok(Err((6288, "there is no such device"))),
    }
}

/// Whether a device that was let in may stay. Whoever disables or deletes it, or takes it from behind its gateway, writes that
/// and then ends its connection, which may not have been there yet: so this is asked once it is.
///
/// # Errors
/// Those of the database.
pub(crate) async fn may_stay(store: &Store, device: &Device, gateway: Option<&str>) -> Result<bool, StoreError> {
    let found = devices::find(store, &device.product_key, &device.device_name).await?;
    // Not one of its name that was entered anew.
    if !found.is_some_and(|found| found.id == device.id && found.disabled == 0) {
        return Ok(false);
    }
    let Some(gateway) = gateway else { return Ok(true) };
    let of = topology::gateway(store, device.id).await?;
    Ok(of.is_some_and(|related| crate::link::identity(&related.device) == gateway))
}

/// Registration over HTTP: the body of the answer. It has the limits of logins in common with MQTT.
pub(crate) async fn register(app: &SharedApp, body: &[u8], address: IpAddr) -> String {
    let form = match RegisterForm::parse(body) {
        Ok(form) => form,
        Err(error) => {
            app.metrics.login("malformed");
            return register_answer(Err((460, &error.to_string())));
        }
    };
    let DeviceRef { product_key, device_name } = form.device();
    let name = format!("{device_name}&{product_key}");
    let attempt = match app.config.logins.attempt(Some(address), &name).await {
        Ok(attempt) => attempt,
        Err(held) => {
            let fault = ClientFault::LoginsFailed { wait: held.wait, is_first: held.is_first };
            app.metrics.fault(&fault);
            if held.is_first {
                app.note("warn", product_key, device_name, format!("a client at {address}: {fault}")).await;
            }
            return register_answer(Err((429, "too many attempts failed; try again later")));
        }
    };
    let judged = async {
        let Some(product) = products::find(&app.store, &app.seal, product_key).await? else {
            return Ok(Err((6250, "there is no such product")));
        };
        if form.verify(&Secret::from(product.secret.as_str())).is_err() {
            return Ok(Err((6600, "the signature is wrong")));
        }
        let known = devices::credentials(&app.store, &app.seal, product_key, device_name).await?;
        registrable(app, &product, form.device(), known, false).await
    };
    match judged.await {
        Ok(Ok(known)) => {
            app.metrics.login("registered");
            attempt.succeeded();
            register_answer(Ok(&registered(&known)))
        }
        Ok(Err((code, why))) => {
            app.metrics.login(if matches!(code, 6250 | 6600) { "badCredentials" } else { "notAllowed" });
            tokio::time::sleep(attempt.failed()).await;
            app.note("warn", product_key, device_name, format!("not registered: {why}")).await;
            register_answer(Err((code, why)))
        }
        Err(error) => {
            let _: &anyhow::Error = &error;
            app.metrics.login("unavailable");
            tracing::error!(%error, "a registration could not be judged");
            register_answer(Err((500, "the platform failed")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::seal::Seal;

    #[tokio::test]
    async fn a_device_stays_unless_what_it_was_let_in_with_was_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/hub.db", folder.path().display())).await.unwrap();
        let seal = Seal::open(folder.path()).unwrap();
        let add = async |name: &str| devices::add(&store, &seal, "p", name, "secret").await.unwrap().unwrap();
        let (device, gateway) = (add("d").await, add("g").await);
        let stays = async |gateway: Option<&str>| may_stay(&store, &device, gateway).await.unwrap();
        assert!(stays(None).await && !stays(Some("g&p")).await);
        assert!(topology::add(&store, gateway.id, vec![device.id], 10).await.unwrap());
        assert!(stays(Some("g&p")).await && !stays(Some("other&p")).await);
        assert!(topology::remove(&store, gateway.id, device.id).await.unwrap());
        assert!(!stays(Some("g&p")).await);
        devices::set_disabled(&store, device.id, true).await.unwrap();
        assert!(!stays(None).await);
        devices::set_disabled(&store, device.id, false).await.unwrap();
        assert!(stays(None).await);
        devices::remove(&store, device.id).await.unwrap();
        assert!(!stays(None).await);
        add("d").await;
        assert!(!stays(None).await, "that is another one of its name");
        store.close().await;
    }
}
