// A histogram of nanoseconds with 64 steps per power of two: quantiles within 1.6 %, constant memory.
#pragma once
#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_CELLS = 64 * HISTOGRAM_STEPS };

typedef struct {
    uint64_t count, highest;
    uint64_t cells[HISTOGRAM_CELLS];
} Histogram;

void histogram_add(Histogram *histogram, uint64_t value_ns);
double histogram_ms(const Histogram *histogram, double quantile);
