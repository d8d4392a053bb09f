/*
 * As much JSON as this example needs: members of a payload that the session has checked, and text with a bound. A real charge
 * point takes its JSON library (cJSON comes with RT-Thread and ESP-IDF).
 */
#ifndef JSON_H
#define JSON_H

#include "onwire.h"

/*
 * The value of the first member of that name, at any depth, as it is written: a string with its quotes, a number, or the rest
 * of the payload from the beginning of an object or array. Empty if there is none.
 */
onwire_text json_member(onwire_text payload, const char *name);

/* Whether a value is this string, which needs no escapes. */
bool json_is(onwire_text value, const char *string);

/* Reads a whole number; false, and nothing is read, if it is none or does not fit. */
bool json_integer(onwire_text value, int64_t *number);

/* The next string of an array, with its quotes; `*rest` starts as the array, and empty is the end. */
onwire_text json_next_string(onwire_text *rest);

/* Text that grows up to a bound. */
typedef struct json_writer {
    char text[1024];
    size_t length;
    /* Something did not fit; it is missing. */
    bool cut;
} json_writer;

/* Appends as printf() does. */
void json_write(json_writer *writer, const char *format, ...);

onwire_text json_written(const json_writer *writer);

#endif
