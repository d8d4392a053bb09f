/* What the charge point of this example does, whatever carries its messages. */
#ifndef CHARGE_POINT_H
#define CHARGE_POINT_H

#include "onwire.h"

typedef struct charge_point {
    onwire_session *session;
    /* Of the calls that are under way; 0 if there is none. */
    uint32_t boot;
    uint32_t heartbeat;
    bool accepted;
    /* When the next BootNotification, or Heartbeat once accepted, is due. */
    uint64_t next_call_ms;
} charge_point;

/* A charge point on a connection that has just been opened; false if there is no memory. */
bool charge_point_open(charge_point *self);

/* Does what is due and what the events ask for. To be called after something was received, and when it is due. */
void charge_point_work(charge_point *self, uint64_t now_ms);

/* When charge_point_work() has to be called at the latest. */
uint64_t charge_point_due(const charge_point *self);

/* The connection has ended. */
void charge_point_close(charge_point *self);

#endif
