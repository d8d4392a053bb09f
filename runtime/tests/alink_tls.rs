//! Alink over TLS: registration and login, with a certificate that is made here.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use onwire::Peer;
use onwire::alink::system::*;
use onwire::alink::{Claim, ClaimKind, DeviceRef, LoginOptions, Registered, Secret, SecureMode, SyncServices, Topic};
use onwire::mqtt::Refused;
use onwire::net::alink::{
    Admission, Device, Listener, LoginRequest, Message, Platform, Publisher, RegisterFailure, Registration,
};
use onwire::net::{Certificates, ClientTls, ConnectError, Rustls};

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1X", device_name: "SN1" };

struct Lamp;

#[onwire::handlers(onwire::alink::system, role = Device)]
impl Lamp {
    #[on(Disable)]
    fn disable(&self) -> DisableResponse {
        DisableResponse::new()
    }
}

struct Cloud;

#[onwire::handlers(onwire::alink::system, role = Platform)]
impl Cloud {
    #[on(TagsDelete)]
    fn delete(&self) -> TagsDeleteResponse {
        TagsDeleteResponse::new()
    }
}

impl Platform for Cloud {
    type Router = Self;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        assert!(login.origin.is_encrypted);
        let (connect, password) = (&login.connect, login.connect.password.clone().unwrap());
        let claim = Claim::parse(&connect.client_id, connect.username.as_deref().unwrap(), &password).unwrap();
        assert_eq!(claim.secure_mode(), Some(SecureMode::Tls));
        let (product_key, device_name) = ("a1X".to_owned(), "SN1".to_owned());
        if claim.kind() == ClaimKind::Register {
            claim.verify(&Secret::from("product")).map_err(|_| Refused::BadCredentials)?;
            let registered = Registered { product_key, device_name, device_secret: "device".into() };
            let payload = registered.to_json().into_bytes();
            return Ok(Admission::Registration { topic: Topic::Register.to_string(), payload });
        }
        claim.verify(&Secret::from("device")).map_err(|_| Refused::BadCredentials)?;
        Ok(Admission::Device { product_key, device_name, sync: SyncServices::default() })
    }

    fn router(&self) -> &Self {
        self
    }

    async fn message(&self, _: &Peer, _: &Publisher, _: Message) {}
}

#[tokio::test]
async fn a_device_registers_and_connects_over_tls() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let tls = Rustls::new(&Certificates::from_pem(certificate.as_bytes(), key.as_bytes())).unwrap();
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtts://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(listener.transport(tls).serve(Cloud));
    let (trusted, product_secret) = (ClientTls::new(&certificate).unwrap(), Secret::from("product"));

    let registration = || Registration::new(&url, DEVICE, &product_secret);
    let nobody = registration().register().await.unwrap_err();
    assert!(matches!(nobody, RegisterFailure::Connect(ConnectError::NoTls)), "{nobody}");
    let registered = registration().tls(trusted.clone()).register().await.unwrap();

    let device = Device::with_secret(&url, DEVICE, &registered.device_secret, LoginOptions::default()).unwrap();
    let device = device.tls(trusted).build(Lamp).unwrap();
    let link = device.link();
    tokio::spawn(device.run());
    assert_eq!(link.call(TagsDeleteRequest::new(vec![TagKey::new("SN")])).await, Ok(TagsDeleteResponse::new()));
}
