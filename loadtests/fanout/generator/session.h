// One client in one room: its socket, its place, and what it has seen of each writer.
#pragma once
#include <stdio.h>

#include "wire.h"

typedef enum { CLOSED, CONNECTING, UPGRADING, SYNCING, LIVE } Stage;

typedef struct {
    int writer;
    uint32_t from, to;
} Ahead;  // a run that came before the one it follows

typedef struct {
    int fd;
    Stage stage;
    bool wants_write, unsent;
    int room, seat;  // seats below options.writers write
    char document[96];
    Buffer in, out, fragments;
    size_t sent;  // bytes of `out` that are gone
    uint64_t began_ns, live_ns;
    uint32_t *clocks, *presence;  // by writer of this room: next clock expected, newest presence seen
    Ahead *ahead;
    int ahead_count, ahead_capacity;
    FILE *record;
} Session;

extern Session *sessions;
extern int session_count;

void make_sessions(int capacity);
Session *add_session(int room, int seat);
int count_live(int first, int last);
