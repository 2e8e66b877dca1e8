#include "schedule.h"

#include <stdlib.h>

#include "clock.h"

typedef struct {
    double offset_ns;
    int writer;
} Seat;

static Seat *seats;        // in the order in which their turns come round
static double *offsets_ns; // by writer
static int *places;        // by writer: its index in seats
static int count;
static double period_ns;
static uint64_t start_ns, end_ns, next;

static int by_offset(const void *left, const void *right) {
    double a = ((const Seat *)left)->offset_ns, b = ((const Seat *)right)->offset_ns;
    return (a > b) - (a < b);
}

void schedule_start(int writers, double rate, uint64_t start, uint64_t end) {
    count = writers, period_ns = 1e9 / rate, start_ns = start, end_ns = end, next = 0;
    seats = calloc((size_t)writers, sizeof *seats);
    offsets_ns = calloc((size_t)writers, sizeof *offsets_ns);
    places = calloc((size_t)writers, sizeof *places);
    for (int i = 0; i < writers; i++) seats[i] = (Seat){offsets_ns[i] = chance_below_1() * period_ns, i};
    qsort(seats, (size_t)writers, sizeof *seats, by_offset);
    for (int i = 0; i < writers; i++) places[seats[i].writer] = i;
}

uint64_t schedule_due_ns(int writer, uint64_t turn) {
    return start_ns + (uint64_t)(offsets_ns[writer] + (double)turn * period_ns);
}

Turn schedule_peek(void) {
    if (!count) return (Turn){.due_ns = UINT64_MAX};
    Turn turn = {.writer = seats[next % (uint64_t)count].writer, .turn = next / (uint64_t)count};
    uint64_t due_ns = schedule_due_ns(turn.writer, turn.turn);
    turn.due_ns = due_ns < end_ns ? due_ns : UINT64_MAX;
    return turn;
}

void schedule_advance(void) { next++; }

void schedule_end(void) { end_ns = 0; }

uint64_t schedule_turns_done(int writer) {
    uint64_t rounds = next / (uint64_t)count;
    return rounds + ((uint64_t)places[writer] < next % (uint64_t)count);
}

uint64_t schedule_turns_before(uint64_t time_ns) {
    uint64_t turns = 0;
    for (int i = 0; i < count; i++) {
        double since_ns = (double)time_ns - (double)start_ns - offsets_ns[i];
        if (since_ns > 0) turns += (uint64_t)(since_ns / period_ns) + 1;
    }
    return turns;
}
