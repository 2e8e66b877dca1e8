// The two dialects of the Yjs sync protocol: plain y-websocket, and Hocuspocus with its address before each message.
#pragma once
#include "session.h"

typedef struct {
    uint64_t bad;  // messages that could not be read
} Messages;

extern Messages messages;

void greet(Session *session);  // what a provider sends when its socket opens
void take_message(Session *session, Reader message, uint64_t now);
void send_keystroke(Session *session, uint64_t client, uint32_t clock);
void send_cursor(Session *session, uint64_t client, uint32_t clock);
bool complete(const Session *session);  // joined: the state is here, with all clocks that --expect names
void expect_clocks(void);
