/*
 * onwire for C: one connection's protocol as a value without input and output. Text of the WebSocket and the time go in,
 * text to be sent and events come out; sockets, tasks and clocks stay with the firmware.
 *
 * One turn of the loop around a session:
 *
 *     while (a WebSocket text message is there)
 *         onwire_receive(session, message, now);
 *     onwire_handle_timeout(session, now);
 *     while (onwire_poll_event(session, &event) == ONWIRE_OK)
 *         ... answer a CALL of the peer, look at what became of a call of one's own, make further calls ...
 *     while (onwire_next_frame(session, now, &frame) == ONWIRE_OK)
 *         ... send it as one WebSocket text message ...
 *     ... sleep until a message comes or onwire_deadline() is due ...
 *
 * What holds everywhere:
 * - A session is not safe for threads: one thread at a time may be in a function with it. Sessions share nothing.
 * - Text is UTF-8, a pointer and a length, and not terminated by a NUL. Payloads are JSON objects.
 * - Time is in milliseconds on a clock of the firmware that never goes back.
 * - No payload that the protocol's schema forbids leaves, and none that cannot be read becomes an event.
 * - Functions take null pointers, broken UTF-8 and unknown numbers, and return an error; only a pointer that is neither null
 *   nor valid cannot be found out.
 *
 * C99, C++98 with <stdint.h>. Linked with libonwire_c.a.
 */
#ifndef ONWIRE_H
#define ONWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One side of one connection. */
typedef struct onwire_session onwire_session;

/* UTF-8, not terminated. `data` may be null if `length` is 0. To print it: printf("%.*s", (int)text.length, text.data). */
typedef struct onwire_text {
    const char *data;
    size_t length;
} onwire_text;

/* A terminated string as a text. */
static inline onwire_text onwire_string(const char *string) {
    onwire_text text;
    text.data = string;
    text.length = string == NULL ? 0 : strlen(string);
    return text;
}

/*
 * What a function returns: negative numbers are errors, after which the session is as it was. Numbers of a fixed width, as
 * an enum's width depends on the compiler's options.
 */
typedef int32_t onwire_status;
enum {
    ONWIRE_OK = 0,
    /* There is no event, nothing to be sent, or no deadline. */
    ONWIRE_NOTHING = 1,
    /* The message was no use, and nobody is told; onwire_error() says why. */
    ONWIRE_IGNORED = 2,
    /* The message was refused, and the peer will be told; onwire_error() says why. */
    ONWIRE_REFUSED = 3,
    /* A null pointer, or an error code that the protocol does not have. */
    ONWIRE_INVALID_ARGUMENT = -1,
    ONWIRE_NOT_UTF8 = -2,
    /* The protocol has no such action. */
    ONWIRE_UNKNOWN_ACTION = -3,
    /* It is the other side that starts this action. */
    ONWIRE_WRONG_ROLE = -4,
    /* The payload is not what the schema says; onwire_error() names the place by its JSON pointer. */
    ONWIRE_INVALID_PAYLOAD = -5,
    /* As many calls wait to be sent as the configuration allows. */
    ONWIRE_QUEUE_FULL = -6,
    /* The CALL was answered already, or took too long and was answered with InternalError, or never was. */
    ONWIRE_NO_SUCH_CALL = -7,
    /* onwire_end() was called. */
    ONWIRE_HAS_ENDED = -8,
    /* A defect of the library. The session can still be used, and may have lost a message. */
    ONWIRE_PANICKED = -9
};

/* The protocols in this library. */
typedef int32_t onwire_protocol;
enum { ONWIRE_OCPP_1_6 = 16 };

/* Which side the session is. */
typedef int32_t onwire_role;
enum { ONWIRE_CHARGE_POINT = 1, ONWIRE_CENTRAL_SYSTEM = 2 };

/* What a session tolerates and how much it holds; to be changed from onwire_default_config(). */
typedef struct onwire_config {
    /* How long an answer is waited for, from the moment the CALL was handed out by onwire_next_frame(). 30 s. */
    uint32_t call_timeout_ms;
    /* How long a CALL of the peer may stay unanswered after it became an event; then InternalError is answered. 60 s. */
    uint32_t handler_timeout_ms;
    /* How many calls may wait for their turn; one is outstanding at a time. 8. */
    uint32_t call_queue;
    /* How many CALLs of the peer may wait, and how many may be open at a time. 8. */
    uint32_t inbox;
    /* Bytes of recent answers that are kept for a CALL that is sent again; 0 keeps none. 1024. */
    uint32_t answer_memory;
    /* The number that is the id of the first call. Better a random one for each connection. 1. */
    uint32_t first_id;
    /* Whether what careless peers are known to send is let through; otherwise it is refused. true. */
    bool liberal;
} onwire_config;

onwire_config onwire_default_config(void);

/*
 * A session at the start of a connection; `config` may be null for the defaults. Null if the protocol or the role is
 * unknown. After the connection has ended, the next one takes a new session.
 */
onwire_session *onwire_session_new(onwire_protocol protocol, onwire_role role, const onwire_config *config);

/* Gives all memory of the session back, that of its texts too. Null is ignored. */
void onwire_session_free(onwire_session *session);

/*
 * Takes one text message of the WebSocket. ONWIRE_OK if it was a CALL or an answer: then there may be an event.
 * ONWIRE_IGNORED and ONWIRE_REFUSED are for the log.
 */
onwire_status onwire_receive(onwire_session *session, onwire_text message, uint64_t now_ms);

/*
 * Whether the WebSocket is to be read. It is not while too many CALLs wait or the peer does not take its answers; what is
 * read all the same is refused or ignored.
 */
bool onwire_wants_input(const onwire_session *session);

/*
 * The next message to be sent, or ONWIRE_NOTHING. It is valid until the next onwire_next_frame() of this session, and is not
 * given again: a call's time-out starts here.
 */
onwire_status onwire_next_frame(onwire_session *session, uint64_t now_ms, onwire_text *frame);

/* When onwire_handle_timeout() has to be called at the latest; 0 stands for "at once". ONWIRE_NOTHING if nothing is due. */
onwire_status onwire_deadline(const onwire_session *session, uint64_t *deadline_ms);

/* Ends what has taken too long. It may be called at any time and is cheap. */
onwire_status onwire_handle_timeout(onwire_session *session, uint64_t now_ms);

/*
 * Queues a call, for example onwire_call(session, onwire_string("Heartbeat"), onwire_string("{}"), &call). The request is
 * read strictly by the schema and written again. `*call` (which may be null) becomes the number that the event with the outcome
 * has: exactly one for each call, at the latest after onwire_end(). For an action that is never answered it becomes 0, and
 * there is no such event.
 */
onwire_status onwire_call(onwire_session *session, onwire_text action, onwire_text request, uint32_t *call);

typedef int32_t onwire_event_kind;
enum {
    /* The peer calls: `action`, `payload`. It is to be answered by onwire_answer() or onwire_refuse() with `call`. */
    ONWIRE_EVENT_CALL = 1,
    /* The peer sent what is never answered: `action`, `payload`. */
    ONWIRE_EVENT_MESSAGE = 2,
    /* The peer answered the call of one's own `call`: `action`, `payload`. */
    ONWIRE_EVENT_ANSWERED = 3,
    /* The peer refused it (CALLERROR): `action`, `code`, `description`, `details`. */
    ONWIRE_EVENT_REFUSED = 4,
    /* The peer did not answer it in time. It may have acted on it. */
    ONWIRE_EVENT_TIMED_OUT = 5,
    /* The connection ended before the answer came. The peer may have acted on it. */
    ONWIRE_EVENT_DISCONNECTED = 6,
    /* The connection ended before it was sent. */
    ONWIRE_EVENT_NOT_SENT = 7,
    /* The answer is not what the schema says: `description` says why. The peer acted on it. */
    ONWIRE_EVENT_INVALID_ANSWER = 8,
    /* The last event of a session, after onwire_end(). */
    ONWIRE_EVENT_ENDED = 9
};

/* What its kind does not mention is 0 or empty. Its texts are valid until the next onwire_poll_event() of this session. */
typedef struct onwire_event {
    onwire_event_kind kind;
    uint32_t call;
    onwire_text action;
    /*
     * As the schema's type writes it, without white space and without what the schema does not know. If a careless peer sent
     * something that may be read but not be sent, such as a value outside an enumeration, it is the text as it came.
     */
    onwire_text payload;
    /* As the protocol spells it: NotSupported, GenericError, ... */
    onwire_text code;
    onwire_text description;
    /* A JSON object. */
    onwire_text details;
} onwire_event;

/*
 * The next event, or ONWIRE_NOTHING. To be called until there is none, before onwire_next_frame(): a CALL whose action is
 * unknown or that is not for this side, and one with an invalid payload, are refused on the way and become no event.
 */
onwire_status onwire_poll_event(onwire_session *session, onwire_event *event);

/*
 * Answers a CALL of the peer. The response is read strictly and written again; after ONWIRE_INVALID_PAYLOAD the CALL can still
 * be answered.
 */
onwire_status onwire_answer(onwire_session *session, uint32_t call, onwire_text response);

/* Refuses a CALL of the peer with an error code of the protocol: NotSupported, InternalError, GenericError, ... */
onwire_status onwire_refuse(onwire_session *session, uint32_t call, onwire_text code, onwire_text description);

/* The connection has ended: calls of one's own become events, CALLs of the peer are forgotten. */
onwire_status onwire_end(onwire_session *session);

/* Why the last function that had something to say did not return ONWIRE_OK; valid until the next function with this session. */
onwire_text onwire_error(const onwire_session *session);

/*
 * Of the library for bare metal (built without the feature `std`) the firmware supplies these three.
 *
 * `alignment` is a power of two and at most 8. If there is no memory: null, which ends in onwire_panic(). `size` and
 * `alignment` of onwire_release() are those that the memory was allocated with.
 */
void *onwire_allocate(size_t size, size_t alignment);
void onwire_release(void *memory, size_t size, size_t alignment);

/* Must not return: log the message and restart. */
void onwire_panic(onwire_text message);

#ifdef __cplusplus
}
#endif

#endif
