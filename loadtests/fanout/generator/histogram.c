#include "histogram.h"

#include <math.h>

static int cell_of(uint64_t value) {
    if (value < HISTOGRAM_STEPS) return (int)value;
    int shift = 63 - __builtin_clzll(value) - 6;  // keeps the leading 1 and six bits below it
    return (shift + 1) * HISTOGRAM_STEPS + (int)((value >> shift) & (HISTOGRAM_STEPS - 1));
}

static uint64_t middle_of(int cell) {
    if (cell < HISTOGRAM_STEPS) return (uint64_t)cell;
    int shift = cell / HISTOGRAM_STEPS - 1;
    uint64_t low = (uint64_t)(HISTOGRAM_STEPS + cell % HISTOGRAM_STEPS) << shift;
    return low + ((1ull << shift) >> 1);
}

void histogram_add(Histogram *histogram, uint64_t value_ns) {
    histogram->count++;
    if (value_ns > histogram->highest) histogram->highest = value_ns;
    histogram->cells[cell_of(value_ns)]++;
}

double histogram_ms(const Histogram *histogram, double quantile) {
    uint64_t wanted = (uint64_t)ceil(quantile * (double)histogram->count), counted = 0;
    for (int cell = 0; cell < HISTOGRAM_CELLS && wanted; cell++) {
        counted += histogram->cells[cell];
        if (counted >= wanted) return (double)middle_of(cell) / 1e6;
    }
    return 0;
}
