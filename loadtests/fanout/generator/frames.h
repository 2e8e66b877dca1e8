// From TCP bytes to messages: the HTTP upgrade, then WebSocket frames and their fragments.
#pragma once
#include "session.h"

void send_upgrade(Session *session);

// Handles every whole frame in the bytes; returns how many bytes were used up.
size_t take_bytes(Session *session, const uint8_t *bytes, size_t size, uint64_t now);
