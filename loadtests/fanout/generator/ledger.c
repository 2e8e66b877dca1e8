#include "ledger.h"

#include <stdlib.h>

#include "options.h"
#include "schedule.h"
#include "update.h"

Ledger ledger;
static uint64_t window_from_ns, window_to_ns;

void ledger_window(uint64_t from_ns, uint64_t to_ns) { window_from_ns = from_ns, window_to_ns = to_ns; }

bool ledger_in_window(uint64_t time_ns) { return time_ns >= window_from_ns && time_ns < window_to_ns; }

typedef struct {
    Session *session;
    uint64_t now;
} Arrival;

static void count_latency(int writer, uint64_t turn, uint64_t now) {
    uint64_t due_ns = schedule_due_ns(writer, turn);
    if (ledger_in_window(due_ns)) histogram_add(&ledger.latency, now > due_ns ? now - due_ns : 0);
}

static void advance(Session *session, int writer, uint32_t to, uint64_t now) {
    uint32_t from = session->clocks[writer];
    session->clocks[writer] = to;
    ledger.delivered += to - from;
    if (ledger_in_window(now)) ledger.delivered_window += to - from;
    // Without a schedule (join, hold) there is nothing to time against, and no window.
    for (uint32_t clock = from; window_to_ns && clock < to; clock++)
        count_latency(session->room * options.writers + writer, clock, now);
}

static void hold_ahead(Session *session, int writer, uint32_t from, uint32_t to) {
    ledger.early++;
    if (session->ahead_count == session->ahead_capacity) {
        session->ahead_capacity = session->ahead_capacity * 2 + 8;
        session->ahead = realloc(session->ahead, (size_t)session->ahead_capacity * sizeof *session->ahead);
        if (!session->ahead) abort();
    }
    session->ahead[session->ahead_count++] = (Ahead){writer, from, to};
}

// Runs held back may follow each other, so look again after each that fits.
static void release_ahead(Session *session, int writer, uint64_t now) {
    for (int i = 0; i < session->ahead_count;) {
        Ahead run = session->ahead[i];
        if (run.writer != writer || run.from > session->clocks[writer]) {
            i++;
            continue;
        }
        session->ahead[i] = session->ahead[--session->ahead_count];
        if (run.to > session->clocks[writer]) advance(session, writer, run.to, now);
        i = 0;
    }
}

static void take_run(void *context, uint64_t client, uint64_t from, uint64_t to) {
    Arrival *arrival = context;
    Session *session = arrival->session;
    uint64_t first = FIRST_CLIENT_ID + (uint64_t)session->room * (uint64_t)options.writers;
    if (client < first || client >= first + (uint64_t)options.writers || to > UINT32_MAX) {
        ledger.foreign += to - from;
        return;
    }
    int writer = (int)(client - first);
    if (writer == session->seat)
        ledger.echoed += to - from;
    else if (to <= session->clocks[writer])
        ledger.repeated += to - from;
    else if (from > session->clocks[writer])
        hold_ahead(session, writer, (uint32_t)from, (uint32_t)to);
    else {
        advance(session, writer, (uint32_t)to, arrival->now);
        if (session->ahead_count) release_ahead(session, writer, arrival->now);
    }
}

bool ledger_update(Session *session, Reader update, uint64_t now) {
    Arrival arrival = {session, now};
    return walk_update(update, take_run, &arrival);
}

// A newer state stands for all before it: presence is what is true now, so only what arrives is timed.
static void take_state(Session *session, int writer, uint32_t clock, uint64_t now) {
    if (writer == session->seat || clock <= session->presence[writer]) return;
    session->presence[writer] = clock;
    ledger.presence_states++;
    if (ledger_in_window(now)) ledger.presence_window++;
    if (clock && window_to_ns) count_latency(session->room * options.writers + writer, clock - 1, now);
}

bool ledger_presence(Session *session, Reader body, uint64_t now) {
    uint64_t first = FIRST_CLIENT_ID + (uint64_t)session->room * (uint64_t)options.writers;
    for (uint64_t left = read_uint(&body); left && !body.bad; left--) {
        uint64_t client = read_uint(&body), clock = read_uint(&body);
        skip_block(&body);
        if (!body.bad && client >= first && client < first + (uint64_t)options.writers)
            take_state(session, (int)(client - first), (uint32_t)clock, now);
    }
    return !body.bad;
}

bool session_has(const Session *session, int writer, uint64_t clock) {
    return writer == session->seat || session->clocks[writer] >= clock;
}
