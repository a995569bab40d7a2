/*
 * setting_value - one member's value, from what people write to what is
 * stored: type, spelling, bounds.
 *
 * Pure but for memory.
 */
#ifndef GATEWAY_SETTINGS_SETTING_VALUE_H
#define GATEWAY_SETTINGS_SETTING_VALUE_H

#include <jansson.h>

struct setting_field;
struct settings_report;

/* A new reference; NULL when a problem was reported (also for want of
 * memory). */
json_t *setting_value_read(const struct setting_field *f, const json_t *given,
    struct settings_report *report);

/* A list as `change` makes it of `before` (NULL = empty): an object whose
 * members Add, Remove and Replace each have a value or a list of them. */
json_t *setting_value_change(const struct setting_field *f,
    const json_t *before, const json_t *change, struct settings_report *report);

#endif
