/* json_patch - a sample document with a change in it, for tables of tests.
 * Single quotes stand for double ones; null removes a member. */
#ifndef TESTS_JSON_PATCH_H
#define TESTS_JSON_PATCH_H

/* To be free()d. */
char *json_patch(const char *sample, const char *patch);

#endif
