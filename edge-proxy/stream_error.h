/*
 * stream_error - the stream error conditions of RFC 6120 4.9.3.
 */
#ifndef EDGE_STREAM_ERROR_H
#define EDGE_STREAM_ERROR_H

#define STREAM_ERRORS(X)                                                       \
	X(STREAM_ERR_BAD_FORMAT, "bad-format")                                 \
	X(STREAM_ERR_BAD_NAMESPACE_PREFIX, "bad-namespace-prefix")             \
	X(STREAM_ERR_CONFLICT, "conflict")                                     \
	X(STREAM_ERR_CONNECTION_TIMEOUT, "connection-timeout")                 \
	X(STREAM_ERR_HOST_GONE, "host-gone")                                   \
	X(STREAM_ERR_HOST_UNKNOWN, "host-unknown")                             \
	X(STREAM_ERR_IMPROPER_ADDRESSING, "improper-addressing")               \
	X(STREAM_ERR_INTERNAL_SERVER_ERROR, "internal-server-error")           \
	X(STREAM_ERR_INVALID_FROM, "invalid-from")                             \
	X(STREAM_ERR_INVALID_NAMESPACE, "invalid-namespace")                   \
	X(STREAM_ERR_INVALID_XML, "invalid-xml")                               \
	X(STREAM_ERR_NOT_AUTHORIZED, "not-authorized")                         \
	X(STREAM_ERR_NOT_WELL_FORMED, "not-well-formed")                       \
	X(STREAM_ERR_POLICY_VIOLATION, "policy-violation")                     \
	X(STREAM_ERR_REMOTE_CONNECTION_FAILED, "remote-connection-failed")     \
	X(STREAM_ERR_RESET, "reset")                                           \
	X(STREAM_ERR_RESOURCE_CONSTRAINT, "resource-constraint")               \
	X(STREAM_ERR_RESTRICTED_XML, "restricted-xml")                         \
	X(STREAM_ERR_SEE_OTHER_HOST, "see-other-host")                         \
	X(STREAM_ERR_SYSTEM_SHUTDOWN, "system-shutdown")                       \
	X(STREAM_ERR_UNDEFINED_CONDITION, "undefined-condition")               \
	X(STREAM_ERR_UNSUPPORTED_ENCODING, "unsupported-encoding")             \
	X(STREAM_ERR_UNSUPPORTED_FEATURE, "unsupported-feature")               \
	X(STREAM_ERR_UNSUPPORTED_STANZA_TYPE, "unsupported-stanza-type")       \
	X(STREAM_ERR_UNSUPPORTED_VERSION, "unsupported-version")

struct xml_elem;

enum stream_error {
	STREAM_ERR_NONE, /* no error: an orderly end */
#define X(name, text) name,
	STREAM_ERRORS(X)
#undef X
	    STREAM_ERR_COUNT
};

/* The element's name; "" for STREAM_ERR_NONE. */
const char *stream_error_str(enum stream_error e);
/* STREAM_ERR_UNDEFINED_CONDITION when the name is unknown; knows RFC 3920's
 * xml-not-well-formed. */
enum stream_error stream_error_parse(const char *name);
/* The condition in an error element that a partner sent. */
enum stream_error stream_error_read(const struct xml_elem *e);

#endif
