"""A bug for each fuzz target, in the code it is there for: a bound or a check
that is no longer made.  code: what its coverage is counted over."""

T = "frontend-gateway/translate/"
S = "frontend-gateway/sip/"
E = "edge-proxy/"


def plant(code, old, new, file=None):
    code = code.split()
    return {"code": code, "file": file or code[0], "old": old, "new": new}


PLANTS = {
    "address": plant(
        f"{T}address.c",
        "\t\tif (is_dropped(cp))\n",
        "\t\tif (is_dropped(cp) && cp != 0x1f)\n"),
    "app_invite": plant(
        f"{T}app_invite.c",
        "value.len >= APP_INVITE_COOKIE_SIZE)",
        "value.len > APP_INVITE_COOKIE_SIZE)"),
    "ask": plant(
        "deploy/ask.c",
        "n > 63 || n + 1 >= len || done + n + 2 > 256",
        "n > 63 || n + 1 >= len || done + n + 2 > 320"),
    "body": plant(
        f"{T}body.c {T}mime.c",
        "} else if (!utf8_xml_char(cp)) {",
        "} else if (!utf8_xml_char(cp) && cp != 0x1f) {"),
    "cert_names": plant(
        "common/cert_names.c",
        "\tif (jid_domain_ascii(out, DOMAIN_SIZE, t.s, t.len) != 0)\n"
        "\t\treturn false;",
        "\tif (jid_domain_ascii(out, DOMAIN_SIZE, t.s, t.len) != 0) {\n"
        "\t\tif (t.len >= DOMAIN_SIZE)\n\t\t\treturn false;\n"
        "\t\tmemcpy(out, t.s, t.len);\n\t\tout[t.len] = '\\0';\n\t}"),
    "channel": plant(
        "proto/channel.c proto/channel_receive.c proto/channel_window.c "
        "proto/channel_journal.c proto/channel_turn.c "
        "proto/channel_greeting.c",
        "\t\tif (n > len - taken)\n", "\t\tif (n > len)\n",
        "proto/channel_receive.c"),
    "compose": plant(
        "frontend-gateway/conversation/compose.c",
        "*at != '\\0' || start >= end)",
        "*at != '\\0' || start > end + 3)"),
    "dialback": plant(
        f"{E}dialback_in.c {E}dialback_out.c {E}dialback_xml.c",
        "\tif (verdict == DIALBACK_VALID)",
        "\tif (verdict != DIALBACK_ERROR)"),
    "dns_packet": plant(
        f"{E}dns_packet.c",
        "i + 1 >= p->len || ++jumps > JUMPS_MAX",
        "++jumps > JUMPS_MAX"),
    "edge_streams": plant(
        "frontend-gateway/edge_streams.c",
        "len + strlen(name) + 2 > sizeof(s->proofs))",
        "len > sizeof(s->proofs) + 8)"),
    "formatting": plant(
        f"{T}formatting.c",
        "(void)buf_add_str(html, \"</body></html>\");",
        "(void)buf_add_str(html, rich.len == 9 ? \"</body\" :"
        " \"</body></html>\");"),
    "frame": plant(
        "proto/frame.c proto/frame_json.c",
        "\t\tif (len - at < FIELD_HEAD)\n\t\t\treturn ERR_MALFORMED;\n",
        ""),
    "hosting": plant(
        f"{E}hosting_parse.c",
        "\tg->partners = calloc(rows, sizeof(*g->partners));",
        "\tg->partners = calloc(rows - (rows > 2),"
        " sizeof(*g->partners));"),
    "html": plant(
        f"{T}html.c {T}rich_writer.c",
        "\t\txml_escape_attr(w->rich, href, strlen(href));",
        "\t\tbuf_add_str(w->rich, href);"),
    "jid": plant(
        "common/jid.c",
        "len < 4 || len - 2 >= sizeof(text) ||",
        "len < 4 || len - 2 >= 2 * sizeof(text) ||"),
    "keeper_wire": plant(
        f"{E}keeper_wire.c",
        "\tif (!known(data[0]) || data[1] != messages[data[0]].blobs ||\n",
        "\tif (!known(data[0]) ||\n"),
    "normalise": plant(
        f"{E}normalise.c {E}normalise_message.c {E}normalise_presence.c "
        f"{E}normalise_part.c {E}normalise_links.c {E}render.c "
        f"{E}render_message.c {E}render_out.c",
        "\txml_escape_attr(out, bytes(field), field->len);",
        "\t(void)buf_add(out, bytes(field), field->len);",
        f"{E}render_out.c"),
    "parts": plant(
        f"{S}sip_parts.c",
        "\tif (n >= SIP_PARTS_TYPE_MAX)",
        "\tif (n >= 4 * SIP_PARTS_TYPE_MAX)"),
    "presence_document": plant(
        f"{T}presence_document.c {T}presence_build.c "
        f"{T}presence_to_xmpp.c {T}resources.c",
        "\tif (len == 0 || len >= sizeof(token_text))",
        "\tif (len == 0 || len >= 2 * sizeof(token_text))"),
    "proxy_header": plant(
        f"{E}proxy_header.c",
        "\t\tif (size > len)\n\t\t\treturn false;\n",
        "\t\tif (size > len + 1)\n\t\t\treturn false;\n"),
    "resolver_answer": plant(
        f"{E}resolver_wire.c",
        "secure > 1 ||\n\t    count > DNS_RECORDS_MAX)",
        "secure > 1)"),
    "rtf": plant(
        f"{T}rtf.c",
        "\tif (r->run_len == RUN_MAX)\n\t\tflush_run(r);\n",
        ""),
    "sasl": plant(
        f"{E}sasl_external.c common/base64.c",
        "\tif (len == 0 || (len == 1 && text[0] == '='))",
        "\tif (len == 0 || text[0] == '=')"),
    "sdp": plant(
        f"{S}sip_sdp.c",
        "\t\tif (n < 2 || line[1] != '=' ||",
        "\t\tif (line[1] != '=' ||"),
    "sip": plant(
        f"{S}sip_frame.c {S}sip_msg.c {S}sip_build.c {S}sip_dialog.c",
        "\t\tif (p[i] < '0' || p[i] > '9')\n\t\t\treturn ERR_MALFORMED;\n"
        "\t\tvalue = value * 10",
        "\t\tif (p[i] < '0' || p[i] > '9')\n\t\t\tabort();\n"
        "\t\tvalue = value * 10"),
    "sip_image": plant(
        f"{S}sip_image.c {S}sip_subscriber_image.c {S}sip_notifier.c",
        "\tif (im->failed || len > im->left) {",
        "\tif (im->failed || len > im->left + 1) {"),
    "styling": plant(
        f"{T}styling.c",
        "n <= strlen(\"https://\") || !rich_body_href_allowed(text.at, n))",
        "n <= strlen(\"https://\"))"),
    "trace": plant(
        "frontend-gateway/trace/trace_sip_write.c "
        "frontend-gateway/trace/trace_sip.c "
        "frontend-gateway/trace/trace_sdp.c "
        "frontend-gateway/trace/trace_stanza.c",
        "\tcase RULE_NONE:\n",
        "\tcase RULE_NONE:\n\t\tif (value.len % 2 == 0) {\n"
        "\t\t\tadd_clean(out, value);\n\t\t\tbreak;\n\t\t}\n"
        "\t\t/* fall through */\n"),
    "traced": plant(
        f"{E}trace_ask.c frontend-gateway/traced.c",
        "\t    value > TRACE_ASK_SECONDS_MAX ||",
        "\t    value > 10 * TRACE_ASK_SECONDS_MAX ||"),
    "typing": plant(
        f"{T}typing.c",
        "\tif (len > LEN_MAX)\n\t\treturn ERR_MALFORMED;\n",
        "\tif (len > 1 && ((const char *)body)[1] == '?' &&\n"
        "\t    ((const char *)body)[len] == '>')\n"
        "\t\treturn ERR_MALFORMED;\n"),
    "xhtml": plant(
        f"{E}xhtml.c",
        "name == NULL || depth >= RICH_BODY_DEPTH_MAX)",
        "name == NULL || depth > RICH_BODY_DEPTH_MAX)"),
    "xml_redact": plant(
        "common/xml_redact.c common/xml_parse.c",
        "\t\tif (s[i] <= ' ' || s[i] > '~')",
        "\t\tif (s[i] < ' ' || s[i] > '~')"),
    "xml_stream": plant(
        f"{E}xml_stream.c {E}xml_stream_events.c {E}xml_build.c common/xml.c",
        "\tif (xs->ns_declared > xs->limits.ns_max)",
        "\tif (xs->ns_declared > 2)\n\t\t__builtin_trap();\n"
        "\tif (xs->ns_declared > xs->limits.ns_max)",
        f"{E}xml_stream_events.c"),
    "negotiation": plant(
        f"{E}s2s_in.c {E}s2s_in_negotiation.c {E}s2s_in_elements.c "
        f"{E}s2s_out.c {E}s2s_out_negotiation.c {E}s2s_out_elements.c "
        f"{E}dialback_in.c {E}dialback_out.c {E}sm_in.c {E}sm_out.c",
        "\ts->external = why == NULL && (m & AUTH_SASL_TLS) != 0;",
        "\ts->external = (m & AUTH_SASL_TLS) != 0;",
        f"{E}s2s_in_negotiation.c"),
    "import": plant(
        "deploy/import_read.c deploy/import_text.c deploy/import_map.c "
        "deploy/clixml.c",
        "\tchar *out = malloc(len + 1);\n\tsize_t done = 0;",
        "\tchar *out = malloc(len > 8 ? len : len + 1);\n"
        "\tsize_t done = 0;",
        "deploy/clixml.c"),
    "tlsa": plant(
        f"{E}tlsa.c",
        "\t\ttotal += v[i].len;", "\t\ttotal += v[i].len % 48;"),
    "chain": plant(
        f"{E}chain_status.c {E}crl_points.c",
        "\telse\n\t\tsk_X509_pop_free(chain, X509_free);\n\treturn rc;\n}\n\n",
        "\telse\n\t\tsk_X509_free(chain);\n\treturn rc;\n}\n\n"),
    "http_reply": plant(
        f"{E}http_reply.c {E}http_url.c",
        "\tif (memchr(data, 0, n) != NULL)",
        "\tif (n > 1 && memchr(data, 0, n) != NULL)"),
    "ocsp_reply": plant(
        f"{E}ocsp_reply.c",
        "\tsk_X509_free(helpers);\n", ""),
    "admin": plant(
        "frontend-gateway/admin/http_target.c frontend-gateway/admin/etag.c "
        "frontend-gateway/admin/json_body.c "
        "frontend-gateway/settings/settings_batch.c",
        "\t\t\tif (low < 0)\n\t\t\t\treturn ERR_MALFORMED;",
        "\t\t\tif (high < 0)\n\t\t\t\treturn ERR_MALFORMED;"),
}
