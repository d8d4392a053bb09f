#define _POSIX_C_SOURCE 200809L

#include "lines.h"

#include "board.h"

#include <poll.h>
#include <unistd.h>

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

int lines_run(charge_point *self) {
    static lines input;
    bool open = true;
    while (open && !self->finished) {
        struct pollfd readable = {STDIN_FILENO, POLLIN, 0};
        uint64_t now = board_clock_ms();
        uint64_t due;
        uint64_t wait;
        charge_point_work(self, now);
        send_frames(self->session, now);
        due = charge_point_due(self);
        wait = due <= now ? 0 : due - now;
        if (poll(&readable, onwire_wants_input(self->session) ? 1 : 0, wait > 60000 ? 60000 : (int)wait) > 0) {
            open = receive(&input, self->session, board_clock_ms());
        }
    }
    return self->failed ? 1 : 0;
}
