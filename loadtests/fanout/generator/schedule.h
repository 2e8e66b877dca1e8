// The open loop: turn k of a writer is due at start + its offset + k periods, whatever the server does.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int writer;
    uint64_t turn, due_ns;
} Turn;

// Starts `writers` writers at random offsets within one period.
void schedule_start(int writers, double rate, uint64_t start_ns, uint64_t end_ns);
Turn schedule_peek(void);  // the next turn; due_ns is UINT64_MAX when the schedule has ended
void schedule_advance(void);
void schedule_end(void);

uint64_t schedule_due_ns(int writer, uint64_t turn);
uint64_t schedule_turns_done(int writer);
uint64_t schedule_turns_before(uint64_t time_ns);  // of all writers together
