// fanout: an open-loop load generator for servers of the Yjs sync protocol, on loopback only, in one thread.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "net.h"
#include "options.h"
#include "runs.h"
#include "session.h"

static void allow_many_sockets(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(void) {
    if (!strcmp(options.run, "load")) return run_load(false);
    if (!strcmp(options.run, "presence")) return run_load(true);
    if (!strcmp(options.run, "join")) return run_join();
    if (!strcmp(options.run, "hold")) return run_hold();
    if (!strcmp(options.run, "walk")) return run_walk();
    fprintf(stderr, "generator: unknown run: %s\n", options.run);
    return 2;
}

int main(int count, char **arguments) {
    read_options(count, arguments);
    seed_chance((uint64_t)options.seed);
    signal(SIGPIPE, SIG_IGN);
    allow_many_sockets();
    net_start();
    make_sessions(options.rooms * options.clients + options.rooms + 16);
    int outcome = run();
    fflush(stdout);
    net_leave();
    return outcome;
}
