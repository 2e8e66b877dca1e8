#include "wire.h"

#include <stdlib.h>
#include <string.h>

uint64_t read_long_uint(Reader *reader) {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        uint8_t byte = read_byte(reader);
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return reader->bad ? 0 : value;
    }
    fail_reader(reader);
    return 0;
}

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
