#define _GNU_SOURCE
#include "frames.h"

#include <string.h>

#include "clock.h"
#include "ledger.h"
#include "net.h"
#include "options.h"
#include "protocol.h"

// {document} may stand more than once: y-sweet wants the name twice.
static void put_path(Buffer *out, const char *document) {
    const char *rest = options.path, *hole;
    while ((hole = strstr(rest, "{document}"))) {
        put_bytes(out, rest, (size_t)(hole - rest));
        put_bytes(out, document, strlen(document));
        rest = hole + strlen("{document}");
    }
    put_bytes(out, rest, strlen(rest));
}

static void put_key(Buffer *out) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 21; i++) put_byte(out, (uint8_t)letters[chance() % 64]);
    put_bytes(out, "A==", 3);  // 16 bytes in base64: the 22nd letter holds two bits
}

void send_upgrade(Session *session) {
    Buffer request = {0};
    char host[80];
    int size = snprintf(host, sizeof host, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", options.port);
    put_bytes(&request, "GET ", 4);
    put_path(&request, session->document);
    put_bytes(&request, host, (size_t)size);
    static const char rest[] = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ";
    put_bytes(&request, rest, sizeof rest - 1);
    put_key(&request);
    put_bytes(&request, "\r\n\r\n", 4);
    net_queue(session, request.data, request.size);
    drop_buffer(&request);
}

static size_t take_upgrade(Session *session, const uint8_t *bytes, size_t size) {
    char why[100];
    const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (size < 12 || memcmp(bytes + 8, " 101", 4)) {
        snprintf(why, sizeof why, "upgrade refused: %.*s", (int)strcspn((const char *)bytes, "\r"), (const char *)bytes);
        net_lose(session, why);
        return size;
    }
    session->stage = SYNCING;
    greet(session);
    return (size_t)(end - bytes) + 4;
}

typedef struct {
    int opcode;
    bool last, odd;
    size_t header, size;
} Frame;

// False while the header, or the payload behind it, is not all there.
static bool read_frame(const uint8_t *bytes, size_t size, Frame *frame) {
    if (size < 2) return false;
    int length_bytes = (bytes[1] & 127) == 126 ? 2 : (bytes[1] & 127) == 127 ? 8 : 0;
    *frame = (Frame){.opcode = bytes[0] & 15, .last = bytes[0] & 128, .odd = (bytes[0] & 0x70) || (bytes[1] & 128)};
    frame->header = 2 + (size_t)length_bytes;
    if (size < frame->header) return false;
    frame->size = length_bytes ? 0 : bytes[1] & 127;
    for (int i = 0; i < length_bytes; i++) frame->size = frame->size << 8 | bytes[2 + i];
    return size - frame->header >= frame->size;
}

static void take_data(Session *session, const Frame *frame, const uint8_t *payload, uint64_t now) {
    if (frame->last && frame->opcode != OPCODE_CONTINUATION) {
        take_message(session, reader_of(payload, frame->size), now);
        return;
    }
    put_bytes(&session->fragments, payload, frame->size);
    if (!frame->last) return;
    take_message(session, reader_of(session->fragments.data, session->fragments.size), now);
    session->fragments.size = 0;
}

static void take_frame(Session *session, const Frame *frame, const uint8_t *payload, uint64_t now) {
    traffic.frames++;
    if (ledger_in_window(now)) traffic.frames_window++, traffic.bytes_window += frame->header + frame->size;
    if (frame->odd)
        net_lose(session, "a frame with a mask or an extension that was not agreed");
    else if (frame->opcode == OPCODE_PING)
        net_send(session, OPCODE_PONG, payload, frame->size);
    else if (frame->opcode == OPCODE_CLOSE) {
        char why[100] = "close frame without a code";
        if (frame->size >= 2)
            snprintf(why, sizeof why, "closed with %d %.*s", payload[0] << 8 | payload[1], (int)(frame->size - 2 > 80 ? 80 : frame->size - 2), (const char *)payload + 2);
        net_lose(session, why);
    } else if (frame->opcode <= OPCODE_BINARY)
        take_data(session, frame, payload, now);
}

size_t take_bytes(Session *session, const uint8_t *bytes, size_t size, uint64_t now) {
    size_t used = 0;
    Frame frame;
    if (session->stage == UPGRADING) used = take_upgrade(session, bytes, size);
    if (session->stage == UPGRADING) return 0;
    while (session->stage != CLOSED && read_frame(bytes + used, size - used, &frame)) {
        const uint8_t *payload = bytes + used + frame.header;
        used += frame.header + frame.size;
        take_frame(session, &frame, payload, now);
    }
    return used;
}
