#include "runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "histogram.h"
#include "ledger.h"
#include "net.h"
#include "options.h"
#include "protocol.h"
#include "update.h"
#include "usage.h"

static int in_flight(int first, int last) {
    int count = 0;
    for (int i = first; i < last; i++) count += sessions[i].stage != CLOSED && sessions[i].stage != LIVE;
    return count;
}

bool connect_range(int first, int last, int at_once) {
    uint64_t until_ns = now_ns() + ns_of(options.connect_s), lost = traffic.lost;
    for (int next = first; now_ns() < until_ns && traffic.lost == lost;) {
        int busy = in_flight(first, next);
        if (!busy && next == last) return true;
        for (; next < last && busy < at_once; busy++) net_connect(&sessions[next++]);
        net_wait(-1, now_ns() + ns_of(0.02));
    }
    if (traffic.lost == lost) snprintf(traffic.why, sizeof traffic.why, "clients did not get the document in time");
    return false;
}

// Seat by seat over all rooms: pycrdt-websocket hangs when two clients open the same new room at the same time.
bool connect_rooms(void) {
    int first = session_count;
    for (int seat = 0; seat < options.clients; seat++)
        for (int room = 0; room < options.rooms; room++) add_session(room, seat);
    return connect_range(first, first + options.rooms, options.connecting) &&
           connect_range(first + options.rooms, session_count, options.connecting);
}

int run_join(void) {
    static Histogram joined;
    options.connecting = options.clients;
    for (int i = 0; i < options.clients; i++) add_session(0, options.writers + i);  // nobody's seat: all is news
    FILE *sample = *options.record ? fopen(options.record, "wb") : NULL;
    if (sample) sessions[options.clients - 1].record = sample;
    expect_clocks();
    Usage before = usage_now();
    bool all = connect_range(0, session_count, options.clients);
    Usage spent = usage_between(before, usage_now());
    for (int i = 0; i < session_count; i++)
        if (sessions[i].stage == LIVE) histogram_add(&joined, sessions[i].live_ns - sessions[i].began_ns);
    if (sample) fclose(sample);
    printf("{\"run\":\"join\",\"converged\":%s,\"clients\":%d,\"joined\":%d,\"all_s\":%.4f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
           "\"server_cpu_s\":%.4f,\"generator_cpu_pct\":%.1f,\"received_mb\":%.2f,\"lost\":%" PRIu64 ",\"bad_messages\":%" PRIu64 ",\"why\":\"%s\"}\n",
           all && !messages.bad ? "true" : "false", options.clients, count_live(0, session_count), spent.wall_s,
           histogram_ms(&joined, 0.5), histogram_ms(&joined, 0.99), spent.server_s, 100 * spent.own_s / spent.wall_s,
           (double)traffic.bytes / 1e6, traffic.lost, messages.bad, traffic.why);
    return 0;
}

int run_hold(void) {
    bool all = connect_rooms();
    printf("{\"run\":\"hold\",\"converged\":%s,\"joined\":%d,\"why\":\"%s\"}\n", all ? "true" : "false",
           count_live(0, session_count), traffic.why);
    fflush(stdout);
    char ignored[64];
    while (all)
        if (net_wait(STDIN_FILENO, now_ns() + ns_of(1)) && read(STDIN_FILENO, ignored, sizeof ignored) <= 0) break;
    return 0;
}

static void print_run(void *context, uint64_t client, uint64_t from, uint64_t to) {
    int *count = context;
    printf("%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", (*count)++ ? "," : "", client, from, to);
}

// Standard input: 4-byte little-endian length, update, and so on. One line of runs each, or null.
int run_walk(void) {
    uint32_t size;
    while (fread(&size, sizeof size, 1, stdin) == 1) {
        int count = 0;
        uint8_t *bytes = malloc(size + 1);
        if (!bytes || fread(bytes, 1, size, stdin) != size) return 1;
        printf("{\"runs\":[");
        bool valid = walk_update(reader_of(bytes, size), print_run, &count);
        printf("],\"valid\":%s}\n", valid ? "true" : "false");
        free(bytes);
    }
    return 0;
}
