//! Metrics in the text format of Prometheus.

use std::sync::Arc;
use std::time::Duration;

use onwire::net::{Direction, MessageKind, Observed};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::{self, Answer, Call, Refused, Request, Route};
use super::process::Process;
use crate::app::App;
use crate::store::Numbers;

/// In seconds: from what never leaves the memory to a charge point that has to think.
const LATENCIES: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

fn latencies() -> Histogram {
    Histogram::new(LATENCIES)
}

/// OCPP calls.
#[derive(Debug, Clone)]
pub struct Calls {
    begun: Family<Call, Counter>,
    answered: Family<Answer, Counter>,
    seconds: Histograms<Call>,
    unreadable: Counter,
}

impl Calls {
    /// Counts a message.
    pub fn count(&self, message: &Observed<'_>) {
        let action = labels::action(message.action.unwrap_or_default());
        // An answer goes the other way than the call that it answers.
        let caller = match message.direction {
            Direction::Received => Direction::Sent,
            Direction::Sent => Direction::Received,
        };
        let outcome = match &message.kind {
            MessageKind::Call | MessageKind::Send => {
                let call = Call { direction: labels::direction(message.direction), action };
                self.begun.get_or_create(&call).inc();
                return;
            }
            MessageKind::CallResult => "result",
            MessageKind::CallError(code) => labels::error(code),
            _ => {
                self.unreadable.inc();
                return;
            }
        };
        let direction = labels::direction(caller);
        self.answered.get_or_create(&Answer { direction, action, outcome }).inc();
        if let Some(elapsed) = message.elapsed {
            self.seconds.get_or_create(&Call { direction, action }).observe(elapsed.as_secs_f64());
        }
    }
}

/// What is counted; clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// OCPP calls.
    pub calls: Calls,
    /// Handshakes of charge points that were refused.
    pub refused_handshakes: Family<Refused, Counter>,
    /// Messages that are not in the message log, for want of room.
    pub message_log_dropped: Counter,
    /// Messages that are not written yet.
    pub message_log_waiting: Gauge,
    requests: Family<Request, Counter>,
    request_seconds: Histograms<Route>,
    scraped: Scraped,
    process: Process,
}

/// What is looked at when somebody asks.
#[derive(Debug, Clone, Default)]
struct Scraped {
    connections: Gauge,
    event_listeners: Gauge,
    writer_waiting: Gauge,
    meter_values_waiting: Gauge,
    meter_values_lost: Counter,
}

impl Metrics {
    /// Metrics with those of the store.
    pub fn new(store: &Numbers) -> Self {
        let mut registry = Registry::with_prefix("csms");
        let histograms: fn() -> Histogram = latencies;
        let calls = Calls {
            begun: Family::default(),
            answered: Family::default(),
            seconds: Family::new_with_constructor(histograms),
            unreadable: Counter::default(),
        };
        let r = &mut registry;
        r.register("ocpp_calls_begun", "CALLs, by the way they went", calls.begun.clone());
        r.register("ocpp_calls", "Answered CALLs, by the way they went, action and outcome", calls.answered.clone());
        r.register("ocpp_call_duration_seconds", "From CALL to answer", calls.seconds.clone());
        r.register("ocpp_unreadable_messages", "Messages that are no OCPP", calls.unreadable.clone());
        let refused_handshakes = Family::<Refused, Counter>::default();
        r.register("handshakes_refused", "Handshakes of charge points that were refused", refused_handshakes.clone());
        let message_log_dropped = Counter::default();
        r.register("message_log_dropped", "Messages missing in the message log", message_log_dropped.clone());
        let message_log_waiting = Gauge::default();
        r.register("message_log_waiting", "Messages not yet in the message log", message_log_waiting.clone());
        let requests = Family::<Request, Counter>::default();
        r.register("http_requests", "HTTP requests, by route", requests.clone());
        let request_seconds = Histograms::new_with_constructor(histograms);
        r.register("http_request_duration_seconds", "Until an HTTP answer begins", request_seconds.clone());
        let scraped = Scraped::default();
        r.register("connections", "Connected charge points", scraped.connections.clone());
        r.register("event_listeners", "Listeners to live events", scraped.event_listeners.clone());
        r.register("store_writes_waiting", "Writes that are not begun", scraped.writer_waiting.clone());
        r.register("meter_values_waiting", "Meter values not yet written", scraped.meter_values_waiting.clone());
        r.register("meter_values_lost", "Meter values that could not be kept", scraped.meter_values_lost.clone());
        r.register("store_commits", "Commits of the database", store.commits.clone());
        r.register("store_commits_failed", "Commits that failed", store.failed_commits.clone());
        r.register("store_writes_per_commit", "Writes that share a commit", store.writes_per_commit.clone());
        r.register("store_commit_duration_seconds", "From begin to commit", store.seconds.clone());
        r.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let process = Process::new(r);
        let registry = Arc::new(registry);
        Self {
            registry,
            calls,
            refused_handshakes,
            message_log_dropped,
            message_log_waiting,
            requests,
            request_seconds,
            scraped,
            process,
        }
    }

    /// Counts an HTTP request. `route` is its template.
    pub fn count_request(&self, method: &http::Method, route: &str, status: u16, elapsed: Duration) {
        let request = Request { method: labels::method(method), route: route.to_owned(), status };
        self.requests.get_or_create(&request).inc();
        self.request_seconds.get_or_create(&Route { route: route.to_owned() }).observe(elapsed.as_secs_f64());
    }

    /// All of it, in the text format of OpenMetrics, which Prometheus reads.
    ///
    /// # Errors
    /// None that is known.
    pub fn text(&self, app: &App) -> Result<String, std::fmt::Error> {
        let Scraped { connections, event_listeners, writer_waiting, meter_values_waiting, meter_values_lost } =
            &self.scraped;
        let gauge = |gauge: &Gauge, value: usize| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        gauge(connections, app.peers.len());
        gauge(event_listeners, app.events.listeners());
        gauge(writer_waiting, app.store.waiting_writes());
        gauge(meter_values_waiting, app.store.meter_values().waiting());
        let lost = app.store.meter_values().lost();
        meter_values_lost.inner().store(lost, std::sync::atomic::Ordering::Relaxed);
        self.process.look();
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
