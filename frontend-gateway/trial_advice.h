/*
 * trial_advice - what to do about a test message that failed.
 *
 * In the words of whoever reads the outcome of `sallyport test-im`: one
 * sentence or two for each ms-diagnostics id that a trial can end with.
 * DIAGNOSTICS of sallyport-gateway(8) has all ids there are.
 */
#ifndef GATEWAY_TRIAL_ADVICE_H
#define GATEWAY_TRIAL_ADVICE_H

/* Static; for an id it has nothing about, where to read on. */
const char *trial_advice(unsigned diagnostics);

#endif
