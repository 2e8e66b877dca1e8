// Yjs V1 updates: writing a keystroke, and telling which clocks an update covers.
#pragma once
#include "wire.h"

// Called once per contiguous run of structs that the update really holds: clocks from <= clock < to of one client.
typedef void RangeSink(void *context, uint64_t client, uint64_t from, uint64_t to);

// Walks every struct and the delete set; false if the bytes are no V1 update. Skips are holes, not runs.
bool walk_update(Reader body, RangeSink *sink, void *context);

// One character typed after the same client's previous one, into the root text `text`.
void put_keystroke(Buffer *buffer, uint64_t client, uint32_t clock);
