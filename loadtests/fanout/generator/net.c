#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "frames.h"
#include "options.h"

enum { SCRATCH_BYTES = 1 << 20, READ_BYTES = 1 << 18, EVENTS = 64, SPARE = 64, EXTRA = UINT32_MAX };

Traffic traffic;
static int poller = -1;
static uint8_t scratch[SCRATCH_BYTES];  // most reads end with a whole frame and need no buffer of their own
static Session **unsent;
static int unsent_count, unsent_capacity;

void net_start(void) { poller = epoll_create1(EPOLL_CLOEXEC); }

static void watch(Session *session, bool writing) {
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.u32 = (uint32_t)(session - sessions)};
    if (session->wants_write != writing) epoll_ctl(poller, EPOLL_CTL_MOD, session->fd, &event);
    session->wants_write = writing;
}

void net_close(Session *session) {
    if (session->stage == CLOSED) return;
    close(session->fd);
    session->fd = -1;
    session->stage = CLOSED;
    drop_buffer(&session->in);
    drop_buffer(&session->out);
    drop_buffer(&session->fragments);
}

// The reason may be the server's own words; it goes into JSON, so only plain characters pass.
static void remember_why(const char *why) {
    snprintf(traffic.why, sizeof traffic.why, "%s", why);
    for (char *at = traffic.why; *at; at++)
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\') *at = '?';
}

void net_lose(Session *session, const char *why) {
    if (session->stage == CLOSED) return;
    if (!traffic.lost++) remember_why(why);
    net_close(session);
}

static bool opened(Session *session) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int yes = 1;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (session->fd < 0) return false;
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return !connect(session->fd, (struct sockaddr *)&server, sizeof server) || errno == EINPROGRESS;
}

void net_connect(Session *session) {
    session->began_ns = now_ns();
    bool fine = opened(session);
    session->stage = CONNECTING;
    if (!fine) {
        net_lose(session, strerror(errno));
        return;
    }
    session->wants_write = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = (uint32_t)(session - sessions)};
    epoll_ctl(poller, EPOLL_CTL_ADD, session->fd, &event);
}

static void remember_unsent(Session *session) {
    if (session->unsent) return;
    if (unsent_count == unsent_capacity) {
        unsent_capacity = unsent_capacity * 2 + 64;
        unsent = realloc(unsent, (size_t)unsent_capacity * sizeof *unsent);
        if (!unsent) abort();
    }
    session->unsent = true;
    unsent[unsent_count++] = session;
}

void net_queue(Session *session, const void *bytes, size_t size) {
    put_bytes(&session->out, bytes, size);
    remember_unsent(session);
}

void net_send(Session *session, int opcode, const void *payload, size_t size) {
    if (session->stage == CLOSED) return;
    put_frame(&session->out, opcode, payload, size, (uint32_t)chance());
    remember_unsent(session);
}

static void send_out(Session *session) {
    while (session->stage > CONNECTING && session->sent < session->out.size) {
        ssize_t sent = send(session->fd, session->out.data + session->sent, session->out.size - session->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return net_lose(session, strerror(errno));
        if (sent < 0) return watch(session, true);
        session->sent += (size_t)sent;
    }
    if (session->stage <= CONNECTING) return;
    session->out.size = session->sent = 0;
    watch(session, false);
}

void net_flush(void) {
    for (int i = 0; i < unsent_count; i++) {
        unsent[i]->unsent = false;
        send_out(unsent[i]);
    }
    unsent_count = 0;
}

static void finish_connect(Session *session) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) return net_lose(session, strerror(error));
    session->stage = UPGRADING;
    send_upgrade(session);
}

// Buffers that nobody needs at the moment: memory that was used before need not be cleared by the kernel again.
static Buffer spare[SPARE];
static int spare_count;

static void lend_buffer(Buffer *buffer) {
    if (!buffer->data && spare_count) *buffer = spare[--spare_count];
    buffer->size = 0;
}

static void take_back(Buffer *buffer) {
    if (spare_count == SPARE) return;
    spare[spare_count++] = *buffer;
    *buffer = (Buffer){0};
}

// Leftovers of a read (a frame cut in two) move to the session's own buffer, which then grows in place.
static void keep_rest(Session *session, const uint8_t *bytes, size_t size, size_t used) {
    bool own = bytes == session->in.data;
    if (session->stage == CLOSED) return;
    if (!own && used == size) return;
    if (!own) lend_buffer(&session->in);
    if (own) memmove(session->in.data, bytes + used, size - used);
    session->in.size = own ? size - used : 0;
    if (!own) put_bytes(&session->in, bytes + used, size - used);
    if (!session->in.size) take_back(&session->in);
}

static void receive(Session *session) {
    bool own = session->in.size > 0;
    if (own) reserve(&session->in, READ_BYTES);
    uint8_t *bytes = own ? session->in.data : scratch;
    size_t held = own ? session->in.size : 0, room = own ? session->in.capacity - held : SCRATCH_BYTES;
    ssize_t got = recv(session->fd, bytes + held, room, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return net_lose(session, got ? strerror(errno) : "the server closed the connection");
    traffic.bytes += (uint64_t)got;
    uint64_t now = now_ns();
    size_t size = held + (size_t)got;
    keep_rest(session, bytes, size, take_bytes(session, bytes, size, now));
}

static void handle(Session *session, uint32_t events) {
    if (session->stage == CONNECTING) return finish_connect(session);
    if (session->stage != CLOSED && events & EPOLLOUT) send_out(session);
    if (session->stage != CLOSED && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive(session);
}

static void watch_extra(int fd) {
    static int watched = -1;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = EXTRA};
    if (fd >= 0 && fd != watched) epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event), watched = fd;
}

bool net_wait(int extra_fd, uint64_t until_ns) {
    struct epoll_event events[EVENTS];
    bool extra = false;
    uint64_t now = now_ns(), left = until_ns > now ? until_ns - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    watch_extra(extra_fd);
    net_flush();
    int count = epoll_pwait2(poller, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == EXTRA)
            extra = true;
        else
            handle(&sessions[events[i].data.u32], events[i].events);
    }
    net_flush();
    return extra;
}

static int count_open(void) {
    int open = 0;
    for (int i = 0; i < session_count; i++) open += sessions[i].stage > CONNECTING;
    return open;
}

// A socket that just vanishes is an error to most servers, and a thousand of them would disturb the next run.
void net_leave(void) {
    static const uint8_t normal[] = {1000 >> 8, 1000 & 255};
    for (int i = 0; i < session_count; i++)
        if (sessions[i].stage > UPGRADING) net_send(&sessions[i], OPCODE_CLOSE, normal, sizeof normal);
    for (uint64_t until_ns = now_ns() + ns_of(0.5); count_open() && now_ns() < until_ns;) net_wait(-1, until_ns);
}
