/* A transport that every machine has: a line of standard input is a message received, a line of standard output one sent. */
#ifndef LINES_H
#define LINES_H

#include "charge_point.h"

/* Runs until the input ends; what main() returns. */
int lines_run(charge_point *self);

#endif
