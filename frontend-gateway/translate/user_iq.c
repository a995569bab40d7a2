/* Features are listed in the order of their bytes, which is the order in which
 * XEP-0115 5.1 joins them. */
#include "frontend-gateway/translate/user_iq.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"

#define NODE     "urn:x-sallyport:lync"
#define CATEGORY "client"
#define TYPE     "pc"

/* No XHTML-IM, no Jingle, no device list for encryption: clients would use
 * what a Lync user could not read. */
static const char *const features[] = {
	"http://jabber.org/protocol/caps",
	"http://jabber.org/protocol/chatstates",
	"http://jabber.org/protocol/disco#info",
	"jabber:iq:version",
	"jabber:x:oob",
	"urn:xmpp:ping",
	"urn:xmpp:receipts",
};

enum { FEATURE_COUNT = sizeof(features) / sizeof(*features) };

void
user_iq_caps(char out[static USER_IQ_CAPS_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text = { 0 }, ver = { 0 };
	unsigned len;

	/* category/type/language/name, the last two empty */
	buf_add_str(&text, CATEGORY "/" TYPE "//<");
	for (size_t i = 0; i < FEATURE_COUNT; i++)
		buf_addf(&text, "%s<", features[i]);
	out[0] = '\0';
	/* XEP-0115 names SHA-1; nothing secret depends on it. */
	if (!buf_failed(&text) &&
	    EVP_Digest(text.data, text.len, digest, &len, EVP_sha1(), NULL) ==
		1 &&
	    base64_encode(&ver, digest, len) == 0)
		snprintf(out, USER_IQ_CAPS_SIZE, NODE "#%.*s", (int)ver.len,
		    (char *)ver.data);
	buf_finish(&text);
	buf_finish(&ver);
}

static json_t *
disco_info(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < FEATURE_COUNT; i++)
		json_array_append_new(list, json_string(features[i]));
	return json_pack("{s:[{s:s,s:s}],s:o}", "identities", "category",
	    CATEGORY, "type", TYPE, "features", list);
}

/* A node of disco#info must be the one of our caps. */
static bool
node_exists(const struct user_iq *in)
{
	char caps[USER_IQ_CAPS_SIZE];

	if (in->node == NULL || in->node[0] == '\0')
		return true;
	user_iq_caps(caps);
	return strcmp(in->request, "disco-info") == 0 &&
	       strcmp(in->node, caps) == 0;
}

int
user_iq_answer(struct buf *out, const struct user_iq *in)
{
	json_t *o = NULL;
	char *text;
	int rc;

	if (strcmp(in->request, "ping") == 0)
		return 0;
	if (strncmp(in->request, "disco-", 6) == 0 && !node_exists(in))
		return ERR_NOT_FOUND;
	if (strcmp(in->request, "disco-info") == 0)
		o = disco_info();
	else if (strcmp(in->request, "disco-items") == 0)
		o = json_pack("{s:[]}", "items");
	else if (strcmp(in->request, "version") == 0)
		o = json_pack("{s:s,s:s}", "name", "Sallyport", "version",
		    SALLYPORT_VERSION);
	else if (strcmp(in->request, "vcard") != 0)
		return ERR_UNSUPPORTED;
	else if (in->name == NULL || in->name[0] == '\0')
		return ERR_NOT_FOUND;
	else
		o = json_pack("{s:s}", "fn", in->name);
	text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	rc = text != NULL ? buf_add_str(out, text) : ERR_NOMEM;
	free(text);
	json_decref(o);
	return rc;
}
