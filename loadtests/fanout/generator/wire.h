// Bytes on the wire: lib0 variable-length integers, growing buffers and masked WebSocket frames.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Reads forward; after the first read past the end `bad` stays set and every read gives 0.
typedef struct {
    const uint8_t *at, *end;
    bool bad;
} Reader;

// Reading is inline: in a join storm integers take more time than all else.
static inline Reader reader_of(const void *data, size_t size) {
    return (Reader){.at = (const uint8_t *)data, .end = (const uint8_t *)data + size, .bad = false};
}

static inline size_t reader_left(const Reader *reader) { return (size_t)(reader->end - reader->at); }

static inline void fail_reader(Reader *reader) {
    reader->bad = true;
    reader->at = reader->end;
}

static inline uint8_t read_byte(Reader *reader) {
    if (reader->at < reader->end) return *reader->at++;
    fail_reader(reader);
    return 0;
}

uint64_t read_long_uint(Reader *reader);  // byte by byte, up to 63 bits

static inline uint64_t seven(uint64_t bytes, int number) { return (bytes >> number & 127ull << (7 * number)); }

// Up to 56 bits at once: the first byte below 128 ends it, the others give seven bits each.
static inline uint64_t read_uint(Reader *reader) {
    uint64_t bytes;
    if (reader_left(reader) < sizeof bytes) return read_long_uint(reader);
    if (*reader->at < 128) return *reader->at++;
    memcpy(&bytes, reader->at, sizeof bytes);
    uint64_t ends = ~bytes & 0x8080808080808080;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || !ends) return read_long_uint(reader);
    bytes &= ends ^ (ends - 1);
    reader->at += (__builtin_ctzll(ends) >> 3) + 1;
    return seven(bytes, 0) | seven(bytes, 1) | seven(bytes, 2) | seven(bytes, 3) | seven(bytes, 4) | seven(bytes, 5) |
           seven(bytes, 6) | seven(bytes, 7);
}

static inline void skip_bytes(Reader *reader, uint64_t count) {
    if (count > reader_left(reader))
        fail_reader(reader);
    else
        reader->at += count;
}

// A length, then that many bytes.
static inline Reader read_block(Reader *reader) {
    uint64_t size = read_uint(reader);
    const uint8_t *start = reader->at;
    skip_bytes(reader, size);
    return (Reader){.at = reader->bad ? reader->end : start, .end = reader->at, .bad = reader->bad};
}

static inline void skip_block(Reader *reader) { (void)read_block(reader); }

typedef struct {
    uint8_t *data;
    size_t size, capacity;
} Buffer;

void reserve(Buffer *buffer, size_t more);
void put_bytes(Buffer *buffer, const void *data, size_t size);
void put_byte(Buffer *buffer, uint8_t byte);
void put_uint(Buffer *buffer, uint64_t value);
void put_block(Buffer *buffer, const void *data, size_t size);
void drop_buffer(Buffer *buffer);

enum { OPCODE_CONTINUATION = 0, OPCODE_TEXT = 1, OPCODE_BINARY = 2, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };

// A client must mask every frame (RFC 6455, 5.3); the key need not be secret here.
void put_frame(Buffer *buffer, int opcode, const void *payload, size_t size, uint32_t mask);
