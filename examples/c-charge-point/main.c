/*
 * A charge point in C over onwire's session. Its transport is one that every machine has: a line of standard input is a
 * message of the central system, a line of standard output one to it. websocat makes a WebSocket of that:
 *
 *     cargo run --release -p csms
 *     websocat --protocol ocpp1.6 ws://127.0.0.1:8080/ocpp/CP1 exec:./c-charge-point
 *
 * Firmware puts its own WebSocket in the place of receive() and send_frames(). `--self-test` plays sessions in memory.
 */
#define _POSIX_C_SOURCE 200809L

#include "charge_point.h"
#include "self_test.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

typedef struct lines {
    char bytes[65536];
    size_t length;
} lines;

/* Takes what has come; false if no more will, or a line is too long. */
static bool receive(lines *input, onwire_session *session, uint64_t now_ms) {
    ssize_t count = read(STDIN_FILENO, input->bytes + input->length, sizeof input->bytes - input->length);
    char *end;
    if (count <= 0) {
        return false;
    }
    input->length += (size_t)count;
    while ((end = memchr(input->bytes, '\n', input->length)) != NULL) {
        onwire_text message;
        message.data = input->bytes;
        message.length = (size_t)(end - input->bytes);
        if (onwire_receive(session, message, now_ms) != ONWIRE_OK) {
            onwire_text reason = onwire_error(session);
            fprintf(stderr, "received: %.*s\n", (int)reason.length, reason.data);
        }
        input->length -= message.length + 1;
        memmove(input->bytes, end + 1, input->length);
    }
    return input->length < sizeof input->bytes;
}

static void send_frames(onwire_session *session, uint64_t now_ms) {
    onwire_text frame;
    while (onwire_next_frame(session, now_ms, &frame) == ONWIRE_OK) {
        fwrite(frame.data, 1, frame.length, stdout);
        putchar('\n');
    }
    fflush(stdout);
}

static int run(void) {
    static lines input;
    charge_point self;
    bool open = charge_point_open(&self);
    if (!open) {
        return 1;
    }
    while (open) {
        struct pollfd readable = {STDIN_FILENO, POLLIN, 0};
        uint64_t now = clock_ms();
        uint64_t due;
        uint64_t wait;
        charge_point_work(&self, now);
        send_frames(self.session, now);
        due = charge_point_due(&self);
        wait = due <= now ? 0 : due - now;
        if (poll(&readable, onwire_wants_input(self.session) ? 1 : 0, wait > 60000 ? 60000 : (int)wait) > 0) {
            open = receive(&input, self.session, clock_ms());
        }
    }
    onwire_end(self.session);
    charge_point_work(&self, clock_ms());
    charge_point_close(&self);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "--self-test") == 0) {
        return self_test();
    }
    if (count != 1) {
        fprintf(stderr, "usage: %s [--self-test]\n", arguments[0]);
        return 2;
    }
    return run();
}
