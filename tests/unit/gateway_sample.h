/* gateway_sample - a sound gateway.json for tests, and changes to it. */
#ifndef TESTS_GATEWAY_SAMPLE_H
#define TESTS_GATEWAY_SAMPLE_H

struct gateway_conf;

/* The sample with a patch (a JSON object) laid over it: members replace those
 * of the same name, objects are merged, null takes a member away.  patch may
 * be NULL.  Returns 0 or the loader's code; error holds
 * GATEWAY_CONF_ERROR_SIZE bytes. */
int
gateway_sample_load(struct gateway_conf **out, const char *patch, char *error);
/* The same, which must be in order. */
struct gateway_conf *gateway_sample(const char *patch);
/* The text of it; to be freed. */
char *gateway_sample_text(const char *patch);

#endif
