/* The transport of OCPP-J: a WebSocket, by libwebsockets. Firmware puts the client of its own network stack in its place. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include "charge_point.h"

/*
 * Connects to `ws://host:port/path/identity` and runs until the charge point has finished or the connection ends; what
 * main() returns. It is 0 if the charge point did what was planned, also if the central system ended the connection in
 * order while nothing was under way. Otherwise standard error says why.
 */
int websocket_run(const char *url, charge_point *self);

#endif
