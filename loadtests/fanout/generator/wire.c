#include "wire.h"

#include <stdlib.h>
#include <string.h>

Reader reader_of(const void *data, size_t size) {
    return (Reader){.at = data, .end = (const uint8_t *)data + size, .bad = false};
}

size_t reader_left(const Reader *reader) { return (size_t)(reader->end - reader->at); }

static void fail(Reader *reader) {
    reader->bad = true;
    reader->at = reader->end;
}

uint8_t read_byte(Reader *reader) {
    if (reader->at == reader->end) {
        fail(reader);
        return 0;
    }
    return *reader->at++;
}

uint64_t read_uint(Reader *reader) {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        uint8_t byte = read_byte(reader);
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return reader->bad ? 0 : value;
    }
    fail(reader);
    return 0;
}

void skip_bytes(Reader *reader, uint64_t count) {
    if (count > reader_left(reader))
        fail(reader);
    else
        reader->at += count;
}

Reader read_block(Reader *reader) {
    uint64_t size = read_uint(reader);
    const uint8_t *start = reader->at;
    skip_bytes(reader, size);
    return (Reader){.at = reader->bad ? reader->end : start, .end = reader->at, .bad = reader->bad};
}

void skip_block(Reader *reader) { (void)read_block(reader); }

void reserve(Buffer *buffer, size_t more) {
    if (buffer->size + more <= buffer->capacity) return;
    buffer->capacity = (buffer->size + more) * 2;
    buffer->data = realloc(buffer->data, buffer->capacity);
    if (!buffer->data) abort();
}

void put_bytes(Buffer *buffer, const void *data, size_t size) {
    if (!size) return;
    reserve(buffer, size);
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void put_byte(Buffer *buffer, uint8_t byte) { put_bytes(buffer, &byte, 1); }

void put_uint(Buffer *buffer, uint64_t value) {
    for (; value > 127; value >>= 7) put_byte(buffer, 128 | (value & 127));
    put_byte(buffer, (uint8_t)value);
}

void put_block(Buffer *buffer, const void *data, size_t size) {
    put_uint(buffer, size);
    put_bytes(buffer, data, size);
}

void drop_buffer(Buffer *buffer) {
    free(buffer->data);
    *buffer = (Buffer){0};
}

static void put_big_endian(Buffer *buffer, uint64_t value, int bytes) {
    while (bytes--) put_byte(buffer, (uint8_t)(value >> (8 * bytes)));
}

void put_frame(Buffer *buffer, int opcode, const void *payload, size_t size, uint32_t mask) {
    uint8_t key[4];
    memcpy(key, &mask, sizeof key);
    put_byte(buffer, (uint8_t)(128 | opcode));
    put_byte(buffer, (uint8_t)(128 | (size < 126 ? size : size < 65536 ? 126 : 127)));
    if (size >= 65536)
        put_big_endian(buffer, size, 8);
    else if (size >= 126)
        put_big_endian(buffer, size, 2);
    put_bytes(buffer, key, sizeof key);
    reserve(buffer, size);
    for (size_t i = 0; i < size; i++) buffer->data[buffer->size++] = ((const uint8_t *)payload)[i] ^ key[i & 3];
}
