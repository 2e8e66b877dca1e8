// The account of deliveries: an update is delivered to a client when every clock up to its own has arrived there.
#pragma once
#include "histogram.h"
#include "session.h"

// Yjs client ids of the writers start here: five bytes on the wire, as most random 32-bit ids are.
enum { FIRST_CLIENT_ID = 0x40000000 };

typedef struct {
    uint64_t delivered;         // pairs of (update, other client)
    uint64_t delivered_window;  // those that arrived within the window
    uint64_t presence_states, presence_window;
    uint64_t repeated, echoed, early, foreign;  // clocks seen twice, own ones, ahead of a hole, of nobody here
    Histogram latency;  // from the scheduled time, of what was scheduled within the window
} Ledger;

extern Ledger ledger;

void ledger_window(uint64_t from_ns, uint64_t to_ns);
bool ledger_in_window(uint64_t time_ns);
bool ledger_update(Session *session, Reader update, uint64_t now);
bool ledger_presence(Session *session, Reader body, uint64_t now);
bool session_has(const Session *session, int writer, uint64_t clock);
