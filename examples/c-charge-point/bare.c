/*
 * What firmware supplies for the library for bare metal: memory, and an end after a panic. Here both are the C library's; an
 * RTOS has its own (rt_malloc_align, heap_caps_aligned_alloc). With the hosted library this file is left out.
 */
#include "onwire.h"

#include <stdio.h>
#include <stdlib.h>

void *onwire_allocate(size_t size, size_t alignment) {
    /* malloc() aligns for every type, and no more than that is asked for. */
    (void)alignment;
    return malloc(size);
}

void onwire_release(void *memory, size_t size, size_t alignment) {
    (void)size;
    (void)alignment;
    free(memory);
}

void onwire_panic(onwire_text message) {
    fprintf(stderr, "%.*s\n", (int)message.length, message.data);
    abort();
}
