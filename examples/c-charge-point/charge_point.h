/* What the charge point of this example does, whatever carries its messages. */
#ifndef CHARGE_POINT_H
#define CHARGE_POINT_H

#include "onwire.h"

#include <stdio.h>

/* What it is to do on one connection. */
typedef struct charge_point_plan {
    /* Where it says what happens. */
    FILE *log;
    /* The tag that is shown once it has booted; null if nobody shows one. */
    const char *id_tag;
    /* The session of that tag stops after so many MeterValues. */
    uint32_t samples;
    /* Between two MeterValues. */
    uint32_t sample_ms;
    /* How long an answer is waited for. */
    uint32_t call_timeout_ms;
    /* Whether it goes on to obey the central system; otherwise it has finished then. */
    bool stay;
} charge_point_plan;

/* Each is one call, in the order in which they are made; it waits in IDLE and in METERING. */
typedef enum charge_point_step {
    STEP_BOOT,
    STEP_STATION_AVAILABLE,
    STEP_CONNECTOR_AVAILABLE,
    STEP_IDLE,
    STEP_AUTHORIZE,
    STEP_PREPARING,
    STEP_START,
    STEP_CHARGING,
    STEP_METERING,
    STEP_STOP,
    STEP_FINISHING
} charge_point_step;

typedef struct charge_point {
    onwire_session *session;
    charge_point_plan plan;
    charge_point_step step;
    /* The call of this step while it is under way, otherwise 0: then the next one is due at `next_call_ms`. */
    uint32_t call;
    uint64_t next_call_ms;
    /* How often the call of this step has come to nothing. */
    uint32_t failures;
    uint64_t heartbeat_ms;
    /* The tag that has the connector, as JSON writes it; empty if the connector is free. */
    char id_tag[128];
    /* It came with a RemoteStartTransaction. */
    bool remote;
    int64_t transaction;
    int64_t begin_wh;
    uint32_t sampled;
    /* Why the transaction stops; null while it runs. */
    const char *stop_reason;
    /* It has done what was planned, or cannot go on: then the connection is to be closed. */
    bool finished;
    bool failed;
} charge_point;

/* A charge point on a connection that is being opened; false if there is no memory, or the tag is too long or not plain. */
bool charge_point_open(charge_point *self, const charge_point_plan *plan);

/* Does what is due and what the events ask for. To be called after something was received, and when it is due. */
void charge_point_work(charge_point *self, uint64_t now_ms);

/* When charge_point_work() has to be called at the latest. */
uint64_t charge_point_due(const charge_point *self);

/* Whether nothing is lost if the connection ends now. */
bool charge_point_is_idle(const charge_point *self);

/* The connection has ended, or never was; a session of the connector ends with it. */
void charge_point_close(charge_point *self, uint64_t now_ms);

#endif
