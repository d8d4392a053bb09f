#define _POSIX_C_SOURCE 200809L

#include "board.h"

#include <stdio.h>
#include <time.h>

/* 11 kW, while the contactor is closed. */
enum { POWER_W = 11000, MS_PER_HOUR = 3600000 };

static bool charging;
static uint64_t since_ms;
/* In W times ms. */
static uint64_t energy;
static int64_t zero_s;

uint64_t board_clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void count(uint64_t now_ms) {
    if (charging) {
        energy += (now_ms - since_ms) * POWER_W;
    }
    since_ms = now_ms;
}

void board_close_contactor(bool closed, uint64_t now_ms) {
    count(now_ms);
    charging = closed;
}

int64_t board_meter_wh(uint64_t now_ms) {
    count(now_ms);
    return (int64_t)(energy / MS_PER_HOUR);
}

void board_time(uint64_t now_ms, char text[21]) {
    time_t seconds = (time_t)(zero_s + (int64_t)(now_ms / 1000));
    const struct tm *utc = gmtime(&seconds);
    if (utc == NULL || strftime(text, 21, "%Y-%m-%dT%H:%M:%SZ", utc) == 0) {
        snprintf(text, 21, "1970-01-01T00:00:00Z");
    }
}

void board_set_time(int64_t seconds_at_zero) {
    zero_s = seconds_at_zero;
}
