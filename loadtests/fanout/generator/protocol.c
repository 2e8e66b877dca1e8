#include "protocol.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ledger.h"
#include "net.h"
#include "options.h"
#include "update.h"

enum { SYNC = 0, AWARENESS = 1, AUTH = 2, SYNC_REPLY = 4, CLOSE = 7, PING = 9 };
enum { STEP_1 = 0, STEP_2 = 1, UPDATE = 2 };
enum { HOCUSPOCUS_TOKEN = 0, HOCUSPOCUS_DENIED = 1 };

Messages messages;
static uint64_t *expected;  // by writer; NULL if any state completes a join

void expect_clocks(void) {
    if (!*options.expect) return;
    const char *rest = options.expect;
    expected = calloc((size_t)options.writers, sizeof *expected);
    for (int i = 0; i < options.writers && *rest; i++) {
        char *end;
        expected[i] = strtoull(rest, &end, 10);
        rest = *end ? end + 1 : end;
    }
}

bool complete(const Session *session) {
    for (int i = 0; expected && i < options.writers; i++)
        if (!session_has(session, i, expected[i])) return false;
    return true;
}

static Buffer outgoing;  // one message at a time is made here

static void begin(const Session *session, int type) {
    outgoing.size = 0;
    if (speaks_hocuspocus()) put_block(&outgoing, session->document, strlen(session->document));
    put_uint(&outgoing, (uint64_t)type);
}

static void finish(Session *session) { net_send(session, OPCODE_BINARY, outgoing.data, outgoing.size); }

static void send_sync(Session *session, int step, const void *body, size_t size) {
    begin(session, SYNC);
    put_uint(&outgoing, (uint64_t)step);
    put_block(&outgoing, body, size);
    finish(session);
}

// Hocuspocus' provider does not wait for the answer to its token, nor does this one.
void greet(Session *session) {
    if (speaks_hocuspocus()) {
        begin(session, AUTH);
        put_uint(&outgoing, HOCUSPOCUS_TOKEN);
        put_block(&outgoing, "token", 5);
        finish(session);
    }
    send_sync(session, STEP_1, "\0", 1);  // an empty state vector: nothing is known yet
}

void send_keystroke(Session *session, uint64_t client, uint32_t clock) {
    static Buffer update;
    update.size = 0;
    put_keystroke(&update, client, clock);
    send_sync(session, UPDATE, update.data, update.size);
}

// What a text editor's caret plug-in shares: who, in which colour, and where the selection is.
void send_cursor(Session *session, uint64_t client, uint32_t clock) {
    static Buffer body;
    char state[240];
    int size = snprintf(state, sizeof state,
        "{\"user\":{\"name\":\"Person %d\",\"color\":\"#%06x\"},\"cursor\":{\"anchor\":{\"tname\":\"text\",\"assoc\":0,"
        "\"item\":{\"client\":%llu,\"clock\":%u}},\"head\":{\"tname\":\"text\",\"assoc\":0,\"item\":{\"client\":%llu,\"clock\":%u}}}}",
        session->seat, (unsigned)(client * 2654435761u & 0xffffff), (unsigned long long)client, clock,
        (unsigned long long)client, clock + 1);
    body.size = 0;
    put_uint(&body, 1);
    put_uint(&body, client);
    put_uint(&body, clock);
    put_block(&body, state, (size_t)size);
    begin(session, AWARENESS);
    put_block(&outgoing, body.data, body.size);
    finish(session);
}

static void become_live(Session *session, uint64_t now) {
    if (session->stage != SYNCING || !complete(session)) return;
    session->stage = LIVE;
    session->live_ns = now;
}

static void take_sync(Session *session, Reader *message, uint64_t now) {
    uint64_t step = read_uint(message);
    Reader body = read_block(message);
    if (message->bad || step > UPDATE) {
        messages.bad++;
    } else if (step == STEP_1) {
        send_sync(session, STEP_2, "\0", 2);  // an empty update: two zeros
    } else {
        messages.bad += !ledger_update(session, body, now);
        if (step == STEP_2 || expected) become_live(session, now);
    }
}

static void take_auth(Session *session, Reader *message) {
    if (!speaks_hocuspocus() || read_uint(message) == HOCUSPOCUS_DENIED) net_lose(session, "permission denied");
}

static bool addressed(const Session *session, Reader *message) {
    Reader address = read_block(message);
    size_t size = strlen(session->document);
    return !message->bad && reader_left(&address) == size && !memcmp(address.at, session->document, size);
}

static void record(Session *session, const Reader *message) {
    uint32_t size = (uint32_t)reader_left(message);
    fwrite(&size, sizeof size, 1, session->record);
    fwrite(message->at, 1, size, session->record);
}

void take_message(Session *session, Reader message, uint64_t now) {
    if (session->record) record(session, &message);
    if (speaks_hocuspocus() && reader_left(&message) == 1) return;  // a ping: the provider's own, no address
    if (speaks_hocuspocus() && !addressed(session, &message)) {
        messages.bad++;
        return;
    }
    uint64_t type = read_uint(&message);
    if (message.bad) messages.bad++;
    if (type == SYNC || (speaks_hocuspocus() && type == SYNC_REPLY)) take_sync(session, &message, now);
    if (type == AWARENESS) {
        Reader body = read_block(&message);
        messages.bad += message.bad || !ledger_presence(session, body, now);
    }
    if (type == AUTH) take_auth(session, &message);
    if (type == CLOSE && speaks_hocuspocus()) net_lose(session, "the server closed the document");
}
