//! What gateways say of their sub-devices: who is behind them, who is registered, who may come online.

use onwire::alink::{
    DeviceRef, Secret, SignMethod, SubDevice, SubDeviceFault, SubDeviceLogin, SubDeviceRefused, verify,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::admission::registrable;
use super::calls::tell_topology;
use super::envelope::{Reply, optional_text, text};
use crate::app::SharedApp;
use crate::store::devices::{self, Credentials, Device};
use crate::store::{StoreError, products, topology};

/// How many sub-devices a gateway may have.
pub(crate) const MOST: i64 = 2000;

/// How many one message may name.
const FEW: usize = 30;

/// Of `thing.topo.change`: sub-devices were added, removed, enabled, disabled.
pub(crate) const ADDED: i64 = 0;
pub(crate) const REMOVED: i64 = 1;
pub(crate) const ENABLED: i64 = 2;
pub(crate) const DISABLED: i64 = 8;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(deserialize_with = "text")]
    product_key: String,
    #[serde(deserialize_with = "text")]
    device_name: String,
}

impl Named {
    fn of(&self) -> DeviceRef<'_> {
        DeviceRef { product_key: &self.product_key, device_name: &self.device_name }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    #[serde(flatten)]
    named: Named,
    #[serde(deserialize_with = "text")]
    client_id: String,
    #[serde(default, deserialize_with = "optional_text")]
    timestamp: Option<String>,
    /// In small letters, here alone.
    #[serde(rename = "signmethod", alias = "signMethod")]
    sign_method: String,
    sign: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedByProduct {
    #[serde(flatten)]
    named: Named,
    #[serde(deserialize_with = "text")]
    random: String,
    #[serde(alias = "signmethod")]
    sign_method: String,
    sign: String,
}

#[derive(Debug, Deserialize)]
struct Proxied {
    proxieds: Vec<SignedByProduct>,
}

/// Why a message is refused.
enum Not {
    Allowed(SubDeviceRefused),
    Kept(anyhow::Error),
}

impl From<SubDeviceFault> for Not {
    fn from(fault: SubDeviceFault) -> Self {
        Self::Allowed(fault.into())
    }
}

impl From<StoreError> for Not {
    fn from(error: StoreError) -> Self {
        Self::Kept(error.into())
    }
}

impl From<anyhow::Error> for Not {
    fn from(error: anyhow::Error) -> Self {
        Self::Kept(error)
    }
}

/// A call of a gateway: `topo/..`, `sub/..`, `list/found`, `proxy/..`. `None` if it is none of these.
pub(super) async fn called(app: &SharedApp, gateway: &Device, path: &str, params: &Value) -> Option<Reply> {
    let answered = match path {
        "topo/add" => add(app, gateway, params).await,
        "topo/delete" => delete(app, gateway, params).await,
        "topo/get" => list(app, gateway).await,
        "sub/register" => register(app, gateway, params).await,
        "sub/unregister" => unregister(app, gateway, params).await,
        "proxy/provisioning/product_register" => register_by_product(app, gateway, params).await,
        "list/found" => found(app, gateway, params).await,
        _ => return None,
    };
    Some(match answered {
        Ok(data) => Reply::ok(data),
        Err(Not::Allowed(refused)) => {
            app.note_of("warn", gateway, format!("thing/{path} was refused: {}", refused.message)).await;
            Reply::error(i64::from(refused.fault.code()), refused.message)
        }
        Err(Not::Kept(error)) => {
            tracing::error!(%error, gateway = gateway.device_name, "the topology could not be kept");
            Reply::error(500, "the platform failed".to_owned())
        }
    })
}

fn read<T: for<'d> Deserialize<'d>>(params: &Value) -> Result<T, Not> {
    let wrong = |error: serde_json::Error| SubDeviceRefused::new(SubDeviceFault::Parameter, error.to_string());
    T::deserialize(params).map_err(|error| Not::Allowed(wrong(error)))
}

/// A list of 1 to 30.
fn few<T: for<'d> Deserialize<'d>>(params: &Value) -> Result<Vec<T>, Not> {
    let items: Vec<T> = read(params)?;
    match items.len() {
        1..=FEW => Ok(items),
        _ => Err(Not::Allowed(SubDeviceRefused::new(SubDeviceFault::Parameter, "1 to 30 sub-devices are needed"))),
    }
}

fn names<'n>(named: impl IntoIterator<Item = DeviceRef<'n>>) -> Value {
    let name = |DeviceRef { product_key, device_name }| json!({"productKey": product_key, "deviceName": device_name});
    named.into_iter().map(name).collect()
}

fn of(device: &Device) -> DeviceRef<'_> {
    DeviceRef { product_key: &device.product_key, device_name: &device.device_name }
}

async fn known(app: &SharedApp, device: DeviceRef<'_>) -> Result<Credentials, Not> {
    let found = devices::credentials(&app.store, &app.seal, device.product_key, device.device_name).await?;
    found.ok_or_else(|| SubDeviceFault::Unknown.into())
}

/// Whether its secret can be read or not.
async fn find(app: &SharedApp, device: DeviceRef<'_>) -> Result<Option<Device>, StoreError> {
    let found = devices::find(&app.store, device.product_key, device.device_name).await?;
    Ok(found.map(devices::Shown::into_device))
}

/// A sub-device's signature stands for its will: it may come from another gateway.
async fn add(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Value, Not> {
    let signed: Vec<Signed> = few(params)?;
    let mut devices = Vec::with_capacity(signed.len());
    for one in &signed {
        let device = one.named.of();
        if device == of(gateway) {
            return Err(SubDeviceFault::IsGateway.into());
        }
        let known = known(app, device).await?;
        let method = SignMethod::from_name(&one.sign_method).ok_or(SubDeviceFault::Parameter)?;
        let message = SubDevice { device, client_id: &one.client_id, timestamp: one.timestamp.as_deref() };
        let verified = message.verify(method, &Secret::from(known.secret.as_str()), None, &one.sign);
        verified.map_err(|_| SubDeviceFault::TopologySignature)?;
        devices.push(known.device);
    }
    put_behind(app, gateway, &devices).await?;
    Ok(names(devices.iter().map(of)))
}

/// Puts devices behind a gateway. Those that are online through another one go.
pub(crate) async fn put_behind(app: &SharedApp, gateway: &Device, devices: &[Device]) -> Result<(), PutFailure> {
    let ids = devices.iter().map(|device| device.id).collect();
    if !topology::add(&app.store, gateway.id, ids, MOST).await? {
        return Err(PutFailure::TooMany);
    }
    for device in devices {
        if app.via(device).is_some_and(|via| *via != *crate::link::identity(gateway)) {
            app.link.kick(device);
        }
        let content = format!("it is behind the gateway {} of {}", gateway.device_name, gateway.product_key);
        app.note_of("info", device, content).await;
    }
    app.live.tell("topology", &gateway.product_key, &gateway.device_name, || names(devices.iter().map(of)));
    Ok(())
}

/// Why devices are not behind a gateway.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutFailure {
    #[error("more than {MOST} sub-devices")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PutFailure> for Not {
    fn from(failure: PutFailure) -> Self {
        match failure {
            PutFailure::TooMany => SubDeviceFault::TooMany.into(),
            PutFailure::Store(error) => error.into(),
        }
    }
}

/// Those that are not there any more are none to delete: the message may come again.
async fn delete(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Value, Not> {
    let named: Vec<Named> = few(params)?;
    for device in &named {
        if let Some(device) = find(app, device.of()).await? {
            take_away(app, gateway, &device).await?;
        }
    }
    Ok(names(named.iter().map(Named::of)))
}

/// Takes a device from behind a gateway, and offline if it is online through it; whether it was there.
pub(crate) async fn take_away(app: &SharedApp, gateway: &Device, device: &Device) -> Result<bool, StoreError> {
    if !topology::remove(&app.store, gateway.id, device.id).await? {
        return Ok(false);
    }
    if app.via(device).is_some_and(|via| *via == *crate::link::identity(gateway)) {
        app.link.kick(device);
    }
    let content = format!("it is not behind the gateway {} of {} any more", gateway.device_name, gateway.product_key);
    app.note_of("info", device, content).await;
    app.live.tell("topology", &gateway.product_key, &gateway.device_name, || names([of(device)]));
    Ok(true)
}

async fn list(app: &SharedApp, gateway: &Device) -> Result<Value, Not> {
    let all = topology::sub_devices(&app.store, gateway.id).await?;
    Ok(names(all.iter().map(|related| of(&related.device))))
}

/// By the name alone. What was entered before has to be behind the gateway, so that no device learns the secret of any other; what is
/// entered by this is, so that the gateway may ask again if the answer is lost.
async fn register(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Value, Not> {
    let named: Vec<Named> = few(params)?;
    let mut registered = Vec::with_capacity(named.len());
    for device in &named {
        let (product, known) = registrable_one(app, device.of()).await?;
        if let Some(known) = &known {
            match topology::gateway(&app.store, known.device.id).await? {
                Some(related) if related.device.id == gateway.id => {}
                Some(_) => return Err(SubDeviceFault::Elsewhere.into()),
                None => return Err(SubDeviceFault::NoTopology.into()),
            }
        }
        let is_new = known.is_none();
        let known = enter(app, &product, device.of(), known).await?;
        if is_new {
            put_behind(app, gateway, std::slice::from_ref(&known.device)).await?;
        }
        registered.push(known);
    }
    app.note_of("info", gateway, format!("it has registered {} sub-devices", registered.len())).await;
    Ok(registered.iter().map(secret).collect())
}

/// By the product's secret, as devices register themselves; each on its own.
async fn register_by_product(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Value, Not> {
    let Proxied { proxieds } = read(params)?;
    if proxieds.is_empty() || proxieds.len() > FEW {
        return Err(Not::Allowed(SubDeviceRefused::new(SubDeviceFault::Parameter, "1 to 30 sub-devices are needed")));
    }
    let (mut successes, mut failures) = (Vec::new(), Vec::new());
    for one in &proxieds {
        let device = one.named.of();
        let judged = async {
            let (product, known) = registrable_one(app, device).await?;
            let method = SignMethod::from_name(&one.sign_method).ok_or(SubDeviceFault::Parameter)?;
            let pairs =
                [("deviceName", device.device_name), ("productKey", device.product_key), ("random", &*one.random)];
            let verified = verify(method, &Secret::from(product.secret.as_str()), &pairs, one.sign.as_bytes());
            verified.map_err(|_| SubDeviceFault::Signature)?;
            enter(app, &product, device, known).await
        };
        match judged.await {
            Ok(known) => successes.push(secret(&known)),
            Err(Not::Allowed(refused)) => failures.push(json!({"productKey": device.product_key,
                "deviceName": device.device_name, "code": refused.fault.code(), "message": refused.message})),
            Err(kept) => return Err(kept),
        }
    }
    let content = format!("it has registered {} sub-devices, and {} not", successes.len(), failures.len());
    app.note_of("info", gateway, content).await;
    Ok(json!({"successes": successes, "failures": failures}))
}

async fn registrable_one(
    app: &SharedApp,
    device: DeviceRef<'_>,
) -> Result<(products::Product, Option<Credentials>), Not> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "-_@.:".contains(character);
    if !(1..=64).contains(&device.device_name.len()) || !device.device_name.chars().all(fits) {
        return Err(SubDeviceFault::Name.into());
    }
    let product = products::find(&app.store, &app.seal, device.product_key).await?;
    let product = product.ok_or(SubDeviceFault::Unknown)?;
    let known = devices::credentials(&app.store, &app.seal, device.product_key, device.device_name).await?;
    Ok((product, known))
}

async fn enter(
    app: &SharedApp,
    product: &products::Product,
    device: DeviceRef<'_>,
    known: Option<Credentials>,
) -> Result<Credentials, Not> {
    let judged = registrable(app, product, device, known, false).await?;
    judged.map_err(|(code, why)| Not::Allowed(SubDeviceRefused::new(SubDeviceFault::from_code(code), why)))
}

fn secret(known: &Credentials) -> Value {
    let Credentials { device, secret, .. } = known;
    json!({"iotId": device.id.to_string(), "productKey": device.product_key, "deviceName": device.device_name,
        "deviceSecret": secret})
}

/// Takes registrations back of those that are behind the gateway: they may be registered anew.
async fn unregister(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Value, Not> {
    let named: Vec<Named> = few(params)?;
    for device in &named {
        if let Some(device) = find(app, device.of()).await?
            && take_away(app, gateway, &device).await?
        {
            devices::deactivate(&app.store, device.id).await?;
        }
    }
    Ok(json!({}))
}

/// What a gateway has found is for the operator, who enters it and puts it behind the gateway.
async fn found(app: &SharedApp, gateway: &Device, params: &Value) -> Result<Value, Not> {
    let named: Vec<Named> = few(params)?;
    let names = names(named.iter().map(Named::of));
    app.note_of("info", gateway, format!("it has found sub-devices: {names}")).await;
    app.live.tell("found", &gateway.product_key, &gateway.device_name, || names);
    Ok(json!({}))
}

/// Judges the login of a sub-device; what is refused is written down.
pub(crate) async fn admit(
    app: &SharedApp,
    gateway: &Device,
    login: &SubDeviceLogin,
) -> Result<Device, SubDeviceRefused> {
    let judged = async {
        let known = known(app, login.device()).await?;
        login.verify(&Secret::from(known.secret.as_str())).map_err(|_| SubDeviceFault::Signature)?;
        if known.disabled {
            return Err(SubDeviceFault::Disabled.into());
        }
        let of = topology::gateway(&app.store, known.device.id).await?;
        if of.is_none_or(|related| related.device.id != gateway.id) {
            return Err(SubDeviceFault::NoTopology.into());
        }
        if !known.activated {
            devices::activate(&app.store, known.device.id).await?;
        }
        Ok(known.device)
    };
    match judged.await {
        Ok(device) => Ok(device),
        Err(Not::Allowed(refused)) => {
            let content =
                format!("not let in through {} of {}: {}", gateway.device_name, gateway.product_key, refused.message);
            app.note("warn", &login.product_key, &login.device_name, content).await;
            Err(refused)
        }
        Err(Not::Kept(error)) => {
            tracing::error!(%error, "a sub-device's login could not be judged");
            Err(SubDeviceRefused::new(SubDeviceFault::Other(500), "the platform failed"))
        }
    }
}

/// Tells the gateway of a device, if it has one, what became of the device.
pub(crate) async fn changed(app: &SharedApp, device: &Device, status: i64) -> Result<(), StoreError> {
    if let Some(gateway) = topology::gateway(&app.store, device.id).await? {
        tell(app, &gateway.device, device, status);
    }
    Ok(())
}

/// Tells a gateway what became of a sub-device; whether it is there.
pub(crate) fn tell(app: &SharedApp, gateway: &Device, device: &Device, status: i64) -> bool {
    tell_topology(app, gateway, json!({"status": status, "subList": names([of(device)])}))
}
