#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ledger.h"
#include "net.h"
#include "options.h"
#include "protocol.h"
#include "runs.h"
#include "schedule.h"
#include "usage.h"

enum { TURNS_AT_ONCE = 64, CHECKED_ROOMS = 5 };

static Histogram lateness;
static bool presence, overloaded;
static int first_session;
static uint64_t window_from_ns, window_to_ns;

static Session *writing(int writer) {
    int room = writer / options.writers, seat = writer % options.writers;
    return &sessions[first_session + seat * options.rooms + room];
}

static void send_turn(Turn turn, uint64_t now) {
    Session *session = writing(turn.writer);
    uint64_t client = FIRST_CLIENT_ID + (uint64_t)turn.writer;
    if (ledger_in_window(turn.due_ns)) histogram_add(&lateness, now - turn.due_ns);
    if (presence)
        send_cursor(session, client, (uint32_t)turn.turn + 1);  // clock 0 is invisible to y-protocols
    else
        send_keystroke(session, client, (uint32_t)turn.turn);
}

// Reads are not starved: after a handful of sends the sockets are looked at again.
static void pump(uint64_t until_ns) {
    for (uint64_t now = now_ns(); now < until_ns; now = now_ns()) {
        Turn turn = schedule_peek();
        for (int sent = 0; turn.due_ns <= now && sent < TURNS_AT_ONCE; sent++) {
            send_turn(turn, now);
            schedule_advance();
            turn = schedule_peek();
        }
        net_wait(-1, turn.due_ns < until_ns ? turn.due_ns : until_ns);
    }
}

static int writers_in_all(void) { return options.rooms * options.writers; }

static uint64_t expected_by(uint64_t time_ns) { return schedule_turns_before(time_ns) * (uint64_t)(options.clients - 1); }

static bool given_up(void) {
    double behind = (double)expected_by(now_ns()) - (double)ledger.delivered;
    double each_s = options.rate * writers_in_all() * (options.clients - 1);
    overloaded = overloaded || (!presence && behind > options.patience_s * each_s) || traffic.lost;
    return overloaded;
}

static void pump_checking(uint64_t until_ns) {
    while (now_ns() < until_ns && !given_up()) {
        uint64_t slice_ns = now_ns() + ns_of(0.2);
        pump(slice_ns < until_ns ? slice_ns : until_ns);
    }
}

static bool up_to_date(const Session *session, bool saw_presence) {
    for (int seat = 0; seat < options.writers; seat++) {
        uint64_t turns = schedule_turns_done(session->room * options.writers + seat);
        bool newest = saw_presence ? seat == session->seat || session->presence[seat] == turns : session_has(session, seat, turns);
        if (!newest) return false;
    }
    return true;
}

static int count_behind(int first, int last) {
    int behind = 0;
    for (int i = first; i < last; i++) behind += sessions[i].stage != LIVE || !up_to_date(&sessions[i], presence);
    return behind;
}

static double drain(int last) {
    uint64_t began_ns = now_ns(), until_ns = began_ns + ns_of(options.drain_s);
    schedule_end();
    while (!overloaded && now_ns() < until_ns && count_behind(first_session, last)) pump(now_ns() + ns_of(0.02));
    return (double)(now_ns() - began_ns) / 1e9;
}

// Somebody who was not there must get all of it: what the server holds, not only what it passed on.
static bool newcomers_get_all(void) {
    int first = session_count, rooms = options.rooms < CHECKED_ROOMS ? options.rooms : CHECKED_ROOMS;
    ledger_window(0, 0);
    for (int i = 0; i < rooms; i++) add_session(i * (options.rooms / rooms), options.clients);
    options.connect_s = options.drain_s;
    if (!connect_range(first, session_count, rooms)) return false;
    for (int i = first; i < session_count; i++)
        if (!up_to_date(&sessions[i], false)) return false;
    return true;
}

static FILE *record_file(const char *name, int room, int seat) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-%d-%d", options.record, name, room, seat);
    return fopen(path, "wb");
}

// Sampled: a writer of the first room, a mere reader of it if there is one, a client of the last room, and so on.
static void record_samples(void) {
    for (int i = 0; i < options.sampled && *options.record; i++) {
        int seat = options.sampled == 1 ? 0 : i * (options.clients - 1) / (options.sampled - 1), room = i % 2 ? options.rooms - 1 : 0;
        Session *session = &sessions[first_session + seat * options.rooms + room];
        if (!session->record) session->record = record_file("client", room, seat);
    }
}

static void record_writers(void) {
    FILE *file = *options.record ? record_file("writers", 0, 0) : NULL;
    for (int writer = 0; file && writer < writers_in_all(); writer++)
        fprintf(file, "%d %d %d %" PRIu64 "\n", writer / options.writers, writer % options.writers, FIRST_CLIENT_ID + writer,
                schedule_turns_done(writer));
    if (file) fclose(file);
}

static void close_records(void) {
    for (int i = 0; i < session_count; i++)
        if (sessions[i].record) fclose(sessions[i].record), sessions[i].record = NULL;
}

static Usage measured(void) {
    uint64_t start_ns = now_ns() + ns_of(0.05);
    window_from_ns = start_ns + ns_of(options.warm_s), window_to_ns = window_from_ns + ns_of(options.window_s);
    schedule_start(writers_in_all(), options.rate, start_ns, window_to_ns);
    ledger_window(window_from_ns, window_to_ns);
    pump_checking(window_from_ns);
    Usage before = usage_now();
    pump_checking(window_to_ns);
    return usage_between(before, usage_now());
}

static void print_counts(bool converged, int behind, bool complete_store, double drain_s) {
    printf("{\"run\":\"%s\",\"converged\":%s,\"rooms\":%d,\"clients\":%d,\"writers\":%d,\"rate\":%g,\"behind\":%d,\"newcomers\":%s,"
           "\"overloaded\":%s,\"early\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"echoed\":%" PRIu64 ",\"foreign\":%" PRIu64
           ",\"lost\":%" PRIu64 ",\"bad_messages\":%" PRIu64 ",\"why\":\"%s\",\"drain_s\":%.3f,",
           options.run, converged ? "true" : "false", options.rooms, options.clients, options.writers, options.rate, behind,
           complete_store ? "true" : "false", overloaded ? "true" : "false", ledger.early, ledger.repeated, ledger.echoed,
           ledger.foreign, traffic.lost, messages.bad, traffic.why, drain_s);
}

static void print_speed(const Ledger *seen, const Usage *spent, const Traffic *passed) {
    double window_s = spent->wall_s, delivered = (double)(presence ? seen->presence_window : seen->delivered_window);
    uint64_t offered = schedule_turns_before(window_to_ns - 1) - schedule_turns_before(window_from_ns - 1);
    printf("\"window_s\":%.3f,\"updates_s\":%.1f,\"expected_s\":%.1f,\"deliveries_s\":%.1f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,"
           "\"p99_ms\":%.3f,\"max_ms\":%.3f,\"frames_s\":%.1f,\"received_mb_s\":%.3f,",
           window_s, (double)offered / options.window_s, (double)offered * (options.clients - 1) / options.window_s,
           delivered / window_s, histogram_ms(&seen->latency, 0.5), histogram_ms(&seen->latency, 0.9),
           histogram_ms(&seen->latency, 0.99), (double)seen->latency.highest / 1e6, (double)passed->frames_window / window_s,
           (double)passed->bytes_window / window_s / 1e6);
}

static void print_processors(const Usage *spent) {
    double percent = 100 / spent->wall_s;
    printf("\"server_cpu_s\":%.4f,\"server_cpu_pct\":%.2f,\"server_waited_pct\":%.2f,\"generator_cpu_pct\":%.2f,"
           "\"late_p99_ms\":%.3f,\"others_pct\":%.1f,\"stolen_pct\":%.1f}\n",
           spent->server_s, spent->server_s * percent, spent->server_waited_s * percent, spent->own_s * percent,
           histogram_ms(&lateness, 0.99), (spent->machine_s - spent->server_s - spent->own_s) * percent,
           spent->stolen_s * percent);
}

int run_load(bool cursors) {
    static Ledger seen;
    presence = cursors, first_session = session_count;
    if (options.writers > options.clients) options.writers = options.clients;
    if (!connect_rooms()) {
        printf("{\"run\":\"%s\",\"converged\":false,\"lost\":%" PRIu64 ",\"why\":\"while connecting: %s\"}\n", options.run, traffic.lost, traffic.why);
        return 0;
    }
    int last = session_count;
    record_samples();
    Usage spent = measured();
    double drain_s = drain(last);
    int behind = count_behind(first_session, last);
    Traffic passed = traffic;
    seen = ledger;
    close_records();
    record_writers();
    bool complete_store = presence || (!behind && newcomers_get_all());
    print_counts(!behind && complete_store && !traffic.lost && !messages.bad && !seen.foreign, behind, complete_store, drain_s);
    print_speed(&seen, &spent, &passed);
    print_processors(&spent);
    return 0;
}
