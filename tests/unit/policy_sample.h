/* policy_sample - policy for tests, without settings behind it. */
#ifndef TESTS_POLICY_SAMPLE_H
#define TESTS_POLICY_SAMPLE_H

#include <stddef.h>

struct gateway_conf;
struct policy;

/* policy_new(), and the rights that the import gives to the users of the
 * file. */
int policy_sample(
    struct policy **out, const struct gateway_conf *conf, size_t pairs_max);

#endif
