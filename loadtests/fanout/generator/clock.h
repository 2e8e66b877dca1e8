// Time and chance: the monotonic clock in nanoseconds, and a seeded random number.
#pragma once
#include <stdint.h>
#include <time.h>

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline uint64_t ns_of(double seconds) { return (uint64_t)(seconds * 1e9); }

void seed_chance(uint64_t seed);
uint64_t chance(void);       // 64 random bits
double chance_below_1(void);
