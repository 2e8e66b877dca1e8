#include "options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Options options = {
    .run = "load", .dialect = "plain", .path = "/{document}", .tag = "run", .pids = "", .expect = "", .record = "",
    .rate = 1, .warm_s = 1, .window_s = 3, .drain_s = 5, .connect_s = 60, .patience_s = 2,
    .port = 1234, .rooms = 1, .clients = 10, .writers = 1, .connecting = 64, .sampled = 3, .seed = 1,
};

typedef struct {
    const char *name;
    enum { TEXT, REAL, WHOLE } kind;
    size_t offset;
} Flag;

#define FLAG(field, kind) {#field, kind, offsetof(Options, field)}
static const Flag flags[] = {
    FLAG(run, TEXT), FLAG(dialect, TEXT), FLAG(path, TEXT), FLAG(tag, TEXT), FLAG(pids, TEXT), FLAG(expect, TEXT),
    FLAG(record, TEXT), FLAG(rate, REAL), FLAG(warm_s, REAL), FLAG(window_s, REAL), FLAG(drain_s, REAL),
    FLAG(connect_s, REAL), FLAG(patience_s, REAL), FLAG(port, WHOLE), FLAG(rooms, WHOLE), FLAG(clients, WHOLE), FLAG(writers, WHOLE),
    FLAG(connecting, WHOLE), FLAG(sampled, WHOLE), FLAG(seed, WHOLE),
};

static const Flag *flag_named(const char *name) {
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (!strcmp(flags[i].name, name)) return &flags[i];
    return NULL;
}

static void refuse(const char *complaint, const char *what) {
    fprintf(stderr, "generator: %s: %s\n", complaint, what);
    exit(2);
}

static void set_flag(const Flag *flag, const char *value) {
    char *field = (char *)&options + flag->offset;
    if (flag->kind == TEXT) *(const char **)field = value;
    if (flag->kind == REAL) *(double *)field = atof(value);
    if (flag->kind == WHOLE) *(int *)field = atoi(value);
}

void read_options(int count, char **arguments) {
    for (int i = 1; i < count; i += 2) {
        const Flag *flag = strncmp(arguments[i], "--", 2) ? NULL : flag_named(arguments[i] + 2);
        if (!flag) refuse("unknown option", arguments[i]);
        if (i + 1 == count) refuse("value missing", arguments[i]);
        set_flag(flag, arguments[i + 1]);
    }
    if (options.rooms < 1 || options.clients < 1 || options.writers < 0 || options.connecting < 1)
        refuse("out of range", "rooms, clients, writers or connecting");
    if (options.rate <= 0) refuse("out of range", "rate");
}

bool speaks_hocuspocus(void) { return options.dialect[0] == 'h'; }
