// Bytes on the wire: lib0 variable-length integers, growing buffers and masked WebSocket frames.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads forward; after the first read past the end `bad` stays set and every read gives 0.
typedef struct {
    const uint8_t *at, *end;
    bool bad;
} Reader;

Reader reader_of(const void *data, size_t size);
size_t reader_left(const Reader *reader);
uint8_t read_byte(Reader *reader);
uint64_t read_uint(Reader *reader);
Reader read_block(Reader *reader);  // a length, then that many bytes
void skip_bytes(Reader *reader, uint64_t count);
void skip_block(Reader *reader);

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
