/* Configuration keys (OCPP 1.6 §9), which the central system reads. */
#ifndef CONFIGURATION_H
#define CONFIGURATION_H

#include "json.h"

/*
 * Writes the GetConfiguration.conf for a GetConfiguration.req (§5.8): all keys if none is asked for. `writer->cut` if more
 * keys are asked for than the answer has room for.
 */
void configuration_answer(onwire_text request, uint64_t heartbeat_ms, uint64_t sample_ms, json_writer *writer);

#endif
