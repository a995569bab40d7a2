/*
 * sip_diagnostics - the ms-diagnostics ids of what the SIP layers refuse.
 *
 * Ids 61000 to 61999 are for expected failures of applications ([MS-OCER]).
 * These are 61001 to 61009 and 61060 to 61069; the rest is in
 * translate/errors.h.  The reason on the wire says more than the one here,
 * which is the manual page's, where each id has its row.  An id is never used
 * for something else.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_DIAGNOSTICS_H
#define FRONTEND_GATEWAY_SIP_SIP_DIAGNOSTICS_H

/* X(constant, id, statuses, what it means) */
#define SIP_DIAGNOSTICS(X)                                                     \
	X(SIP_UA_DIAG_DIALOG, 61001, "481",                                    \
	    "Dialog or subscription does not exist")                           \
	X(SIP_UA_DIAG_MALFORMED, 61002, "400, 416, 505",                       \
	    "Message is malformed")                                            \
	X(SIP_UA_DIAG_TOO_LARGE, 61003, "413", "Message is too large")         \
	X(SIP_UA_DIAG_METHOD, 61004, "405, 489, 501",                          \
	    "Method or event package is not supported")                        \
	X(SIP_UA_DIAG_EXTENSION, 61005, "420",                                 \
	    "Required extension is not supported")                             \
	X(SIP_UA_DIAG_MERGED, 61006, "482", "Request came by two ways")        \
	X(SIP_UA_DIAG_ORDER, 61007, "500",                                     \
	    "CSeq is lower than one seen before")                              \
	X(SIP_UA_DIAG_ENCODING, 61008, "415",                                  \
	    "Content-Encoding is not supported")                               \
	X(SIP_UA_DIAG_INTERVAL, 61009, "422", "Session interval is too small") \
	X(SIP_UA_DIAG_ACCEPT, 61060, "406", "Accept leaves out application/sdp")

enum sip_diagnostics {
#define X(name, id, statuses, meaning) name = (id),
	SIP_DIAGNOSTICS(X)
#undef X
};

#endif
