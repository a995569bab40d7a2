/* Presence documents that are odd, large or broken; names, texts, images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/translate/activity.h"
#include "frontend-gateway/translate/display_name.h"
#include "frontend-gateway/translate/presence_build.h"
#include "frontend-gateway/translate/presence_document.h"
#include "frontend-gateway/translate/presence_text.h"
#include "frontend-gateway/translate/presence_to_xmpp.h"
#include "frontend-gateway/translate/resources.h"
#include "frontend-gateway/translate/user_iq.h"

#define COUNT(a)      (sizeof(a) / sizeof(*(a)))
#define MSRTC         "<presentity uri='anna@contoso.example'>"
#define USER_STATE(s) MSRTC "<userInfo><states>" s "</states></userInfo>"
#define END           "</presentity>"

static struct lync_presence
read_ok(const char *text)
{
	struct lync_presence p;

	assert_int_equal(presence_document_read(&p, text, strlen(text)), 0);
	return p;
}

/* --- documents ----------------------------------------------------------- */

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		int number;
	} rows[] = {
		{ USER_STATE("<state avail='3500'/>") END, 3500 },
		{ USER_STATE("<state avail=' 3500 '/>") END, 3500 },
		{ USER_STATE("<state avail='-1'/>") END, -1 },
		{ USER_STATE("<state avail='0x1f'/>") END, -1 },
		{ USER_STATE("<state avail='3500.5'/>") END, -1 },
		{ USER_STATE("<state avail=''/>") END, -1 },
		{ USER_STATE("<state/>") END, -1 },
		{ USER_STATE("<state avail='99999999999999999999'/>") END, -1 },
		{ USER_STATE("<state avail='3500' xsi:nil='true'/>") END, -1 },
		/* the least available of the user's */
		{ USER_STATE("<state avail='3500'/><state avail='6500'/>") END,
		    6500 },
		/* a device that is off does not make the person be off */
		{ USER_STATE(
		      "<state avail='3500'/>") "<devices><devicePresence><"
					       "states><state "
					       "avail='18500'/></states></"
					       "devicePresence></devices>" END,
		    3500 },
		{ MSRTC "<devices><devicePresence><states><state "
			"avail='5000'/></states></devicePresence>"
			"<devicePresence><states><state avail='4000'/></states>"
			"</devicePresence></devices>" END,
		    5000 },
		{ MSRTC "<legacyInterop availability='9500' "
			"token='in-presentation'/>" END,
		    9500 },
		/* only in its place */
		{ MSRTC "<state avail='3500'/>" END, -1 },
		{ MSRTC "<x><userInfo><note><states><state avail='3500'/>"
			"</states></note></userInfo></x>" END,
		    -1 },
		/* what is inside a state does not hide it */
		{ USER_STATE("<state avail='6500'><x/>on-the-phone</state>")
			END,
		    6500 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lync_presence p = read_ok(rows[i].text);

		if (p.number != rows[i].number)
			fail_msg("%s: %d", rows[i].text, p.number);
		assert_int_equal(p.known, rows[i].number >= 0);
	}
}

static void
test_aggregates_out_of_range(void **state)
{
	static const struct {
		const char *text;
		int availability, activity;
	} rows[] = {
		{ "<availability aggregate='1000'/>", -1, -1 },
		{ "<availability aggregate='300'/><activity aggregate='-5'/>",
		    300, -1 },
		{ "<availability aggregate='x'/><activity aggregate='600'/>",
		    -1, 600 },
		{ "<availability/><activity/>", -1, -1 },
	};
	struct presence_to_xmpp_rules rules = presence_to_xmpp_default();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xmpp_presence out = { 0 };
		struct lync_presence p;
		char text[200];
		int rc;

		snprintf(text, sizeof(text), MSRTC "%s" END, rows[i].text);
		p = read_ok(text);
		assert_int_equal(p.availability, rows[i].availability);
		assert_int_equal(p.activity, rows[i].activity);
		rc = presence_to_xmpp_convert(&out, &p, NULL, &rules);
		assert_int_equal(
		    rc, rows[i].availability < 0 ? ERR_NOT_FOUND : 0);
		if (rc == 0)
			assert_int_equal(out.show, XMPP_SHOW_AWAY);
		xmpp_presence_finish(&out);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{ "", 0 },
		{ "<presentity/>", 0 },
		{ "hello", ERR_MALFORMED },
		{ "<presentity>", ERR_MALFORMED },
		{ "<presentity/><presentity/>", ERR_MALFORMED },
		{ "<presentity a='1' a='2'/>", ERR_MALFORMED },
		{ "<presentity>&#1;</presentity>", ERR_MALFORMED },
		{ "<?xml version='1.0' encoding='x-unknown'?>\n"
		  "<presentity>\xe9</presentity>",
		    ERR_MALFORMED },
		{ "<rlmi/>", ERR_UNSUPPORTED },
		{ "<categories uri='sip:a@b'/>", ERR_UNSUPPORTED },
		{ "<!DOCTYPE x><presentity/>", ERR_DENIED },
		{ "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><presentity/>",
		    ERR_DENIED },
	};
	struct lync_presence p;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int rc = presence_document_read(
		    &p, rows[i].text, strlen(rows[i].text));

		if (rc != rows[i].rc)
			fail_msg("%s: %s", rows[i].text, err_str(rc));
		assert_false(p.known);
		assert_int_equal(p.number, -1);
		assert_string_equal(p.entity, "");
	}
}

static int
read_repeated(const char *head, const char *what, unsigned times)
{
	struct buf b = { 0 };
	struct lync_presence p;
	int rc;

	buf_add_str(&b, head);
	while (times-- > 0)
		buf_add_str(&b, what);
	assert_false(buf_failed(&b));
	rc = presence_document_read(&p, b.data, b.len);
	assert_false(p.known);
	buf_finish(&b);
	return rc;
}

static void
test_bounds(void **state)
{
	struct buf b = { 0 };
	struct lync_presence p;

	(void)state;
	assert_int_equal(read_repeated("<presentity>", "<x>", 31),
	    ERR_MALFORMED); /* not closed, not too deep */
	assert_int_equal(
	    read_repeated("<presentity>", "<x>", 32), ERR_TOO_LONG);
	assert_int_equal(
	    read_repeated("<presentity>", "<x/>", 4095), ERR_MALFORMED);
	assert_int_equal(
	    read_repeated("<presentity>", "<x/>", 4096), ERR_TOO_LONG);
	assert_int_equal(
	    read_repeated("<presentity>", " ", PRESENCE_DOCUMENT_MAX),
	    ERR_TOO_LONG);
	buf_add_str(&b, "<presentity uri='");
	for (int i = 0; i < PRESENCE_DOCUMENT_ENTITY_SIZE; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "'/>");
	assert_int_equal(
	    presence_document_read(&p, b.data, b.len), ERR_TOO_LONG);
	assert_string_equal(p.entity, "");
	buf_finish(&b);
}

/* The same document in each encoding. */
static void
test_encodings(void **state)
{
	static const char text[] =
	    MSRTC "<availability aggregate='300'/>"
		  "<displayName displayName='Zo\xc3\xab'/>" END;
	static const char latin[] =
	    "<?xml version='1.0' encoding='iso-8859-1'?>" MSRTC
	    "<availability aggregate='300'/>"
	    "<displayName displayName='Zo\xeb'/>" END;
	static const unsigned char marks[][2] = { { 0xff, 0xfe }, { 0, 0 } };
	struct lync_presence p = read_ok(text);

	(void)state;
	assert_string_equal(p.name, "Zoë");
	p = read_ok(latin);
	assert_string_equal(p.name, "Zoë");
	for (int mark = 0; mark < 2; mark++) {
		struct buf wide = { 0 };

		if (mark == 0)
			buf_add(&wide, marks[0], 2);
		for (const char *s = text; *s != '\0'; s++) {
			unsigned char c = (unsigned char)*s;

			if (c == 0xc3)
				continue;
			buf_add_char(&wide, (char)(c == 0xab ? 0xeb : c));
			buf_add_char(&wide, '\0');
		}
		assert_int_equal(
		    presence_document_read(&p, wide.data, wide.len), 0);
		assert_string_equal(p.name, "Zoë");
		assert_true(p.known);
		buf_finish(&wide);
	}
}

static void
test_texts_of_documents(void **state)
{
	struct lync_presence p;

	(void)state;
	p = read_ok("<presentity xml:lang='fr'><userInfo><note>\r\n a&#x85;b "
		    "<i>c</i>&#9;</note></userInfo></presentity>");
	assert_string_equal(p.note.text, "ab c");
	assert_string_equal(p.note.language, "fr");
	p = read_ok("<presentity xml:lang='not a tag'><userInfo><note "
		    "xml:lang='de_DE'>x</note></userInfo></presentity>");
	assert_string_equal(p.note.language, "");
	/* The out-of-office note goes before the other, wherever it stands. */
	p = read_ok("<presentity><note>x</note><note type='OOF'>y</note>"
		    "<note>z</note></presentity>");
	assert_string_equal(p.note.text, "y");
	assert_true(p.note_oof);
	p = read_ok("<presentity><userInfo><activity><custom LCID='1031'>Im "
		    "Garten</custom></activity></userInfo></presentity>");
	assert_string_equal(p.custom.text, "Im Garten");
	assert_string_equal(p.custom.language, "de-DE");
	p = read_ok("<presence><display-name> Anna\nA. </display-name>"
		    "</presence>");
	assert_string_equal(p.name, "Anna A.");
	/* Neither times that are none nor tokens with spaces. */
	p = read_ok(USER_STATE("<state avail='6500' lastActive='yesterday'>"
			       "a b</state>") END);
	assert_int_equal(p.last_active, 0);
	assert_string_equal(p.token, "");
}

static void
test_custom_activity(void **state)
{
	struct presence_to_xmpp_rules rules = presence_to_xmpp_default();
	struct xmpp_presence out = { 0 };
	struct lync_presence p = read_ok(USER_STATE(
	    "<state avail='6500'/>") "<activity><custom "
				     "LCID='1031'>Im "
				     "Garten</custom></activity>" END);

	(void)state;
	assert_int_equal(presence_to_xmpp_convert(&out, &p, NULL, &rules), 0);
	assert_int_equal(out.show, XMPP_SHOW_DND);
	assert_string_equal(out.status, "Im Garten");
	assert_string_equal(out.language, "de-DE");
	rules.notes = false;
	rules.language = "de";
	assert_int_equal(presence_to_xmpp_convert(&out, &p, NULL, &rules), 0);
	assert_string_equal(out.status, "Beschäftigt");
	assert_string_equal(out.language, "de");
	xmpp_presence_finish(&out);
	assert_true(activity_has_language("nl"));
	assert_true(activity_has_language("de-AT"));
	assert_true(activity_has_language("DE-at"));
	assert_false(activity_has_language("tlh"));
	assert_false(activity_has_language("d"));
	assert_false(activity_has_language("deu"));
	assert_false(activity_has_language(""));
	assert_string_equal(activity_language("de-AT"), "de");
	assert_string_equal(activity_word(ACTIVITY_BUSY, "de-AT"),
	    activity_word(ACTIVITY_BUSY, "de"));
	assert_string_equal(activity_language("tlh"), "en");
}

static void
test_priority_of_standard_peers(void **state)
{
	struct presence_to_xmpp_rules rules = presence_to_xmpp_default();
	struct xmpp_presence out = { 0 };
	struct lync_presence p = read_ok(
	    "<presence entity='sip:anna@contoso.example'>"
	    "<tuple id='a'><status><basic>open</basic></status>"
	    "<contact priority='0.25'>sip:a@b</contact></tuple>"
	    "<tuple id='b'><status><basic>open</basic></status>"
	    "<contact priority='0.503'>sip:a@b</contact></tuple></presence>");

	(void)state;
	assert_int_equal(p.priority, 503);
	assert_int_equal(presence_to_xmpp_convert(&out, &p, NULL, &rules), 0);
	assert_int_equal(out.priority, 0);
	rules.priority = true;
	assert_int_equal(presence_to_xmpp_convert(&out, &p, NULL, &rules), 0);
	assert_int_equal(out.priority, 64);
	xmpp_presence_finish(&out);
	p = read_ok("<presence><tuple id='a'><contact priority='1.5'/></tuple>"
		    "</presence>");
	assert_int_equal(p.priority, -1);
}

static void
test_entities(void **state)
{
	static const struct {
		const char *entity;
		bool about;
	} rows[] = {
		{ "", true },
		{ "anna@contoso.example", true },
		{ "sip:anna@contoso.example", true },
		{ "SIP:Anna@Contoso.example", true },
		{ "sips:anna@contoso.example", true },
		{ "pres:anna@contoso.example", true },
		{ "sip:anna@contoso.example;opaque=user:epid:x;gruu", true },
		{ "sip:carl@contoso.example", false },
		{ "sip:anna@contoso.example.evil.example", false },
		{ "contoso.example", false },
		{ "tel:+49", false },
		{ "anna", false },
	};
	static const char user[] = "anna@contoso.example";
	struct lync_presence p = { 0 };
	struct jid j;

	(void)state;
	assert_int_equal(jid_parse(&j, user, strlen(user)), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(p.entity, sizeof(p.entity), "%s", rows[i].entity);
		if (presence_document_is_about(&p, &j) != rows[i].about)
			fail_msg("%s", rows[i].entity);
	}
	jid_finish(&j);
}

/* --- texts --------------------------------------------------------------- */

static void
test_clean(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ " \r\n\t ", "" },
		{ " a \n", "a" },
		{ "a\r\nb\rc", "a\nb\nc" },
		{ "a\x01\x7f\xc2\x85z", "az" },
		{ "\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xef\xbb\xbfx", "x" },
	};
	char out[XMPP_PRESENCE_STATUS_SIZE];
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		presence_text_clean(out, rows[i].in, strlen(rows[i].in));
		assert_string_equal(out, rows[i].out);
	}
	/* 499 letters, then one that is made of two characters. */
	for (int i = 0; i < 499; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "e\xcc\x81z");
	assert_int_equal(presence_text_clean(out, (char *)b.data, b.len), 499);
	/* Nothing but marks: cut all the same. */
	buf_clear(&b);
	for (int i = 0; i < 600; i++)
		buf_add_str(&b, "\xcc\x81");
	assert_int_equal(presence_text_clean(out, (char *)b.data, b.len), 1000);
	buf_finish(&b);
}

static void
test_every_language_has_every_word(void **state)
{
	static const char *const languages[] = { "en", "de", "fr", "es", "it",
		"nl" };

	(void)state;
	for (size_t l = 0; l < COUNT(languages); l++) {
		assert_string_equal(
		    activity_language(languages[l]), languages[l]);
		for (int w = ACTIVITY_WORD_NONE + 1; w < ACTIVITY_WORD_COUNT;
		     w++)
			assert_non_null(
			    activity_word((enum activity_word)w, languages[l]));
	}
	assert_string_equal(activity_language(NULL), "en");
}

/* --- resources ----------------------------------------------------------- */

static void
add(struct resources *r, const char *name, enum xmpp_show show, int priority,
    const char *status)
{
	const struct resource u = {
		.name = name,
		.show = show,
		.priority = (int8_t)priority,
		.status = status,
		.at = 5,
	};

	assert_int_equal(resources_set(r, &u, NULL), 0);
}

static void
test_resources_are_bounded(void **state)
{
	struct resources r = { 0 };
	char name[1000], status[2000];
	size_t text = 0, with_status = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		add(&r, name, XMPP_SHOW_AWAY, i, NULL);
	}
	assert_int_equal(resources_count(&r), RESOURCES_MAX);
	assert_string_equal(resources_best(&r)->name, "r99");
	/* A more available one drives out the least important. */
	add(&r, "new", XMPP_SHOW_NONE, 0, NULL);
	assert_int_equal(resources_count(&r), RESOURCES_MAX);
	assert_string_equal(resources_best(&r)->name, "new");
	assert_false(resources_remove(&r, "r84"));
	assert_true(resources_remove(&r, "r85"));
	/* Long texts go from the end. */
	memset(status, 's', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	for (int i = 90; i < 100; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		add(&r, name, XMPP_SHOW_AWAY, i, status);
	}
	for (const struct resource *e = r.first; e != NULL; e = e->next) {
		text += strlen(e->name);
		if (e->status == NULL)
			continue;
		with_status++;
		assert_int_equal(strlen(e->status), 500);
		text += 500;
	}
	assert_true(text <= RESOURCES_TEXT_MAX);
	assert_int_equal(with_status, 8);
	assert_non_null(r.first->next->status);
	/* And entries when their names alone are too much. */
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 10; i++) {
		name[0] = (char)('a' + i);
		add(&r, name, XMPP_SHOW_NONE, 9, NULL);
	}
	text = 0;
	for (const struct resource *e = r.first; e != NULL; e = e->next)
		text += strlen(e->name) + (e->status != NULL ? 500 : 0);
	assert_true(text <= RESOURCES_TEXT_MAX);
	assert_int_equal(r.first->name[0], 'a');
	resources_clear(&r);
	assert_null(resources_best(&r));
}

static void
test_resources_tell_changes(void **state)
{
	struct resources r = { 0 };
	struct resource u = { .name = "phone", .at = 1 };
	bool changed;

	(void)state;
	assert_int_equal(resources_set(&r, &u, &changed), 0);
	assert_true(changed);
	u.at = 2;
	assert_int_equal(resources_set(&r, &u, &changed), 0);
	assert_false(changed);
	u.status = " ";
	assert_int_equal(resources_set(&r, &u, &changed), 0);
	assert_false(changed);
	u.status = "hi";
	assert_int_equal(resources_set(&r, &u, &changed), 0);
	assert_true(changed);
	assert_int_equal(resources_count(&r), 1);
	/* Of equals the most recent. */
	u.name = "desk";
	u.at = 3;
	assert_int_equal(resources_set(&r, &u, &changed), 0);
	assert_string_equal(resources_best(&r)->name, "desk");
	u.name = NULL;
	u.at = 1;
	assert_int_equal(resources_set(&r, &u, &changed), 0);
	assert_int_equal(resources_count(&r), 3);
	assert_true(resources_remove(&r, NULL));
	assert_false(resources_remove(&r, ""));
}

/* --- images -------------------------------------------------------------- */

static void
same_resources(const struct resources *a, const struct resources *b)
{
	struct buf x = { 0 }, y = { 0 };

	assert_int_equal(resources_save(&x, a), 0);
	assert_int_equal(resources_save(&y, b), 0);
	assert_int_equal(x.len, y.len);
	if (x.len > 0)
		assert_memory_equal(x.data, y.data, x.len);
	buf_finish(&x);
	buf_finish(&y);
}

/* Every truncation and every changed byte is refused or harmless. */
static void
spoil(const struct buf *image, bool (*restore)(const void *data, size_t len))
{
	uint8_t *copy = malloc(image->len);

	assert_non_null(copy);
	for (size_t n = 1; n < image->len; n++) {
		/* Its own block, so that a read past the end is seen. */
		uint8_t *part = malloc(n);

		assert_non_null(part);
		memcpy(part, image->data, n);
		assert_false(restore(part, n));
		free(part);
	}
	for (size_t i = 0; i < image->len; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, image->data, image->len);
			copy[i] ^= (uint8_t)(1 << bit);
			(void)restore(copy, image->len);
		}
	free(copy);
}

static bool
restore_resources(const void *data, size_t len)
{
	struct resources r = { 0 };
	int rc = resources_restore(&r, data, len);

	if (rc < 0)
		assert_null(r.first);
	resources_clear(&r);
	return rc == 0;
}

static void
test_resources_image(void **state)
{
	static const uint8_t later[] = { 2, 1, 0 }, none[] = { 1, 0 };
	struct resources r = { 0 }, back = { 0 };
	struct buf image = { 0 };
	const struct resource u = { .name = "tele fön",
		.status = "hällo",
		.language = "de-AT",
		.idle_since = 77,
		.at = UINT64_MAX,
		.show = XMPP_SHOW_DND,
		.priority = -128 };

	(void)state;
	assert_int_equal(resources_save(&image, &r), 0);
	assert_int_equal(image.len, 0);
	assert_int_equal(resources_restore(&back, NULL, 0), 0);
	assert_int_equal(resources_set(&r, &u, NULL), 0);
	add(&r, "b", XMPP_SHOW_CHAT, 3, NULL);
	assert_int_equal(resources_save(&image, &r), 0);
	assert_true(image.len < 100);
	assert_int_equal(resources_restore(&back, image.data, image.len), 0);
	same_resources(&r, &back);
	assert_string_equal(back.first->next->language, "de-AT");
	assert_int_equal(back.first->next->priority, -128);
	spoil(&image, restore_resources);
	assert_int_equal(
	    resources_restore(&back, later, sizeof(later)), ERR_UNSUPPORTED);
	assert_int_equal(
	    resources_restore(&back, none, sizeof(none)), ERR_MALFORMED);
	same_resources(&r, &back);
	resources_clear(&r);
	resources_clear(&back);
	buf_finish(&image);
}

static bool
restore_presence(const void *data, size_t len)
{
	struct xmpp_presence p = { 0 };
	int rc = xmpp_presence_restore(&p, data, len);

	xmpp_presence_finish(&p);
	return rc == 0;
}

static void
test_presence_image(void **state)
{
	static const uint8_t later[] = { 9, 9 };
	char status[] = "in Rom", language[] = "de";
	struct xmpp_presence back = { 0 }, p = {
		.status = status,
		.language = language,
		.idle_since = 1795248000000,
		.show = XMPP_SHOW_XA,
		.priority = -3,
		.available = true,
	};
	struct buf image = { 0 };

	(void)state;
	assert_int_equal(xmpp_presence_save(&image, &p), 0);
	assert_int_equal(
	    xmpp_presence_restore(&back, image.data, image.len), 0);
	assert_true(xmpp_presence_equal(&p, &back));
	spoil(&image, restore_presence);
	assert_int_equal(xmpp_presence_restore(&back, later, sizeof(later)),
	    ERR_UNSUPPORTED);
	assert_int_equal(xmpp_presence_restore(&back, "", 0), ERR_MALFORMED);
	assert_true(xmpp_presence_equal(&p, &back));
	/* Unavailable looks like unavailable. */
	p.available = false;
	assert_false(xmpp_presence_equal(&p, &back));
	back.available = false;
	back.show = XMPP_SHOW_DND;
	assert_true(xmpp_presence_equal(&p, &back));
	xmpp_presence_finish(&back);
	buf_finish(&image);
}

/* --- the choice of a format, names, answers ------------------------------ */

static void
test_choose(void **state)
{
	static const char lync[] =
	    "application/msrtc-event-categories+xml, text/xml+msrtc.pidf, "
	    "application/xpidf+xml, application/pidf+xml, "
	    "application/rlmi+xml, multipart/related";
	static const struct {
		const char *accept;
		enum presence_format format, with_msrtc;
	} rows[] = {
		{ NULL, PRESENCE_FORMAT_PIDF, PRESENCE_FORMAT_PIDF },
		{ " , ", PRESENCE_FORMAT_PIDF, PRESENCE_FORMAT_PIDF },
		{ lync, PRESENCE_FORMAT_PIDF, PRESENCE_FORMAT_MSRTC },
		{ "application/msrtc-event-categories+xml",
		    PRESENCE_FORMAT_PIDF, PRESENCE_FORMAT_PIDF },
		{ "text/xml+msrtc.pidf", PRESENCE_FORMAT_MSRTC,
		    PRESENCE_FORMAT_MSRTC },
		{ "application/pidf+xml;q=0.5,Application/PIDF+xml",
		    PRESENCE_FORMAT_STANDARD, PRESENCE_FORMAT_STANDARD },
		{ "*/*", PRESENCE_FORMAT_STANDARD, PRESENCE_FORMAT_STANDARD },
		{ "application/pidf+xml;q=0", PRESENCE_FORMAT_NONE,
		    PRESENCE_FORMAT_NONE },
		{ "application/pidf+xml; q=0.0, text/plain",
		    PRESENCE_FORMAT_NONE, PRESENCE_FORMAT_NONE },
		{ "application/pidf+xml;q=0.01", PRESENCE_FORMAT_STANDARD,
		    PRESENCE_FORMAT_STANDARD },
		{ "text/html", PRESENCE_FORMAT_NONE, PRESENCE_FORMAT_NONE },
		{ ";;,;q", PRESENCE_FORMAT_NONE, PRESENCE_FORMAT_NONE },
	};
	struct presence_build_rules rules = presence_build_default();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		rules.msrtc = false;
		assert_int_equal(presence_build_choose(rows[i].accept, &rules),
		    rows[i].format);
		rules.msrtc = true;
		assert_int_equal(presence_build_choose(rows[i].accept, &rules),
		    rows[i].with_msrtc);
	}
	rules.standard = false;
	assert_int_equal(presence_build_choose("application/pidf+xml", &rules),
	    PRESENCE_FORMAT_PIDF);
}

/* A build that does not fit leaves nothing. */
static void
test_build_that_fails(void **state)
{
	const struct presence_build in = { .entity = "sip:bo@p.example" };
	struct presence_build_rules rules = presence_build_default();
	struct buf out;

	(void)state;
	buf_init(&out, 60);
	buf_add_str(&out, "x");
	assert_int_equal(
	    presence_build_document(&out, PRESENCE_FORMAT_PIDF, &in, &rules),
	    ERR_FULL);
	assert_int_equal(out.len, 1);
	assert_int_equal(
	    presence_build_document(&out, PRESENCE_FORMAT_NONE, &in, &rules),
	    ERR_UNSUPPORTED);
	assert_null(presence_build_type(PRESENCE_FORMAT_NONE));
	buf_finish(&out);
}

static void
test_names(void **state)
{
	static const char jid[] = "d\\27artagnan@x.example";
	char out[DISPLAY_NAME_SIZE], longer[400];
	struct display_name_sources s = { 0 };
	struct jid j;

	(void)state;
	assert_int_equal(display_name_pick(out, &s), 0);
	assert_string_equal(out, "");
	assert_int_equal(jid_parse(&j, jid, strlen(jid)), 0);
	s.jid = &j;
	assert_int_equal(display_name_pick(out, &s), 0);
	assert_string_equal(out, "d'artagnan");
	s.nickname = "Art";
	s.full = " \t";
	s.nick = "\x01";
	assert_int_equal(display_name_pick(out, &s), 0);
	assert_string_equal(out, "Art");
	memset(longer, 'w', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	s.document = longer;
	assert_int_equal(display_name_pick(out, &s), 0);
	assert_int_equal(strlen(out), 128);
	jid_finish(&j);
}

static void
test_names_of_answers(void **state)
{
	static const struct {
		const char *json, *name;
		int rc;
	} rows[] = {
		{ "{\"fn\":\"Bo B.\",\"nickname\":\"bo\"}", "Bo B.", 0 },
		{ "{\"fn\":\"\\n\",\"nickname\":\"bo\"}", "bo", 0 },
		{ "{\"fn\":7}", "", 0 },
		{ "{}", "", 0 },
		{ "[]", NULL, ERR_MALFORMED },
		{ "", NULL, ERR_MALFORMED },
		{ "{\"fn\":\"a\",\"fn\":\"b\"}", NULL, ERR_MALFORMED },
	};
	char out[DISPLAY_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(display_name_of_answer(
				     out, rows[i].json, strlen(rows[i].json)),
		    rows[i].rc);
		if (rows[i].rc == 0)
			assert_string_equal(out, rows[i].name);
	}
}

static void
test_user_answers(void **state)
{
	static const struct {
		const char *request, *node, *name, *answer;
		int rc;
	} rows[] = {
		{ "ping", NULL, NULL, "", 0 },
		{ "disco-items", NULL, NULL, "{\"items\":[]}", 0 },
		{ "disco-items", "x", NULL, NULL, ERR_NOT_FOUND },
		{ "disco-info", "urn:x-sallyport:lync#", NULL, NULL,
		    ERR_NOT_FOUND },
		{ "version", NULL, NULL,
		    "{\"name\":\"Sallyport\",\"version\":\"" SALLYPORT_VERSION
		    "\"}",
		    0 },
		{ "time", NULL, NULL, NULL, ERR_UNSUPPORTED },
		{ "vcard", NULL, "Anna \"A\"", "{\"fn\":\"Anna \\\"A\\\"\"}",
		    0 },
		{ "vcard", NULL, "", NULL, ERR_NOT_FOUND },
		{ "jingle", NULL, NULL, NULL, ERR_UNSUPPORTED },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct user_iq in = { rows[i].request, rows[i].node,
			rows[i].name };

		buf_clear(&out);
		assert_int_equal(user_iq_answer(&out, &in), rows[i].rc);
		if (rows[i].rc == 0)
			assert_string_equal(buf_cstr(&out), rows[i].answer);
	}
	buf_finish(&out);
}

/* The verification string, computed here from what is answered. */
static void
test_caps_are_of_the_features(void **state)
{
	static const char *const want[] = { "http://jabber.org/protocol/caps",
		"http://jabber.org/protocol/chatstates",
		"http://jabber.org/protocol/disco#info", "jabber:iq:version",
		"jabber:x:oob", "urn:xmpp:ping", "urn:xmpp:receipts" };
	char caps[USER_IQ_CAPS_SIZE];
	struct user_iq in = { .request = "disco-info", .node = caps };
	struct buf out = { 0 };
	json_t *o, *feature;
	size_t i;

	(void)state;
	user_iq_caps(caps);
	/* printf 'client/pc//<http...<' | openssl sha1 -binary | base64 */
	assert_string_equal(
	    caps, "urn:x-sallyport:lync#J2K65Wxzg38VxVqRnZoE8k/5/w4=");
	assert_int_equal(user_iq_answer(&out, &in), 0);
	o = json_loads(buf_cstr(&out), 0, NULL);
	assert_int_equal(
	    json_array_size(json_object_get(o, "features")), COUNT(want));
	json_array_foreach(json_object_get(o, "features"), i, feature)
	    assert_string_equal(json_string_value(feature), want[i]);
	assert_int_equal(json_array_size(json_object_get(o, "identities")), 1);
	json_decref(o);
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_aggregates_out_of_range),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_texts_of_documents),
		cmocka_unit_test(test_custom_activity),
		cmocka_unit_test(test_priority_of_standard_peers),
		cmocka_unit_test(test_entities),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_every_language_has_every_word),
		cmocka_unit_test(test_resources_are_bounded),
		cmocka_unit_test(test_resources_tell_changes),
		cmocka_unit_test(test_resources_image),
		cmocka_unit_test(test_presence_image),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_build_that_fails),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_of_answers),
		cmocka_unit_test(test_user_answers),
		cmocka_unit_test(test_caps_are_of_the_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
