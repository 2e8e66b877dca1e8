// Sockets of all sessions on one epoll: connecting, sending what is queued, handing over what arrives.
#pragma once
#include "session.h"

typedef struct {
    uint64_t lost, frames, frames_window, bytes, bytes_window;
    char why[120];  // of the first loss
} Traffic;

extern Traffic traffic;

void net_start(void);
void net_connect(Session *session);
void net_send(Session *session, int opcode, const void *payload, size_t size);  // queued until net_flush
void net_queue(Session *session, const void *bytes, size_t size);
void net_flush(void);
void net_lose(Session *session, const char *why);
void net_close(Session *session);
void net_leave(void);  // everybody says goodbye and waits a moment for the server to close
bool net_wait(int extra_fd, uint64_t until_ns);  // handles one batch of events; true if extra_fd is readable
