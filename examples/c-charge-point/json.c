#include "json.h"

#include <stdarg.h>
#include <stdio.h>

static size_t after_spaces(onwire_text text, size_t at) {
    while (at < text.length && memchr(" \t\r\n", text.data[at], 4) != NULL) {
        at++;
    }
    return at;
}

static onwire_text from(onwire_text text, size_t at) {
    text.data += at;
    text.length -= at;
    return text;
}

/* Where the string that begins at `at` ends: behind its closing quote. */
static size_t string_end(onwire_text text, size_t at) {
    for (at++; at < text.length && text.data[at] != '"'; at++) {
        if (text.data[at] == '\\') {
            at++;
        }
    }
    return at < text.length ? at + 1 : text.length;
}

static onwire_text value_at(onwire_text text, size_t at) {
    text = from(text, at);
    if (text.length > 0 && text.data[0] == '"') {
        text.length = string_end(text, 0);
    } else if (text.length > 0 && text.data[0] != '{' && text.data[0] != '[') {
        size_t end = 0;
        while (end < text.length && memchr(",}] \t\r\n", text.data[end], 7) == NULL) {
            end++;
        }
        text.length = end;
    }
    return text;
}

onwire_text json_member(onwire_text payload, const char *name) {
    onwire_text none = {NULL, 0};
    size_t at = 0;
    while (at < payload.length) {
        if (payload.data[at] != '"') {
            at++;
            continue;
        }
        onwire_text string = from(payload, at);
        size_t end = string_end(payload, at);
        size_t colon = after_spaces(payload, end);
        string.length = end - at;
        /* A string before a colon is a name. */
        if (colon < payload.length && payload.data[colon] == ':' && json_is(string, name)) {
            return value_at(payload, after_spaces(payload, colon + 1));
        }
        at = end;
    }
    return none;
}

bool json_is(onwire_text value, const char *string) {
    size_t length = strlen(string);
    return value.length == length + 2 && value.data[0] == '"' && memcmp(value.data + 1, string, length) == 0;
}

bool json_integer(onwire_text value, int64_t *number) {
    bool negative = value.length > 0 && value.data[0] == '-';
    size_t at = negative ? 1 : 0;
    int64_t read = 0;
    if (at == value.length) {
        return false;
    }
    for (; at < value.length; at++) {
        int digit = value.data[at] - '0';
        if (digit < 0 || digit > 9 || read > (INT64_MAX - digit) / 10) {
            return false;
        }
        read = read * 10 + digit;
    }
    *number = negative ? -read : read;
    return true;
}

onwire_text json_next_string(onwire_text *rest) {
    onwire_text string = {NULL, 0};
    size_t at = 0;
    while (at < rest->length && rest->data[at] != '"' && rest->data[at] != ']') {
        at++;
    }
    if (at < rest->length && rest->data[at] == '"') {
        string = value_at(*rest, at);
        *rest = from(*rest, at + string.length);
    }
    return string;
}

void json_write(json_writer *writer, const char *format, ...) {
    size_t room = sizeof writer->text - writer->length;
    va_list values;
    int length;
    va_start(values, format);
    length = vsnprintf(writer->text + writer->length, room, format, values);
    va_end(values);
    if (length < 0 || (size_t)length >= room) {
        writer->cut = true;
    } else {
        writer->length += (size_t)length;
    }
}

onwire_text json_written(const json_writer *writer) {
    onwire_text text = {writer->text, writer->length};
    return text;
}
