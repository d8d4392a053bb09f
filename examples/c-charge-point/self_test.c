#include "self_test.h"

#include "board.h"
#include "charge_point.h"

#include <stdio.h>

static uint64_t now_ms;
static charge_point device;
static onwire_session *central_system;
static char lost_id[16];
static char late_answer[64];

static const char *status_name(onwire_status status) {
    switch (status) {
    case ONWIRE_OK: return "ok";
    case ONWIRE_NOTHING: return "nothing";
    case ONWIRE_IGNORED: return "ignored";
    case ONWIRE_REFUSED: return "refused";
    case ONWIRE_INVALID_ARGUMENT: return "invalid argument";
    case ONWIRE_NOT_UTF8: return "not UTF-8";
    case ONWIRE_UNKNOWN_ACTION: return "unknown action";
    case ONWIRE_WRONG_ROLE: return "wrong role";
    case ONWIRE_INVALID_PAYLOAD: return "invalid payload";
    case ONWIRE_QUEUE_FULL: return "queue full";
    case ONWIRE_NO_SUCH_CALL: return "no such call";
    case ONWIRE_HAS_ENDED: return "has ended";
    default: return "a defect";
    }
}

static const char *event_name(onwire_event_kind kind) {
    static const char *const names[] = {"", "call", "message", "answered", "refused", "timed out", "disconnected",
                                        "not sent", "invalid answer", "ended"};
    return kind >= ONWIRE_EVENT_CALL && kind <= ONWIRE_EVENT_ENDED ? names[kind] : "?";
}

static void print_text(const char *before, onwire_text text) {
    if (text.length > 0) {
        printf("%s%.*s", before, (int)text.length, text.data);
    }
}

static void title(const char *text) {
    printf("\n%s\n", text);
}

/* A status, and the reason if there is one to be told. */
static void print_status(const char *what, onwire_session *session, onwire_status status) {
    printf("  %s: %s", what, status_name(status));
    if (status != ONWIRE_OK && status != ONWIRE_NOTHING && status != ONWIRE_INVALID_ARGUMENT &&
        status != ONWIRE_NOT_UTF8) {
        print_text(": ", onwire_error(session));
    }
    printf("\n");
}

static const char *response_to(onwire_text action) {
    static const char *const responses[][2] = {
        {"BootNotification", "{\"status\": \"Accepted\", \"interval\": 300, \"currentTime\": \"2026-01-01T00:00:00Z\"}"},
        {"Heartbeat", "{\"currentTime\":\"2026-01-01T00:00:01Z\"}"},
        {"Authorize", "{\"idTagInfo\":{\"status\":\"Accepted\"}}"},
        {"StartTransaction", "{\"transactionId\":4711,\"idTagInfo\":{\"status\":\"Accepted\"}}"},
    };
    size_t index;
    for (index = 0; index < sizeof responses / sizeof responses[0]; index++) {
        if (action.length == strlen(responses[index][0]) &&
            memcmp(action.data, responses[index][0], action.length) == 0) {
            return responses[index][1];
        }
    }
    return "{}";
}

/* The events of the central system, which answers a charge point's calls. */
static void central_system_work(void) {
    onwire_event event;
    onwire_handle_timeout(central_system, now_ms);
    while (onwire_poll_event(central_system, &event) == ONWIRE_OK) {
        printf("  central system: %s", event_name(event.kind));
        print_text(" ", event.action);
        print_text(" ", event.payload);
        print_text(" ", event.code);
        print_text(": ", event.description);
        print_text(" ", event.details);
        printf("\n");
        if (event.kind == ONWIRE_EVENT_CALL) {
            onwire_answer(central_system, event.call, onwire_string(response_to(event.action)));
        }
    }
    onwire_handle_timeout(central_system, now_ms);
}

/* Carries the messages of one side to the other; whether there were any. */
static bool carry(onwire_session *from, onwire_session *to, const char *name) {
    onwire_text frame;
    bool any = false;
    while (onwire_next_frame(from, now_ms, &frame) == ONWIRE_OK) {
        printf("  %s sends %.*s\n", name, (int)frame.length, frame.data);
        if (onwire_receive(to, frame, now_ms) == ONWIRE_IGNORED) {
            print_text("  ignored: ", onwire_error(to));
            printf("\n");
        }
        any = true;
    }
    return any;
}

/* Both sides work until neither has anything more to say. */
static void play(void) {
    bool any;
    do {
        charge_point_work(&device, now_ms);
        any = carry(device.session, central_system, "charge point");
        central_system_work();
        any = carry(central_system, device.session, "central system") || any;
    } while (any);
}

/* The charge point receives a text that no session would send. */
static void inject(const char *text) {
    printf("  injected %s\n", text);
    print_status("charge point received it", device.session,
                 onwire_receive(device.session, onwire_string(text), now_ms));
    play();
}

static onwire_status call(onwire_session *session, const char *action, const char *request) {
    return onwire_call(session, onwire_string(action), onwire_string(request), NULL);
}

static void command(const char *action, const char *request) {
    print_status("call", central_system, call(central_system, action, request));
    play();
}

/* A session that the central system starts and stops, and one that it does not get. */
static void charging(void) {
    title("A session that the central system starts and stops");
    command("RemoteStartTransaction", "{ \"idTag\" : \"T\\\"1\", \"connectorId\" : 1 }");
    command("RemoteStartTransaction", "{\"idTag\":\"TAG2\"}");
    now_ms = charge_point_due(&device);
    play();
    command("RemoteStopTransaction", "{\"transactionId\":4712}");
    command("RemoteStopTransaction", "{\"transactionId\":4711}");
    printf("  the charge point %s\n", charge_point_is_idle(&device) ? "is idle" : "is busy");
}

/* The last one's id, in quotes, comes to `lost_id`. */
static void lose_frames(onwire_session *session) {
    onwire_text frame;
    while (onwire_next_frame(session, now_ms, &frame) == ONWIRE_OK) {
        printf("  lost %.*s\n", (int)frame.length, frame.data);
        snprintf(lost_id, sizeof lost_id, "%.*s", (int)strcspn(frame.data + 3, ","), frame.data + 3);
    }
}

static void refusals(void) {
    static const char broken[] = {'\"', (char)0xff, '\"'};
    onwire_text not_utf8 = {broken, sizeof broken};
    onwire_text nowhere = {NULL, 5};
    uint64_t deadline;
    uint32_t number = 0;

    title("What does not leave");
    print_status("an unknown action", device.session, call(device.session, "Dance", "{}"));
    print_status("the other side's action", device.session, call(device.session, "Reset", "{\"type\":\"Hard\"}"));
    print_status("a missing property", device.session, call(device.session, "BootNotification",
                                                            "{\"chargePointVendor\":\"Example\"}"));
    print_status("a wrong value", device.session, call(device.session, "StatusNotification",
                                                       "{\"connectorId\":1,\"errorCode\":\"Fine\",\"status\":\"Available\"}"));
    print_status("no JSON", device.session, call(device.session, "Heartbeat", "{"));
    print_status("broken UTF-8", device.session, onwire_call(device.session, not_utf8, onwire_string("{}"), &number));
    print_status("a null text", device.session, onwire_call(device.session, nowhere, onwire_string("{}"), &number));
    print_status("a null session", device.session, call(NULL, "Heartbeat", "{}"));
    print_status("a null place", device.session, onwire_next_frame(device.session, now_ms, NULL));
    print_status("an answer to nothing", device.session, onwire_answer(device.session, 77, onwire_string("{}")));
    print_status("no error code", device.session, onwire_refuse(device.session, 77, onwire_string("Oops"), onwire_string("")));
    print_status("a deadline", device.session, onwire_deadline(device.session, &deadline));
    print_status("a frame", device.session, carry(device.session, central_system, "charge point") ? ONWIRE_OK : ONWIRE_NOTHING);
}

static void unanswered(void) {
    onwire_event event;

    title("A call that is not answered");
    now_ms = device.next_call_ms;
    charge_point_work(&device, now_ms);
    lose_frames(device.session);
    now_ms = charge_point_due(&device);
    printf("  30 s later\n");
    play();
    printf("  the charge point %s\n", device.call == 0 ? "waits no longer" : "waits");
    snprintf(late_answer, sizeof late_answer, "[3,%s,{\"currentTime\":\"2026-01-01T00:00:00Z\"}]", lost_id);
    inject(late_answer);

    title("A CALL that the firmware does not answer in time");
    print_status("call", central_system, call(central_system, "ClearCache", "{}"));
    carry(central_system, device.session, "central system");
    if (onwire_poll_event(device.session, &event) == ONWIRE_OK) {
        uint32_t number = event.call;
        onwire_handle_timeout(device.session, now_ms);
        now_ms += 60000;
        onwire_handle_timeout(device.session, now_ms);
        print_status("answer", device.session, onwire_answer(device.session, number, onwire_string("{\"status\":\"Accepted\"}")));
    }
    play();
}

int self_test(void) {
    onwire_event event;
    onwire_config config = onwire_default_config();
    charge_point_plan plan = {stdout, NULL, 1, 60000, 30000, true};
    config.call_timeout_ms = 120000;
    config.first_id = 100;
    /* 2026-01-01T00:00:00Z */
    board_set_time(1767225600);
    if (onwire_session_new(7, ONWIRE_CHARGE_POINT, NULL) != NULL) {
        return 1;
    }
    central_system = onwire_session_new(ONWIRE_OCPP_1_6, ONWIRE_CENTRAL_SYSTEM, &config);
    if (central_system == NULL || !charge_point_open(&device, &plan)) {
        return 1;
    }

    printf("Boot and heartbeat\n");
    play();
    printf("  the charge point is %s\n", device.step == STEP_IDLE ? "accepted" : "not accepted");
    now_ms = charge_point_due(&device);
    play();

    title("CALLs of the central system");
    command("UnlockConnector", "{\"connectorId\":1}");
    command("GetConfiguration", "{}");
    command("GetConfiguration", "{\"key\":[\"numberofconnectors\",\"Colour\",\"\\\"]\"]}");
    command("RemoteStopTransaction", "{\"transactionId\":4711}");
    command("TriggerMessage", "{\"requestedMessage\":\"Heartbeat\"}");

    charging();
    refusals();

    title("Messages that break the rules");
    inject("[2,\"a\",\"RemoteStartTransaction\",{\"idTag\":true}]");
    inject("[2,\"b\",\"RemoteStartTransaction\",{}]");
    inject("[2,\"c\",\"Dance\",{}]");
    inject("[2,\"d\",\"Heartbeat\",{}]");
    inject("[2,\"e\",\"Reset\"]");
    inject("no frame");

    unanswered();

    title("Answers that the schema forbids");
    print_status("call", central_system, call(central_system, "ClearCache", "{}"));
    carry(central_system, device.session, "central system");
    if (onwire_poll_event(device.session, &event) == ONWIRE_OK) {
        print_status("answer", device.session, onwire_answer(device.session, event.call, onwire_string("{\"status\":1}")));
        print_status("answer", device.session,
                     onwire_answer(device.session, event.call, onwire_string("{\"status\":\"Accepted\"}")));
    }
    play();
    print_status("call", central_system, call(central_system, "ClearCache", "{}"));
    lose_frames(central_system);
    snprintf(late_answer, sizeof late_answer, "[3,%s,{\"status\":true}]", lost_id);
    onwire_receive(central_system, onwire_string(late_answer), now_ms);
    central_system_work();

    title("The end of the connection");
    print_status("call", central_system, call(central_system, "Reset", "{\"type\":\"Soft\"}"));
    print_status("call", central_system, call(central_system, "ClearCache", "{}"));
    lose_frames(central_system);
    print_status("end", central_system, onwire_end(central_system));
    central_system_work();
    print_status("call", central_system, call(central_system, "ClearCache", "{}"));
    print_status("event", central_system, onwire_poll_event(central_system, &event));

    charge_point_close(&device, now_ms);
    onwire_session_free(central_system);
    onwire_session_free(NULL);
    return 0;
}
