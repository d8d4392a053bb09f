/*
 * A charge point in C over onwire's session: on a WebSocket to a central system, on lines of standard input and output, or
 * in memory against a central system of its own.
 */
#include "board.h"
#include "charge_point.h"
#include "lines.h"
#include "self_test.h"
#include "websocket.h"

#include <stdlib.h>
#include <time.h>

static int usage(const char *program) {
    fprintf(stderr,
            "usage: %s ws://host:port/ocpp/CP1 [--id-tag TAG] [--samples COUNT] [--interval SECONDS] [--timeout SECONDS]\n"
            "          [--stay]\n"
            "       %s --lines\n"
            "       %s --self-test\n",
            program, program, program);
    return 2;
}

/* A whole number from 1 to a day's seconds; 0 if it is none. */
static uint32_t number(const char *text) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    return *end == '\0' && value <= 86400 ? (uint32_t)value : 0;
}

static bool read_options(charge_point_plan *plan, int count, char **arguments) {
    uint32_t interval_s = plan->sample_ms / 1000;
    uint32_t timeout_s = plan->call_timeout_ms / 1000;
    int index;
    for (index = 0; index < count; index++) {
        const char *value = index + 1 < count ? arguments[index + 1] : "";
        if (strcmp(arguments[index], "--stay") == 0) {
            plan->stay = true;
            continue;
        }
        if (strcmp(arguments[index], "--id-tag") == 0) {
            plan->id_tag = value;
        } else if (strcmp(arguments[index], "--samples") == 0) {
            plan->samples = number(value);
        } else if (strcmp(arguments[index], "--interval") == 0) {
            interval_s = number(value);
        } else if (strcmp(arguments[index], "--timeout") == 0) {
            timeout_s = number(value);
        } else {
            return false;
        }
        index++;
    }
    plan->sample_ms = interval_s * 1000;
    plan->call_timeout_ms = timeout_s * 1000;
    return plan->samples > 0 && interval_s > 0 && timeout_s > 0;
}

static int run(const char *url, const charge_point_plan *plan) {
    charge_point self;
    int result;
    board_set_time((int64_t)time(NULL) - (int64_t)(board_clock_ms() / 1000));
    if (!charge_point_open(&self, plan)) {
        fprintf(stderr, "a tag has 1 to 20 plain characters\n");
        return 2;
    }
    result = url == NULL ? lines_run(&self) : websocket_run(url, &self);
    charge_point_close(&self, board_clock_ms());
    return result;
}

int main(int count, char **arguments) {
    charge_point_plan plan = {stdout, "TAG1", 2, 1000, 30000, false};
    const char *first = count > 1 ? arguments[1] : "";
    if (count == 2 && strcmp(first, "--self-test") == 0) {
        return self_test();
    }
    if (count == 2 && strcmp(first, "--lines") == 0) {
        /* Standard output is the connection, and nobody is here to show a tag. */
        charge_point_plan obedient = {stderr, NULL, 1, 60000, 30000, true};
        return run(NULL, &obedient);
    }
    if (count < 2 || first[0] == '-' || !read_options(&plan, count - 2, arguments + 2)) {
        return usage(arguments[0]);
    }
    /* Whoever reads a pipe sees each line at once. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    return run(first, &plan);
}
