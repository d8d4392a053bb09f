#include "charge_point.h"

#include "board.h"
#include "configuration.h"
#include "json.h"

#include <inttypes.h>
#include <stdarg.h>

enum { HEARTBEAT_MS = 300000, RETRY_MS = 10000, ATTEMPTS = 3 };

static void say(const charge_point *self, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(self->plan.log, format, values);
    va_end(values);
    fputc('\n', self->plan.log);
}

static bool is(onwire_text text, const char *string) {
    return text.length == strlen(string) && memcmp(text.data, string, text.length) == 0;
}

static bool is_accepted(onwire_text payload) {
    return json_is(json_member(payload, "status"), "Accepted");
}

static bool is_free(const charge_point *self) {
    return self->id_tag[0] == '\0';
}

/* ---- the calls of the steps */

static void status(json_writer *request, int connector, const char *status, const char *time) {
    json_write(request, "{\"connectorId\":%d,\"errorCode\":\"NoError\",\"status\":\"%s\",\"timestamp\":\"%s\"}", connector,
               status, time);
}

/* Writes the request of the step; the action. */
static const char *write_request(const charge_point *self, uint64_t now_ms, json_writer *request) {
    char time[21];
    board_time(now_ms, time);
    switch (self->step) {
    case STEP_BOOT:
        json_write(request, "{\"chargePointVendor\":\"Example\",\"chargePointModel\":\"C 99\"}");
        return "BootNotification";
    case STEP_IDLE:
        json_write(request, "{}");
        return "Heartbeat";
    case STEP_AUTHORIZE:
        json_write(request, "{\"idTag\":%s}", self->id_tag);
        return "Authorize";
    case STEP_START:
        json_write(request, "{\"connectorId\":1,\"idTag\":%s,\"meterStart\":%" PRId64 ",\"timestamp\":\"%s\"}", self->id_tag,
                   self->begin_wh, time);
        return "StartTransaction";
    case STEP_METERING:
        json_write(request,
                   "{\"connectorId\":1,\"transactionId\":%" PRId64 ",\"meterValue\":[{\"timestamp\":\"%s\",\"sampledValue\":["
                   "{\"value\":\"%" PRId64 "\",\"measurand\":\"Energy.Active.Import.Register\",\"unit\":\"Wh\"}]}]}",
                   self->transaction, time, board_meter_wh(now_ms));
        return "MeterValues";
    case STEP_STOP:
        json_write(request, "{\"transactionId\":%" PRId64 ",\"timestamp\":\"%s\",\"meterStop\":%" PRId64 ",\"reason\":\"%s\"}",
                   self->transaction, time, board_meter_wh(now_ms), self->stop_reason);
        return "StopTransaction";
    case STEP_STATION_AVAILABLE: status(request, 0, "Available", time); break;
    case STEP_CONNECTOR_AVAILABLE: status(request, 1, "Available", time); break;
    case STEP_PREPARING: status(request, 1, "Preparing", time); break;
    case STEP_CHARGING: status(request, 1, "Charging", time); break;
    case STEP_FINISHING: status(request, 1, "Finishing", time); break;
    }
    return "StatusNotification";
}

static void give_up(charge_point *self, uint64_t now_ms) {
    board_close_contactor(false, now_ms);
    self->failed = true;
    self->finished = true;
}

/* The call of this step came to nothing. */
static void try_again(charge_point *self, uint64_t now_ms) {
    self->failures++;
    self->next_call_ms = now_ms + RETRY_MS;
    if (self->step != STEP_BOOT && self->step != STEP_IDLE && self->failures >= ATTEMPTS) {
        give_up(self, now_ms);
    }
}

static void make_call(charge_point *self, uint64_t now_ms) {
    json_writer request = {"", 0, false};
    const char *action = write_request(self, now_ms, &request);
    if (onwire_call(self->session, onwire_string(action), json_written(&request), &self->call) != ONWIRE_OK) {
        onwire_text reason = onwire_error(self->session);
        say(self, "%s cannot be sent: %.*s", action, (int)reason.length, reason.data);
        try_again(self, now_ms);
    }
}

/* ---- what follows from their answers */

static void go_to(charge_point *self, charge_point_step step, uint64_t when_ms) {
    self->step = step;
    self->failures = 0;
    self->next_call_ms = when_ms;
}

static void stop_transaction(charge_point *self, const char *reason, uint64_t now_ms) {
    board_close_contactor(false, now_ms);
    self->stop_reason = reason;
    go_to(self, STEP_STOP, now_ms);
}

static void booted(charge_point *self, onwire_text answer, uint64_t now_ms) {
    int64_t seconds;
    uint64_t interval_ms = 0;
    if (json_integer(json_member(answer, "interval"), &seconds) && seconds > 0 && seconds <= UINT32_MAX) {
        interval_ms = (uint64_t)seconds * 1000;
    }
    if (is_accepted(answer)) {
        self->heartbeat_ms = interval_ms > 0 ? interval_ms : HEARTBEAT_MS;
        say(self, "accepted by the central system");
        go_to(self, STEP_STATION_AVAILABLE, now_ms);
    } else {
        say(self, "not accepted by the central system yet");
        go_to(self, STEP_BOOT, now_ms + (interval_ms > 0 ? interval_ms : RETRY_MS));
    }
}

static void authorized(charge_point *self, onwire_text answer, uint64_t now_ms) {
    if (is_accepted(answer)) {
        go_to(self, STEP_PREPARING, now_ms);
        return;
    }
    say(self, "the central system does not accept the tag %s", self->id_tag);
    self->id_tag[0] = '\0';
    go_to(self, STEP_IDLE, now_ms + self->heartbeat_ms);
    if (!self->remote) {
        give_up(self, now_ms);
    }
}

static void started(charge_point *self, onwire_text answer, uint64_t now_ms) {
    if (!json_integer(json_member(answer, "transactionId"), &self->transaction)) {
        say(self, "the transaction's number cannot be read");
        give_up(self, now_ms);
        return;
    }
    say(self, "transaction %" PRId64 ": started for %s", self->transaction, self->id_tag);
    if (is_accepted(answer)) {
        board_close_contactor(true, now_ms);
        go_to(self, STEP_CHARGING, now_ms);
    } else {
        /* StopTransactionOnInvalidId, which is on here (§4.8). */
        stop_transaction(self, "DeAuthorized", now_ms);
    }
}

/* To the next reading, unless the transaction is to stop. */
static void go_on(charge_point *self, uint64_t now_ms) {
    if (self->stop_reason != NULL) {
        go_to(self, STEP_STOP, now_ms);
    } else {
        go_to(self, STEP_METERING, now_ms + self->plan.sample_ms);
    }
}

static void metered(charge_point *self, uint64_t now_ms) {
    self->sampled++;
    if (!self->remote && self->stop_reason == NULL && self->sampled >= self->plan.samples) {
        stop_transaction(self, "Local", now_ms);
    } else {
        go_on(self, now_ms);
    }
}

static void available(charge_point *self, uint64_t now_ms) {
    bool session_follows = !is_free(self) && self->stop_reason == NULL;
    if (!session_follows) {
        self->id_tag[0] = '\0';
        self->finished = !self->plan.stay;
    }
    go_to(self, STEP_IDLE, session_follows ? now_ms : now_ms + self->heartbeat_ms);
}

static void answered(charge_point *self, onwire_text answer, uint64_t now_ms) {
    switch (self->step) {
    case STEP_BOOT: booted(self, answer, now_ms); break;
    case STEP_STATION_AVAILABLE: go_to(self, STEP_CONNECTOR_AVAILABLE, now_ms); break;
    case STEP_CONNECTOR_AVAILABLE: available(self, now_ms); break;
    case STEP_IDLE: go_to(self, STEP_IDLE, now_ms + self->heartbeat_ms); break;
    case STEP_AUTHORIZE: authorized(self, answer, now_ms); break;
    case STEP_PREPARING:
        self->begin_wh = board_meter_wh(now_ms);
        go_to(self, STEP_START, now_ms);
        break;
    case STEP_START: started(self, answer, now_ms); break;
    case STEP_CHARGING: go_on(self, now_ms); break;
    case STEP_METERING: metered(self, now_ms); break;
    case STEP_STOP:
        say(self, "transaction %" PRId64 ": %" PRId64 " Wh, stopped (%s)", self->transaction,
            board_meter_wh(now_ms) - self->begin_wh, self->stop_reason);
        go_to(self, STEP_FINISHING, now_ms);
        break;
    case STEP_FINISHING: go_to(self, STEP_CONNECTOR_AVAILABLE, now_ms); break;
    }
}

static void came_to_nothing(charge_point *self, const onwire_event *event, uint64_t now_ms) {
    const char *what = event->kind == ONWIRE_EVENT_TIMED_OUT ? "was not answered in time"
                       : event->kind == ONWIRE_EVENT_REFUSED ? "was refused"
                                                             : "was answered with what the schema forbids";
    onwire_text why = event->description.length > 0 ? event->description : event->code;
    say(self, "%.*s %s%s%.*s", (int)event->action.length, event->action.data, what, why.length > 0 ? ": " : "", (int)why.length,
        why.data);
    try_again(self, now_ms);
}

/* ---- the central system's commands */

static bool remote_start(charge_point *self, onwire_text request, uint64_t now_ms) {
    onwire_text tag = json_member(request, "idTag");
    onwire_text connector = json_member(request, "connectorId");
    if (self->step != STEP_IDLE || !is_free(self) || tag.length >= sizeof self->id_tag ||
        (connector.length > 0 && !is(connector, "1"))) {
        return false;
    }
    memcpy(self->id_tag, tag.data, tag.length);
    self->id_tag[tag.length] = '\0';
    self->remote = true;
    self->stop_reason = NULL;
    self->next_call_ms = now_ms;
    return true;
}

static bool remote_stop(charge_point *self, onwire_text request, uint64_t now_ms) {
    int64_t transaction;
    bool runs = (self->step == STEP_CHARGING || self->step == STEP_METERING) && self->stop_reason == NULL;
    if (!runs || !json_integer(json_member(request, "transactionId"), &transaction) || transaction != self->transaction) {
        return false;
    }
    /* The contactor opens at once; the call that is under way is waited for. */
    board_close_contactor(false, now_ms);
    self->stop_reason = "Remote";
    if (self->step == STEP_METERING) {
        self->next_call_ms = now_ms;
    }
    return true;
}

static bool trigger(charge_point *self, onwire_text request, uint64_t now_ms) {
    if (!json_is(json_member(request, "requestedMessage"), "Heartbeat") || self->step != STEP_IDLE) {
        return false;
    }
    self->next_call_ms = now_ms;
    return true;
}

static void obey(charge_point *self, const onwire_event *event, uint64_t now_ms) {
    json_writer response = {"", 0, false};
    bool accepted;
    if (is(event->action, "GetConfiguration")) {
        configuration_answer(event->payload, self->heartbeat_ms, self->plan.sample_ms, &response);
    } else {
        if (is(event->action, "RemoteStartTransaction")) {
            accepted = remote_start(self, event->payload, now_ms);
        } else if (is(event->action, "RemoteStopTransaction")) {
            accepted = remote_stop(self, event->payload, now_ms);
        } else if (is(event->action, "TriggerMessage")) {
            accepted = trigger(self, event->payload, now_ms);
        } else {
            onwire_refuse(self->session, event->call, onwire_string("NotSupported"), onwire_string("not in this example"));
            return;
        }
        json_write(&response, "{\"status\":\"%s\"}", accepted ? "Accepted" : "Rejected");
    }
    if (response.cut || onwire_answer(self->session, event->call, json_written(&response)) != ONWIRE_OK) {
        onwire_refuse(self->session, event->call, onwire_string("InternalError"), onwire_string("no room for the answer"));
    }
    say(self, "the central system asked for %.*s", (int)event->action.length, event->action.data);
}

static void handle(charge_point *self, const onwire_event *event, uint64_t now_ms) {
    switch (event->kind) {
    case ONWIRE_EVENT_CALL: obey(self, event, now_ms); return;
    case ONWIRE_EVENT_MESSAGE:
    case ONWIRE_EVENT_ENDED: return;
    default: break;
    }
    if (event->call != self->call) {
        return;
    }
    self->call = 0;
    switch (event->kind) {
    case ONWIRE_EVENT_ANSWERED: answered(self, event->payload, now_ms); break;
    case ONWIRE_EVENT_DISCONNECTED:
    case ONWIRE_EVENT_NOT_SENT: break;
    default: came_to_nothing(self, event, now_ms); break;
    }
}

/* ---- for the transport */

bool charge_point_open(charge_point *self, const charge_point_plan *plan) {
    onwire_config config = onwire_default_config();
    memset(self, 0, sizeof *self);
    self->plan = *plan;
    self->heartbeat_ms = HEARTBEAT_MS;
    if (plan->id_tag != NULL) {
        size_t length = strlen(plan->id_tag);
        if (length == 0 || length > 20 || strpbrk(plan->id_tag, "\"\\\n\r\t") != NULL) {
            return false;
        }
        snprintf(self->id_tag, sizeof self->id_tag, "\"%s\"", plan->id_tag);
    }
    config.call_timeout_ms = plan->call_timeout_ms;
    self->session = onwire_session_new(ONWIRE_OCPP_1_6, ONWIRE_CHARGE_POINT, &config);
    return self->session != NULL;
}

void charge_point_work(charge_point *self, uint64_t now_ms) {
    onwire_event event;
    onwire_handle_timeout(self->session, now_ms);
    while (onwire_poll_event(self->session, &event) == ONWIRE_OK) {
        handle(self, &event, now_ms);
    }
    if (self->call == 0 && !self->finished && self->next_call_ms <= now_ms) {
        /* What has come up while it waited. */
        if (self->step == STEP_IDLE && !is_free(self)) {
            self->sampled = 0;
            go_to(self, STEP_AUTHORIZE, now_ms);
        } else if (self->step == STEP_METERING && self->stop_reason != NULL) {
            go_to(self, STEP_STOP, now_ms);
        }
        make_call(self, now_ms);
    }
    /* Begins the time of CALLs that were taken just now. */
    onwire_handle_timeout(self->session, now_ms);
}

uint64_t charge_point_due(const charge_point *self) {
    uint64_t due;
    if (onwire_deadline(self->session, &due) != ONWIRE_OK) {
        due = UINT64_MAX;
    }
    return self->call == 0 && !self->finished && self->next_call_ms < due ? self->next_call_ms : due;
}

bool charge_point_is_idle(const charge_point *self) {
    return self->step == STEP_IDLE && self->call == 0 && is_free(self);
}

void charge_point_close(charge_point *self, uint64_t now_ms) {
    onwire_event event;
    board_close_contactor(false, now_ms);
    onwire_end(self->session);
    while (onwire_poll_event(self->session, &event) == ONWIRE_OK) {
        handle(self, &event, now_ms);
    }
    onwire_session_free(self->session);
    self->session = NULL;
}
