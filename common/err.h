/*
 * err - the one list of error codes.
 *
 * Functions return 0 or a negative code.  libuv's own codes (-1 to about
 * -4095) pass through unchanged; ours start below -10000.  err_str() names
 * every one of them; the text is static.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#define ERR_CODES(X)                                                           \
	X(ERR_NOMEM, -10001, "out of memory")                                  \
	X(ERR_TOO_LONG, -10002, "longer than allowed")                         \
	X(ERR_FULL, -10003, "no room left")                                    \
	X(ERR_MALFORMED, -10004, "malformed")                                  \
	X(ERR_INCOMPLETE, -10005, "more bytes are needed")                     \
	X(ERR_NOT_FOUND, -10006, "not found")                                  \
	X(ERR_EXISTS, -10007, "exists already")                                \
	X(ERR_BAD_STATE, -10008, "not possible in this state")                 \
	X(ERR_DENIED, -10009, "not permitted")                                 \
	X(ERR_UNSUPPORTED, -10010, "not supported")                            \
	X(ERR_TLS, -10011, "TLS failed")                                       \
	X(ERR_CERT, -10012, "certificate not acceptable")                      \
	X(ERR_JID, -10013, "not a valid JID")                                  \
	X(ERR_UTF8, -10014, "not valid UTF-8")                                 \
	X(ERR_PROTOCOL, -10015, "protocol violation")                          \
	X(ERR_TIMEOUT, -10016, "timed out")                                    \
	X(ERR_CONFIG, -10017, "configuration not valid")                       \
	X(ERR_IO, -10018, "input or output failed")                            \
	X(ERR_CLOSED, -10019, "closed")                                        \
	X(ERR_DNS, -10020, "name resolution failed")                           \
	X(ERR_STORE, -10021, "store failed")                                   \
	X(ERR_CONFLICT, -10022, "was changed meanwhile")

enum err {
#define X(name, code, text) name = (code),
	ERR_CODES(X)
#undef X
};

/* Text of one of our codes or of a libuv code; never NULL. */
const char *err_str(int rc);

#endif
