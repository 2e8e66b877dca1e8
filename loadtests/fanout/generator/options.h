// What one run of the generator is told to do; every option is `--name value`.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *run;      // load | presence | join | hold | walk
    const char *dialect;  // plain | hocuspocus
    const char *path;     // of the WebSocket; each {document} becomes the document's name
    const char *tag;      // makes document names unique to this run
    const char *pids;     // of the server, comma-separated: whose CPU time is read
    const char *expect;   // join: clocks that complete the document, comma-separated, one per writer
    const char *record;   // folder for the frames that sampled clients receive
    double rate;          // updates a second and writer
    double warm_s, window_s, drain_s, connect_s;
    double patience_s;  // of load not yet delivered; then the server has lost, and the rest of the window is spared
    int port, rooms, clients, writers, connecting, sampled, seed;
} Options;

extern Options options;

void read_options(int count, char **arguments);
bool speaks_hocuspocus(void);
