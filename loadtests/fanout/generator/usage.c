#define _GNU_SOURCE
#include "usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "options.h"

// Nanoseconds of all threads of a process, also of another one; 0 once it is gone.
static double process_s(int pid) {
    clockid_t clock;
    struct timespec spent;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &spent)) return 0;
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

static double waited_s(int pid) {
    char path[64];
    unsigned long long ran, waited = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%llu %llu", &ran, &waited) != 2) waited = 0;
    if (file) fclose(file);
    return (double)waited / 1e9;
}

static void add_servers(Usage *usage) {
    for (const char *rest = options.pids; *rest;) {
        char *end;
        int pid = (int)strtol(rest, &end, 10);
        usage->server_s += process_s(pid);
        usage->server_waited_s += waited_s(pid);
        rest = *end ? end + 1 : end;
    }
}

static void add_machine(Usage *usage) {
    double user, nice, system, idle, waiting, hard, soft, stolen, tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
    FILE *file = fopen("/proc/stat", "r");
    if (!file) return;
    if (fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &waiting, &hard, &soft, &stolen) == 8) {
        usage->machine_s = (user + nice + system + hard + soft) * tick_s;
        usage->stolen_s = stolen * tick_s;
    }
    fclose(file);
}

Usage usage_now(void) {
    Usage usage = {.own_s = process_s(getpid()), .wall_s = (double)now_ns() / 1e9};
    add_servers(&usage);
    add_machine(&usage);
    return usage;
}

Usage usage_between(Usage before, Usage after) {
    return (Usage){
        .server_s = after.server_s - before.server_s,
        .own_s = after.own_s - before.own_s,
        .server_waited_s = after.server_waited_s - before.server_waited_s,
        .machine_s = after.machine_s - before.machine_s,
        .stolen_s = after.stolen_s - before.stolen_s,
        .wall_s = after.wall_s - before.wall_s,
    };
}
