#include "frontend-gateway/trial_advice.h"

#include <stddef.h>

#define RIGHTS "Look at `sallyport policy effective` with the sender."
#define PROVIDER                                                               \
	"Look at `sallyport provider list` and at the partner's Provider."
#define LICENCE "Look at `sallyport licence get`."
#define RECEIVER                                                               \
	"The partner's server is reached; see that the receiver exists there " \
	"and is signed in, or that messages are kept for him."
#define REFUSED                                                                \
	"The partner's server is reached and refuses: ask its administrator "  \
	"whether your domain is let in."
#define THEIRS                                                                 \
	"The partner's server is reached and failed: tell its administrator."
#define SERVER                                                                 \
	"On the edge: `sallyport dns check` with the partner's domain and "    \
	"--connect, and `sallyport status` for the last failures."

static const struct {
	unsigned first, last;
	const char *text;
} rows[] = {
	{ 61010, 61014,
	    "See how the addresses are written; a receiver is like "
	    "bo@partner.example." },
	{ 61020, 61020,
	    "Look for the receiver's domain in `sallyport partner get`; add it "
	    "with `sallyport partner new`." },
	{ 61021, 61021, RIGHTS },
	{ 61022, 61022,
	    "The sender's domain is not among \"hosted\" in the gateway's "
	    "configuration." },
	{ 61023, 61023,
	    "`sallyport access-edge set --AllowFederatedUsers true` switches "
	    "federation on." },
	{ 61024, 61026, RIGHTS },
	{ 61031, 61031, "Send less, or raise limits.body_bytes." },
	{ 61050, 61050,
	    "Look at the queues in `sallyport status`, and at limits." },
	{ 61051, 61051,
	    "See in `sallyport status` which channel is down and why, and "
	    "whether the edge runs." },
	{ 61052, 61052,
	    "The partner's server has not said in time that it has the "
	    "message: see in `sallyport streams` whether a stream is up and "
	    "what it can prove, then ask its administrator." },
	{ 61053, 61053, "The gateway is being stopped; try again later." },
	{ 61054, 61054, "See whether the disk of the store is full." },
	{ 61070, 61074, PROVIDER },
	{ 61075, 61077, LICENCE },
	{ 61090, 61090, "Look at the gateway's log." },
	{ 61100, 61101, THEIRS },
	{ 61102, 61102, RECEIVER },
	{ 61103, 61103, REFUSED },
	{ 61104, 61104, RECEIVER },
	{ 61105, 61105, THEIRS },
	{ 61106, 61108, RECEIVER },
	{ 61109, 61111, REFUSED },
	{ 61112, 61113, RECEIVER },
	{ 61114, 61114, REFUSED },
	{ 61115, 61116, SERVER },
	{ 61117, 61117,
	    "The partner's server, or the edge's queue to it, is full: look at "
	    "`sallyport status` on the edge." },
	{ 61118, 61118, RECEIVER },
	{ 61119, 61119, REFUSED },
	{ 61120, 61121, THEIRS },
	{ 61122, 61122, "The partner's server takes less; send less." },
};

const char *
trial_advice(unsigned diagnostics)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (diagnostics >= rows[i].first && diagnostics <= rows[i].last)
			return rows[i].text;
	return "See its number under DIAGNOSTICS in sallyport-gateway(8).";
}
