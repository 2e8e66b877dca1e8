#include "update.h"

#include <string.h>

enum { REF_GC, REF_DELETED, REF_JSON, REF_BINARY, REF_STRING, REF_EMBED, REF_FORMAT, REF_TYPE, REF_ANY, REF_DOC, REF_SKIP };
enum { HAS_ORIGIN = 0x80, HAS_RIGHT_ORIGIN = 0x40, HAS_PARENT_SUB = 0x20, REF_MASK = 0x1f };
enum { XML_ELEMENT = 3, XML_HOOK = 5 };
enum { NESTING_MAX = 100 };  // honest documents stay below 10; the stack must not be the client's to spend

static void skip_any(Reader *reader, int depth);

static void skip_entries(Reader *reader, bool keyed, int depth) {
    for (uint64_t left = read_uint(reader); left && !reader->bad; left--) {
        if (keyed) skip_block(reader);
        skip_any(reader, depth + 1);
    }
}

static void skip_signed(Reader *reader) {
    while (read_byte(reader) & 128) continue;
}

// lib0 `any`: the tags count down from 127 (undefined) to 116 (Uint8Array).
static void skip_any(Reader *reader, int depth) {
    switch (depth > NESTING_MAX ? 0 : read_byte(reader)) {
        case 127: case 126: case 121: case 120: return;  // undefined, null, false, true
        case 125: skip_signed(reader); return;
        case 124: skip_bytes(reader, 4); return;
        case 123: case 122: skip_bytes(reader, 8); return;
        case 119: case 116: skip_block(reader); return;
        case 118: skip_entries(reader, true, depth); return;
        case 117: skip_entries(reader, false, depth); return;
        default: reader->bad = true, reader->at = reader->end;
    }
}

// Clocks of a string count UTF-16 units: two for a character beyond the basic plane (4 bytes of UTF-8).
static uint64_t utf16_units(Reader text) {
    uint64_t units = 0;
    for (; text.at < text.end; text.at++) units += ((*text.at & 0xC0) != 0x80) + (*text.at >= 0xF0);
    return units;
}

static void skip_type(Reader *reader) {
    uint64_t type = read_uint(reader);
    if (type == XML_ELEMENT || type == XML_HOOK) skip_block(reader);
}

static uint64_t content_length(Reader *reader, int ref) {
    uint64_t length = 1;
    switch (ref) {
        case REF_DELETED: return read_uint(reader);
        case REF_JSON:
            length = read_uint(reader);
            for (uint64_t left = length; left && !reader->bad; left--) skip_block(reader);
            return length;
        case REF_ANY:
            length = read_uint(reader);
            for (uint64_t left = length; left && !reader->bad; left--) skip_any(reader, 0);
            return length;
        case REF_STRING: return utf16_units(read_block(reader));
        case REF_BINARY: case REF_EMBED: skip_block(reader); return 1;
        case REF_FORMAT: skip_block(reader), skip_block(reader); return 1;
        case REF_TYPE: skip_type(reader); return 1;
        case REF_DOC: skip_block(reader), skip_any(reader, 0); return 1;
        default: reader->bad = true, reader->at = reader->end; return 0;
    }
}

static void skip_id(Reader *reader) { read_uint(reader), read_uint(reader); }

static void skip_place(Reader *reader, int info) {
    if (info & HAS_ORIGIN) skip_id(reader);
    if (info & HAS_RIGHT_ORIGIN) skip_id(reader);
    if (info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) return;  // the parent is its neighbour's
    if (read_uint(reader))
        skip_block(reader);
    else
        skip_id(reader);
    if (info & HAS_PARENT_SUB) skip_block(reader);
}

static uint64_t item_length(Reader *reader, int info) {
    int ref = info & REF_MASK;
    if (ref == REF_GC || ref == REF_SKIP) return read_uint(reader);
    skip_place(reader, info);
    return content_length(reader, ref);
}

static void walk_client(Reader *reader, RangeSink *sink, void *context) {
    uint64_t structs = read_uint(reader), client = read_uint(reader), clock = read_uint(reader), from = clock;
    for (; structs && !reader->bad; structs--) {
        int info = read_byte(reader);
        uint64_t length = item_length(reader, info);
        if (reader->bad) return;
        if ((info & REF_MASK) == REF_SKIP) {
            if (clock > from) sink(context, client, from, clock);
            from = clock + length;
        }
        clock += length;
    }
    if (clock > from && !reader->bad) sink(context, client, from, clock);
}

static void skip_deletions(Reader *reader) {
    for (uint64_t clients = read_uint(reader); clients && !reader->bad; clients--) {
        read_uint(reader);
        for (uint64_t ranges = read_uint(reader); ranges && !reader->bad; ranges--) skip_id(reader);
    }
}

bool walk_update(Reader body, RangeSink *sink, void *context) {
    for (uint64_t clients = read_uint(&body); clients && !body.bad; clients--) walk_client(&body, sink, context);
    skip_deletions(&body);
    return !body.bad && body.at == body.end;
}

void put_keystroke(Buffer *buffer, uint64_t client, uint32_t clock) {
    char letter = (char)('a' + clock % 26);
    put_uint(buffer, 1);  // clients
    put_uint(buffer, 1);  // structs
    put_uint(buffer, client);
    put_uint(buffer, clock);
    if (clock == 0) {
        put_byte(buffer, REF_STRING);
        put_uint(buffer, 1);  // the parent is a root type, by name
        put_block(buffer, "text", 4);
    } else {
        put_byte(buffer, REF_STRING | HAS_ORIGIN);
        put_uint(buffer, client);
        put_uint(buffer, clock - 1);
    }
    put_block(buffer, &letter, 1);
    put_uint(buffer, 0);  // deletions
}
