#include "configuration.h"

#include <ctype.h>
#include <inttypes.h>

typedef struct key {
    const char *name;
    uint64_t value;
} key;

enum { KEYS = 3 };

/* Names of keys are case-insensitive. */
static bool is_named(onwire_text string, const char *name) {
    size_t length = strlen(name);
    size_t at;
    if (string.length != length + 2) {
        return false;
    }
    for (at = 0; at < length; at++) {
        if (tolower((unsigned char)string.data[at + 1]) != tolower((unsigned char)name[at])) {
            return false;
        }
    }
    return true;
}

static void write_known(json_writer *writer, const key *known, bool first) {
    json_write(writer, "%s{\"key\":\"%s\",\"readonly\":true,\"value\":\"%" PRIu64 "\"}",
               first ? "\"configurationKey\":[" : ",", known->name, known->value);
}

void configuration_answer(onwire_text request, uint64_t heartbeat_ms, uint64_t sample_ms, json_writer *writer) {
    const key keys[KEYS] = {{"HeartbeatInterval", heartbeat_ms / 1000},
                            {"MeterValueSampleInterval", sample_ms / 1000},
                            {"NumberOfConnectors", 1}};
    json_writer unknown = {"", 0, false};
    onwire_text rest = json_member(request, "key");
    onwire_text asked = json_next_string(&rest);
    bool all = asked.length == 0;
    bool any = false;
    int index;

    json_write(writer, "{");
    for (index = 0; all && index < KEYS; index++) {
        write_known(writer, &keys[index], index == 0);
        any = true;
    }
    for (; asked.length > 0; asked = json_next_string(&rest)) {
        for (index = 0; index < KEYS && !is_named(asked, keys[index].name); index++) {
        }
        if (index < KEYS) {
            write_known(writer, &keys[index], !any);
            any = true;
        } else {
            json_write(&unknown, "%s%.*s", unknown.length == 0 ? "" : ",", (int)asked.length, asked.data);
        }
    }
    if (any) {
        json_write(writer, "]");
    }
    /* An empty list is never sent. */
    if (unknown.length > 0) {
        json_write(writer, "%s\"unknownKey\":[%s]", any ? "," : "", unknown.text);
    }
    json_write(writer, "}");
    writer->cut = writer->cut || unknown.cut;
}
