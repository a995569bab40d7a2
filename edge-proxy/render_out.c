#include "edge-proxy/render_out.h"

#include <string.h>

#include "common/buf.h"
#include "common/xml.h"
#include "common/xmpp_time.h"

static const char *
bytes(const struct frame_field *field)
{
	return (const char *)field->data;
}

void
render_out_attr(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(out, " %s='", name);
	xml_escape_attr(out, value, strlen(value));
	buf_add_char(out, '\'');
}

void
render_out_attr_field(
    struct buf *out, const char *name, const struct frame_field *field)
{
	if (field == NULL)
		return;
	buf_addf(out, " %s='", name);
	xml_escape_attr(out, bytes(field), field->len);
	buf_add_char(out, '\'');
}

void
render_out_text(
    struct buf *out, const char *name, const struct frame_field *field)
{
	if (field == NULL)
		return;
	buf_addf(out, "<%s>", name);
	xml_escape_text(out, bytes(field), field->len);
	buf_addf(out, "</%s>", name);
}

void
render_out_text_ns(struct buf *out, const char *ns, const char *name,
    const struct frame_field *field)
{
	if (field == NULL)
		return;
	buf_addf(out, "<%s xmlns='%s'>", name, ns);
	xml_escape_text(out, bytes(field), field->len);
	buf_addf(out, "</%s>", name);
}

void
render_out_ref(struct buf *out, const char *ns, const char *name,
    const char *attr, const struct frame_field *field)
{
	if (field == NULL)
		return;
	buf_addf(out, "<%s xmlns='%s'", name, ns);
	render_out_attr_field(out, attr, field);
	buf_add_str(out, "/>");
}

void
render_out_time(struct buf *out, const struct frame *f, enum frame_tag tag,
    const char *ns, const char *name, const char *attr)
{
	char stamp[XMPP_TIME_SIZE];

	if (!frame_has(f, tag))
		return;
	xmpp_time_format(stamp, frame_u64(f, tag, 0));
	buf_addf(out, "<%s xmlns='%s' %s='%s'/>", name, ns, attr, stamp);
}
