/* A presence document as a pool sends it.  What is read must be within its
 * bounds, convert, and survive being told again; the image readers get the same
 * bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/presence_build.h"
#include "frontend-gateway/translate/presence_document.h"
#include "frontend-gateway/translate/presence_to_xmpp.h"
#include "frontend-gateway/translate/resources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

static void
require_text(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	require(len < size && utf8_valid_xml(s, len));
}

static void
check_image(const struct xmpp_presence *p)
{
	struct xmpp_presence back = { 0 };
	struct buf image = { 0 };

	require(xmpp_presence_save(&image, p) == 0);
	require(xmpp_presence_restore(&back, image.data, image.len) == 0);
	require(xmpp_presence_equal(p, &back));
	xmpp_presence_finish(&back);
	buf_finish(&image);
}

/* Told to a Lync user it must be a document that we can read ourselves. */
static void
check_back(const struct xmpp_presence *p, enum presence_format format)
{
	struct presence_build_rules rules = presence_build_default();
	struct resources r = { 0 };
	const struct resource u = { .name = "x",
		.status = p->status,
		.language = p->language,
		.show = p->show,
		.priority = p->priority };
	const struct presence_build in = { "sip:bo@p.example", p->status, &r,
		0 };
	struct lync_presence again;
	struct buf doc = { 0 };

	require(resources_set(&r, &u, NULL) == 0);
	require(presence_build_document(&doc, format, &in, &rules) == 0);
	require(presence_document_read(&again, doc.data, doc.len) == 0);
	require(again.known);
	require(
	    strcmp(again.note.text, p->status != NULL ? p->status : "") == 0);
	buf_finish(&doc);
	resources_clear(&r);
}

static void
check_document(const uint8_t *data, size_t size)
{
	struct presence_to_xmpp_rules rules = presence_to_xmpp_default();
	struct xmpp_presence p = { 0 };
	struct lync_presence in;
	int rc = presence_document_read(&in, data, size);

	require_text(in.entity, sizeof(in.entity));
	require_text(in.token, sizeof(in.token));
	require_text(in.note.text, sizeof(in.note.text));
	require_text(in.note.language, sizeof(in.note.language));
	require_text(in.custom.text, sizeof(in.custom.text));
	require_text(in.name, sizeof(in.name));
	require(rc == 0 || !in.known);
	for (unsigned i = 0; i < 8; i++) {
		rules.notes = i & 1;
		rules.generated_status = i & 2;
		rules.unknown_is_available = i & 4;
		rc = presence_to_xmpp_convert(&p, &in, NULL, &rules);
		require(rc == 0 || (rc == ERR_NOT_FOUND && !in.known));
		check_image(&p);
		if (!p.available || i != 3)
			continue;
		check_back(&p, PRESENCE_FORMAT_PIDF);
		check_back(&p, PRESENCE_FORMAT_MSRTC);
		check_back(&p, PRESENCE_FORMAT_STANDARD);
	}
	xmpp_presence_finish(&p);
}

/* A restored image is one that restores to itself. */
static void
check_images(const uint8_t *data, size_t size)
{
	struct xmpp_presence p = { 0 };
	struct resources r = { 0 }, s = { 0 };
	struct buf image = { 0 };

	if (xmpp_presence_restore(&p, data, size) == 0)
		check_image(&p);
	xmpp_presence_finish(&p);
	if (resources_restore(&r, data, size) == 0) {
		require(resources_count(&r) <= RESOURCES_MAX);
		require(resources_save(&image, &r) == 0);
		require(resources_restore(&s, image.data, image.len) == 0);
		require(resources_count(&r) == resources_count(&s));
	}
	resources_clear(&r);
	resources_clear(&s);
	buf_finish(&image);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_document(data, size);
	check_images(data, size);
	return 0;
}
