/*
 * conf - configuration files in JSON, with errors an admin can act on.
 *
 *   edge.json: /external/listen/0: port 70000 is above 65535
 *   edge.json:12:5: '}' expected near end of file
 *
 * A struct conf walks one document.  Readers take the object they are in and
 * a key, note what they have seen, and report the first error only; after an error
 * every reader is a no-op that yields the default, so a loader reads all
 * fields straight down and asks conf_failed() once.  conf_end_object()
 * refuses keys that no reader asked for.
 *
 * Strings handed out belong to the document and live until conf_finish().
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <sys/socket.h>

struct conf;
struct conf_obj; /* one JSON object under inspection */

/* name is what messages call the file.  Both return NULL only without memory;
 * an unreadable or malformed file is an error state. */
struct conf *conf_load(const char *path);
struct conf *conf_parse(const char *name, const char *text, size_t len);
void conf_finish(struct conf *c);

bool conf_failed(const struct conf *c);
/* The first error, one line without newline; "" when there is none. */
const char *conf_error(const struct conf *c);

struct conf_obj *conf_root(struct conf *c);
/* Member object; NULL (and an error when required) if absent.  Every reader
 * accepts a NULL object and then yields its default. */
struct conf_obj *
conf_object(struct conf_obj *o, const char *key, bool required);
/* Number of elements of an array member, 0 if absent. */
size_t conf_array(struct conf_obj *o, const char *key, bool required);
/* Element i of that array, as an object. */
struct conf_obj *
conf_array_object(struct conf_obj *o, const char *key, size_t i);
/* "" after an error. */
const char *conf_array_string(struct conf_obj *o, const char *key, size_t i);

/* def NULL means required; "" stands for it after an error. */
const char *conf_string(struct conf_obj *o, const char *key, const char *def);
/* NULL if absent, no error. */
const char *conf_string_opt(struct conf_obj *o, const char *key);
int64_t conf_int(
    struct conf_obj *o, const char *key, int64_t def, int64_t min, int64_t max);
bool conf_bool(struct conf_obj *o, const char *key, bool def);
/* One of count names; returns its index.  def -1 means required; 0 stands for
 * it after an error. */
int conf_enum(struct conf_obj *o, const char *key, const char *const *names,
    size_t count, int def);
/* Name of the i-th member of an object whose keys are the admin's own; NULL
 * behind the last. */
const char *conf_member(struct conf_obj *o, size_t i);
/* A domain, into comparable form (common/jid.h); out holds 256 bytes. */
void conf_domain(struct conf_obj *o, const char *key, char *out, bool required);
/* "192.0.2.1:5269", "[::1]:5269"; the port may be left out when port_def > 0
 * and must be when it is -1.  Family 0 (AF_UNSPEC) when absent. */
void conf_address(struct conf_obj *o, const char *key,
    struct sockaddr_storage *out, int port_def, bool required);
void conf_array_address(struct conf_obj *o, const char *key, size_t i,
    struct sockaddr_storage *out, int port_def);
/* The JSON behind an object, for what no reader fits; NULL for NULL. */
json_t *conf_json(const struct conf_obj *o);
/* Reports an error of the caller's own at a member, or at the object itself
 * when key is NULL; "listen/0" names an element. */
void conf_fail(struct conf_obj *o, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Refuses members nobody asked for. */
void conf_end_object(struct conf_obj *o);

/* Parses an address by itself: 0 or ERR_MALFORMED; port_def 0 = port needed,
 * -1 = a port is refused. */
int conf_parse_address(struct sockaddr_storage *out, const char *s,
    int port_def, char *why, size_t size);

#endif
