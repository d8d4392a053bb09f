/* What the charge point asks of its hardware. Firmware writes these anew; board.c simulates one connector. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds on a clock that never goes back: the `now_ms` of everything here. */
uint64_t board_clock_ms(void);

/* The contactor, with the plug's lock. */
void board_close_contactor(bool closed, uint64_t now_ms);

/* The energy register in Wh, which never goes back. */
int64_t board_meter_wh(uint64_t now_ms);

/* The time of day in UTC as RFC 3339 writes it, `2026-01-01T00:00:00Z`, terminated. */
void board_time(uint64_t now_ms, char text[21]);

/* Seconds since 1970 at the time 0 of the clock. A board without a clock that is kept takes it from BootNotification.conf. */
void board_set_time(int64_t seconds_at_zero);

#endif
