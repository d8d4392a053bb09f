//! What is said for sub-devices, for many of them in one message.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use super::lanes::Lanes;
use super::signed::Signed;
use crate::alink::SubDeviceFault;
use crate::alink::system::{
    CombineBatchLoginRequest, CombineBatchLogoutRequest, CombineLogoutRequest, Identity, TopoAddRequest,
};
use crate::net::client::{Link, LinkState};
use crate::{CallFailure, Peer};

/// How many sub-devices one login or logout is for.
const BATCH: usize = 50;

/// How many sub-devices one message on registration or topology is for.
pub(super) const FEW: usize = 30;

/// How many of these messages may be unanswered at once.
const SIDE_BY_SIDE: usize = 3;

/// How many sub-devices wait for their turn to be logged in before the next ones wait for room.
pub(super) const QUEUE: usize = 64;

/// What is to be done for a sub-device.
#[derive(Debug)]
pub(super) enum What {
    Add(Signed),
    Login(Signed),
    Logout(Identity),
}

impl What {
    /// Whether one message can be about both.
    fn goes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Add(_), Self::Add(_)) | (Self::Logout(_), Self::Logout(_)) => true,
            (Self::Login(one), Self::Login(other)) => one.method == other.method,
            _ => false,
        }
    }

    fn most(&self) -> usize {
        if matches!(self, Self::Add(_)) { FEW } else { BATCH }
    }

    pub(super) fn identity(&self) -> Identity {
        match self {
            Self::Add(signed) | Self::Login(signed) => signed.device.clone(),
            Self::Logout(identity) => identity.clone(),
        }
    }

    async fn ask_alone(&self, peer: &Peer) -> Result<(), CallFailure> {
        match self {
            Self::Add(signed) => peer.call(TopoAddRequest::new([signed.identity()])).await.map(drop),
            Self::Login(signed) => peer.call(signed.login()).await.map(drop),
            Self::Logout(Identity { product_key, device_name, .. }) => {
                let request = CombineLogoutRequest::new(product_key.clone(), device_name.clone());
                peer.call(request).await.map(drop)
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Order {
    what: What,
    /// On which connection of the gateway.
    peer: Peer,
    answer: oneshot::Sender<Result<(), CallFailure>>,
}

impl Order {
    pub(super) fn new(what: What, peer: Peer, answer: oneshot::Sender<Result<(), CallFailure>>) -> Self {
        Self { what, peer, answer }
    }

    /// Whom nobody waits for any more is not to stay online: what is left to do, once all others have heard.
    fn answer(self, done: Result<(), CallFailure>) -> Option<(What, Peer)> {
        let Self { what, peer, answer } = self;
        let is_online = matches!(what, What::Login(_)) && done.is_ok();
        let is_unheard = answer.send(done).is_err();
        (is_online && is_unheard).then(|| (What::Logout(what.identity()), peer))
    }
}

/// Does what is ordered for sub-devices: many at once where many wait, so that two thousand of them are online after forty messages.
#[derive(Debug)]
pub(super) struct Desk {
    orders: mpsc::Receiver<Order>,
    link: Link,
    lanes: Arc<Lanes>,
}

impl Desk {
    pub(super) fn new(orders: mpsc::Receiver<Order>, link: Link, lanes: Arc<Lanes>) -> Self {
        Self { orders, link, lanes }
    }

    /// Works until the gateway connects no more.
    pub(super) async fn run(self) {
        let Self { orders, link, lanes } = self;
        tokio::select! {
            () = follow(&link, &lanes) => {}
            () = work(orders) => {}
        }
        lanes.keep_only(None);
    }
}

/// Ends sub-devices with the connection that they are online on, until there will be no other one.
async fn follow(link: &Link, lanes: &Lanes) {
    let mut states = link.states();
    loop {
        let peer = match &*states.borrow_and_update() {
            LinkState::Connected(peer) => Some(peer.clone()),
            LinkState::Stopped => return,
            _ => None,
        };
        lanes.keep_only(peer.as_ref());
        if states.changed().await.is_err() {
            return;
        }
    }
}

/// Serves orders, in few messages and several side by side. What is ordered for one sub-device is done in its order: a message about
/// it is not sent before all earlier ones are done with, since one that is refused is asked for again, of each alone.
async fn work(mut orders: mpsc::Receiver<Order>) {
    let (mut waiting, mut asked) = (Vec::new(), FuturesUnordered::new());
    let mut busy: Vec<Identity> = Vec::new();
    let mut is_open = true;
    loop {
        while asked.len() < SIDE_BY_SIDE {
            let group = next_group(&mut waiting, &busy);
            if group.is_empty() {
                break;
            }
            let about: Vec<Identity> = group.iter().map(|order| order.what.identity()).collect();
            busy.extend(about.iter().cloned());
            asked.push(async move {
                serve(group).await;
                about
            });
        }
        if asked.is_empty() && !is_open {
            return;
        }
        let has_room = is_open && asked.len() < SIDE_BY_SIDE && waiting.len() < BATCH;
        tokio::select! {
            received = orders.recv_many(&mut waiting, BATCH), if has_room => is_open = received > 0,
            Some(about) = asked.next(), if !asked.is_empty() => busy.retain(|one| !about.contains(one)),
        }
    }
}

/// Takes out of what waits, in its order, what one message can be about: nothing of those that are busy, and nothing of a sub-device
/// that an earlier order stays behind of.
fn next_group(waiting: &mut Vec<Order>, busy: &[Identity]) -> Vec<Order> {
    let mut passed: Vec<Identity> = busy.to_vec();
    let (mut group, mut rest): (Vec<Order>, Vec<Order>) = (Vec::new(), Vec::new());
    for order in waiting.drain(..) {
        let identity = order.what.identity();
        let goes_with = |first: &Order| {
            group.len() < order.what.most()
                && first.what.goes_with(&order.what)
                && first.peer.is_same_connection(&order.peer)
        };
        let is_next = !passed.contains(&identity) && group.first().is_none_or(goes_with);
        passed.push(identity);
        if is_next { group.push(order) } else { rest.push(order) }
    }
    *waiting = rest;
    group
}

async fn serve(mut orders: Vec<Order>) {
    // Who has given up meanwhile wants nothing. A goodbye is for the platform.
    orders.retain(|order| !order.answer.is_closed() || matches!(order.what, What::Logout(_)));
    let Some(first) = orders.first() else { return };
    if orders.len() > 1 {
        match ask_together(&orders, &first.peer).await {
            // All or none: each hears its own reason.
            // Whom one message is too much is not sent fifty.
            Err(failure @ CallFailure::Refused(_))
                if SubDeviceFault::of(&failure) != Some(SubDeviceFault::Throttled) => {}
            done => {
                let unheard: Vec<_> = orders.into_iter().filter_map(|order| order.answer(done.clone())).collect();
                return undo(unheard).await;
            }
        }
    }
    let mut unheard = Vec::new();
    for order in orders {
        let done = order.what.ask_alone(&order.peer).await;
        unheard.extend(order.answer(done));
    }
    undo(unheard).await;
}

async fn undo(logouts: Vec<(What, Peer)>) {
    for (logout, peer) in logouts {
        let _ = logout.ask_alone(&peer).await;
    }
}

async fn ask_together(orders: &[Order], peer: &Peer) -> Result<(), CallFailure> {
    let whats = || orders.iter().map(|order| &order.what);
    match whats().next() {
        Some(What::Login(Signed { method, .. })) => {
            let entries =
                whats().filter_map(|what| if let What::Login(signed) = what { Some(signed.entry()) } else { None });
            let request = CombineBatchLoginRequest::new(method.camel_case_name(), entries.collect());
            peer.call(request).await.map(drop)
        }
        Some(What::Add(_)) => {
            let signed =
                whats().filter_map(|what| if let What::Add(signed) = what { Some(signed.identity()) } else { None });
            peer.call(TopoAddRequest::new(signed)).await.map(drop)
        }
        _ => peer.call(CombineBatchLogoutRequest::new(whats().map(What::identity))).await.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;
    use serde_json::{Value, json};

    use super::*;
    use crate::alink::{DeviceRef, Secret, SignMethod, system};
    use crate::net::alink::signed::named;
    use crate::session::Config;
    use crate::{Connection, Instant};

    fn device(device_name: &str) -> DeviceRef<'_> {
        DeviceRef { product_key: "p", device_name }
    }

    fn login(name: &str) -> What {
        What::Login(Signed::new(device(name), SignMethod::HmacSha256, &Secret::from("s")))
    }

    fn logout(name: &str) -> What {
        What::Logout(named(device(name)))
    }

    #[test]
    fn what_is_ordered_for_one_stays_in_its_order_and_the_rest_goes_together() {
        let connection = Connection::new("gateway", &system::DIALECT, Config::default());
        let whats = [login("b"), logout("a"), login("a"), login("c"), logout("d"), login("d")];
        let order = |what| Order::new(what, connection.peer().clone(), oneshot::channel().0);
        let mut waiting: Vec<Order> = whats.map(order).into();
        let mut next = |busy: &[&str]| -> Vec<String> {
            let busy: Vec<Identity> = busy.iter().map(|name| named(device(name))).collect();
            let shown = |order: &Order| format!("{}{}", order.what.most(), order.what.identity().device_name);
            next_group(&mut waiting, &busy).iter().map(shown).collect()
        };
        assert_eq!(next(&[]), ["50b", "50c"]);
        assert_eq!(next(&["b", "c"]), ["50a", "50d"]);
        assert!(next(&["b", "c", "a", "d"]).is_empty());
        assert_eq!(next(&["a"]), ["50d"]);
        assert_eq!(next(&[]), ["50a"]);
        assert!(next(&[]).is_empty());
    }

    /// What was asked: the method without its beginning, and whom for.
    fn about(frame: &str) -> (Value, Vec<String>) {
        let mut frame: Value = serde_json::from_str(frame).unwrap();
        let method = frame["method"].as_str().unwrap().replace("ext.session.combine.", "");
        let params = frame["params"].take();
        let list = params.get("deviceList").cloned().unwrap_or(params);
        let one = |of: &Value| format!("{method} {}", of["deviceName"].as_str().unwrap());
        let list = list.as_array().map_or_else(|| vec![one(&list)], |list| list.iter().map(one).collect());
        (frame["id"].take(), list)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_together_is_asked_alone_before_what_was_ordered_later() {
        let config = Config { outstanding: 8, ..Config::default() };
        let connection = Connection::new("gateway", &system::DIALECT, config);
        let (sender, orders) = mpsc::channel(QUEUE);
        let whats = [logout("a"), logout("b"), login("a"), login("b"), login("c")];
        let answers = whats.map(|what| {
            let (answer, answered) = oneshot::channel();
            sender.try_send(Order::new(what, connection.peer().clone(), answer)).unwrap();
            answered
        });
        drop(sender);
        let mut said = Vec::new();
        let platform = async {
            loop {
                while let Some(frame) = connection.poll_transmit(Instant::default()) {
                    let (id, about) = about(&frame);
                    let code = if about.len() > 1 && about[0].contains("logout") { 6401 } else { 200 };
                    said.extend(about);
                    let answer = json!({"id": id, "code": code, "data": {}, "message": ""});
                    connection.receive(&answer.to_string(), Instant::default());
                }
                // The clock stands until nobody else has anything to do.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = work(orders) => {}
            () = platform => {}
        }
        assert!(join_all(answers).await.into_iter().all(|answer| answer == Ok(Ok(()))));
        for name in ["a", "b"] {
            let of_one: Vec<&str> = said.iter().filter_map(|said| said.strip_suffix(name)?.strip_suffix(' ')).collect();
            assert_eq!(of_one, ["batch_logout", "logout", "batch_login"], "{said:?}");
        }
    }
}
