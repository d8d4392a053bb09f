#include "charge_point.h"

#include <stdio.h>

enum { INTERVAL_MS = 300000, RETRY_MS = 10000 };

/*
 * Payloads are written without white space, so that a search is enough for this example. A real charge point reads them with
 * its JSON library (cJSON comes with RT-Thread and ESP-IDF); that they are valid has been checked.
 */
static bool contains(onwire_text text, const char *part) {
    size_t length = strlen(part);
    size_t start;
    for (start = 0; start + length <= text.length; start++) {
        if (memcmp(text.data + start, part, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is(onwire_text text, const char *string) {
    return text.length == strlen(string) && contains(text, string);
}

static uint32_t call(charge_point *self, const char *action, const char *request) {
    uint32_t number = 0;
    if (onwire_call(self->session, onwire_string(action), onwire_string(request), &number) != ONWIRE_OK) {
        onwire_text reason = onwire_error(self->session);
        fprintf(stderr, "%s: %.*s\n", action, (int)reason.length, reason.data);
    }
    return number;
}

static void answer(charge_point *self, const onwire_event *event) {
    if (is(event->action, "RemoteStartTransaction")) {
        bool known = contains(event->payload, "\"idTag\":\"TAG1\"");
        const char *response = known ? "{\"status\":\"Accepted\"}" : "{\"status\":\"Rejected\"}";
        onwire_answer(self->session, event->call, onwire_string(response));
    } else if (is(event->action, "TriggerMessage") && contains(event->payload, "\"Heartbeat\"")) {
        onwire_answer(self->session, event->call, onwire_string("{\"status\":\"Accepted\"}"));
        self->next_call_ms = 0;
    } else {
        onwire_refuse(self->session, event->call, onwire_string("NotSupported"), onwire_string("not in this example"));
    }
}

static void handle(charge_point *self, const onwire_event *event, uint64_t now_ms) {
    switch (event->kind) {
    case ONWIRE_EVENT_CALL:
        answer(self, event);
        return;
    case ONWIRE_EVENT_ANSWERED:
        if (event->call == self->boot) {
            self->accepted = contains(event->payload, "\"status\":\"Accepted\"");
        }
        self->next_call_ms = now_ms + (self->accepted ? INTERVAL_MS : RETRY_MS);
        break;
    case ONWIRE_EVENT_MESSAGE:
    case ONWIRE_EVENT_ENDED:
        return;
    default:
        /* It came to nothing, for whichever reason. */
        self->next_call_ms = now_ms + RETRY_MS;
        break;
    }
    if (event->call == self->boot) {
        self->boot = 0;
    }
    if (event->call == self->heartbeat) {
        self->heartbeat = 0;
    }
}

bool charge_point_open(charge_point *self) {
    memset(self, 0, sizeof *self);
    self->session = onwire_session_new(ONWIRE_OCPP_1_6, ONWIRE_CHARGE_POINT, NULL);
    return self->session != NULL;
}

void charge_point_work(charge_point *self, uint64_t now_ms) {
    onwire_event event;
    onwire_handle_timeout(self->session, now_ms);
    while (onwire_poll_event(self->session, &event) == ONWIRE_OK) {
        handle(self, &event, now_ms);
    }
    if (self->boot == 0 && self->heartbeat == 0 && self->next_call_ms <= now_ms) {
        if (self->accepted) {
            self->heartbeat = call(self, "Heartbeat", "{}");
        } else {
            self->boot = call(self, "BootNotification",
                              "{\"chargePointVendor\":\"Example\",\"chargePointModel\":\"C 99\"}");
        }
    }
    /* Begins the time of CALLs that were taken just now. */
    onwire_handle_timeout(self->session, now_ms);
}

uint64_t charge_point_due(const charge_point *self) {
    uint64_t due;
    bool waits = self->boot != 0 || self->heartbeat != 0;
    if (onwire_deadline(self->session, &due) != ONWIRE_OK) {
        due = UINT64_MAX;
    }
    return !waits && self->next_call_ms < due ? self->next_call_ms : due;
}

void charge_point_close(charge_point *self) {
    onwire_session_free(self->session);
    self->session = NULL;
}
