#include "clock.h"

static uint64_t state;

void seed_chance(uint64_t seed) { state = seed; }

// splitmix64: two lines, no bad seeds
uint64_t chance(void) {
    uint64_t z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

double chance_below_1(void) { return (double)(chance() >> 11) / 9007199254740992.0; }
