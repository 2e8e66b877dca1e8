#include "session.h"

#include <stdlib.h>

#include "options.h"

Session *sessions;
int session_count;
static int session_capacity;

void make_sessions(int capacity) {
    session_capacity = capacity;
    sessions = calloc((size_t)capacity, sizeof *sessions);
    if (!sessions) abort();
}

Session *add_session(int room, int seat) {
    if (session_count == session_capacity) abort();
    Session *session = &sessions[session_count++];
    session->fd = -1;
    session->room = room;
    session->seat = seat;
    session->clocks = calloc((size_t)options.writers + 1, sizeof *session->clocks);
    session->presence = calloc((size_t)options.writers + 1, sizeof *session->presence);
    snprintf(session->document, sizeof session->document, "%.60s-%d", options.tag, room);
    return session;
}

int count_live(int first, int last) {
    int live = 0;
    for (int i = first; i < last; i++) live += sessions[i].stage == LIVE;
    return live;
}
