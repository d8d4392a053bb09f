#include "websocket.h"

#include "board.h"

#include <libwebsockets.h>
#include <stdlib.h>

enum {
    /* Of a received message. */
    LONGEST = 65536,
    /* Without any sign of life a ping is sent, and then the connection is given up. */
    PING_S = 60,
    HANG_UP_S = 75
};

static const char SUBPROTOCOL[] = "ocpp1.6";
static const char NO_ANSWER[] = "the central system does not answer the handshake";
static const char NO_SUBPROTOCOL[] = "the central system does not speak the subprotocol";

typedef struct websocket {
    struct lws_context *context;
    struct lws *connection;
    charge_point *charge_point;
    lws_sorted_usec_list_t timer;
    char received[LONGEST];
    size_t length;
    /* There is no connection, or none any more. */
    bool over;
    /* The status of the peer's close frame; 0 if there was none. */
    unsigned peer_status;
    bool failed;
} websocket;

/* The first reason is the one that counts: others follow from it. */
static void fail(websocket *self, const char *reason, const char *detail) {
    if (!self->failed) {
        fprintf(stderr, "%s%s%s\n", reason, detail[0] == '\0' ? "" : ": ", detail);
    }
    self->failed = true;
}

/* A timer of libwebsockets does not end its wait. */
static void end(websocket *self) {
    self->over = true;
    lws_cancel_service(self->context);
}

static void when_due(lws_sorted_usec_list_t *timer);

/* Lets the charge point work, and sees to it that this goes on: by the timer, by what can be sent, by what is read. */
static void work(websocket *self) {
    uint64_t now = board_clock_ms();
    uint64_t due;
    charge_point_work(self->charge_point, now);
    due = charge_point_due(self->charge_point);
    if (due == UINT64_MAX) {
        lws_sul_cancel(&self->timer);
    } else {
        lws_sul_schedule(self->context, 0, &self->timer, when_due, due > now ? (lws_usec_t)((due - now) * 1000) : 1);
    }
    lws_rx_flow_control(self->connection, onwire_wants_input(self->charge_point->session) ? 1 : 0);
    lws_callback_on_writable(self->connection);
}

static void when_due(lws_sorted_usec_list_t *timer) {
    work(lws_container_of(timer, websocket, timer));
}

/* Sends one message, as the connection takes one at a time; not 0 if the connection is to be closed. */
static int send_frame(websocket *self) {
    onwire_text frame;
    unsigned char *buffer;
    int sent;
    if (onwire_next_frame(self->charge_point->session, board_clock_ms(), &frame) != ONWIRE_OK) {
        if (self->charge_point->finished) {
            lws_close_reason(self->connection, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
            return -1;
        }
        return 0;
    }
    /* libwebsockets writes its header before the message. */
    buffer = malloc(LWS_PRE + frame.length);
    if (buffer == NULL) {
        fail(self, "no memory for a message", "");
        return -1;
    }
    memcpy(buffer + LWS_PRE, frame.data, frame.length);
    sent = lws_write(self->connection, buffer + LWS_PRE, frame.length, LWS_WRITE_TEXT);
    free(buffer);
    if (sent < 0) {
        return -1;
    }
    /* A call's time has begun, and there may be another message. */
    work(self);
    return 0;
}

/* Takes a part of a message; not 0 if the connection is to be closed. */
static int receive(websocket *self, const char *part, size_t length) {
    onwire_text message;
    if (lws_frame_is_binary(self->connection)) {
        fail(self, "the central system sent a binary message", "");
        lws_close_reason(self->connection, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, NULL, 0);
        return -1;
    }
    if (lws_is_first_fragment(self->connection)) {
        self->length = 0;
    }
    if (length > LONGEST - self->length) {
        fail(self, "the central system sent a message that is too long", "");
        lws_close_reason(self->connection, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
        return -1;
    }
    memcpy(self->received + self->length, part, length);
    self->length += length;
    if (!lws_is_final_fragment(self->connection)) {
        return 0;
    }
    message.data = self->received;
    message.length = self->length;
    if (onwire_receive(self->charge_point->session, message, board_clock_ms()) != ONWIRE_OK) {
        onwire_text reason = onwire_error(self->charge_point->session);
        fprintf(stderr, "received: %.*s\n", (int)reason.length, reason.data);
    }
    work(self);
    return 0;
}

/* OCPP-J 1.6 §3.1.2: without an agreed subprotocol there is no OCPP; libwebsockets would go on. */
static int judge_handshake(websocket *self, struct lws *connection) {
    char agreed[sizeof SUBPROTOCOL] = "";
    if (lws_hdr_copy(connection, agreed, sizeof agreed, WSI_TOKEN_PROTOCOL) > 0 && strcmp(agreed, SUBPROTOCOL) == 0) {
        return 0;
    }
    fail(self, NO_SUBPROTOCOL, SUBPROTOCOL);
    return -1;
}

static void refused(websocket *self, struct lws *connection, const char *reason, size_t length) {
    char detail[160];
    unsigned status = lws_http_client_http_response(connection);
    if (status >= 300) {
        snprintf(detail, sizeof detail, "the central system answered with HTTP status %u", status);
    } else {
        snprintf(detail, sizeof detail, "%.*s", (int)length, reason == NULL ? "" : reason);
    }
    if (strstr(detail, "PROTOCOL") != NULL) {
        /* libwebsockets has seen by itself that it is another one. */
        fail(self, NO_SUBPROTOCOL, SUBPROTOCOL);
    }
    fail(self, "cannot connect", detail);
    end(self);
}

static void closed(websocket *self) {
    char status[32];
    end(self);
    self->connection = NULL;
    lws_sul_cancel(&self->timer);
    if (self->charge_point->finished || self->failed) {
        return;
    }
    snprintf(status, sizeof status, "%u", self->peer_status);
    if (self->peer_status == 0) {
        fail(self, "the connection is lost", "");
    } else if (self->peer_status == LWS_CLOSE_STATUS_NORMAL && charge_point_is_idle(self->charge_point)) {
        printf("the central system has ended the connection\n");
    } else {
        fail(self, "the central system closed the connection before time, with status", status);
    }
}

static int callback(struct lws *connection, enum lws_callback_reasons reason, void *user, void *data, size_t length) {
    websocket *self = lws_context_user(lws_get_context(connection));
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH: return judge_handshake(self, connection);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: refused(self, connection, data, length); break;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        self->connection = connection;
        printf("connected\n");
        work(self);
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE: return send_frame(self);
    case LWS_CALLBACK_CLIENT_RECEIVE: return receive(self, data, length);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        /* A close frame may be empty. */
        self->peer_status = LWS_CLOSE_STATUS_NO_STATUS;
        if (length >= 2) {
            const unsigned char *bytes = data;
            self->peer_status = (unsigned)bytes[0] << 8 | bytes[1];
        }
        break;
    case LWS_CALLBACK_CLIENT_CLOSED: closed(self); break;
    case LWS_CALLBACK_WSI_DESTROY:
        /* libwebsockets 4.1 says nothing else if the handshake is not answered in time. */
        if (!self->over) {
            refused(self, connection, NO_ANSWER, strlen(NO_ANSWER));
        }
        break;
    default: break;
    }
    return 0;
}

static bool connect_to(websocket *self, char *url) {
    static const lws_retry_bo_t alive = {.secs_since_valid_ping = PING_S, .secs_since_valid_hangup = HANG_UP_S};
    struct lws_client_connect_info connection;
    const char *scheme;
    const char *host;
    const char *rest;
    char path[512];
    char host_header[300];
    int port;
    if (lws_parse_uri(url, &scheme, &host, &port, &rest) != 0 || strcmp(scheme, "ws") != 0) {
        fail(self, "the address is not like ws://host:port/ocpp/CP1", "");
        return false;
    }
    snprintf(path, sizeof path, "/%s", rest);
    snprintf(host_header, sizeof host_header, "%s:%d", host, port);
    memset(&connection, 0, sizeof connection);
    connection.context = self->context;
    connection.address = host;
    connection.port = port;
    connection.path = path;
    connection.host = host_header;
    connection.protocol = SUBPROTOCOL;
    connection.ietf_version_or_minus_one = -1;
    connection.retry_and_idle_policy = &alive;
    /* If it returns null, the callback has been told why. */
    if (lws_client_connect_via_info(&connection) == NULL) {
        fail(self, "cannot connect", host_header);
        return false;
    }
    return true;
}

int websocket_run(const char *url, charge_point *charge_point) {
    static websocket self;
    static const struct lws_protocols protocols[] = {{.name = SUBPROTOCOL, .callback = callback}, {.name = NULL}};
    struct lws_context_creation_info info;
    char address[512];
    memset(&self, 0, sizeof self);
    self.charge_point = charge_point;
    if (strlen(url) >= sizeof address) {
        fail(&self, "the address is too long", "");
        return 1;
    }
    strcpy(address, url);

    /* What it has to say comes to the callback too. */
    lws_set_log_level(0, NULL);
    memset(&info, 0, sizeof info);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.user = &self;
    info.timeout_secs = charge_point->plan.call_timeout_ms / 1000;
    info.connect_timeout_secs = info.timeout_secs;
    info.fd_limit_per_thread = 16;
    self.context = lws_create_context(&info);
    if (self.context == NULL) {
        fail(&self, "libwebsockets has no memory", "");
        return 1;
    }
    if (connect_to(&self, address)) {
        while (!self.over && lws_service(self.context, 0) >= 0) {
        }
        if (!self.over) {
            fail(&self, "libwebsockets has failed", "");
            self.over = true;
        }
    }
    lws_context_destroy(self.context);
    return self.failed || charge_point->failed ? 1 : 0;
}
