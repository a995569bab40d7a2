#include "frontend-gateway/translate/presence_text.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"

/* --- notes -------------------------------------------------------------- */

/* Controls but line ends and tabs, and what XML has no way to write. */
static bool
is_dropped(uint32_t cp)
{
	if (cp == '\n' || cp == '\t')
		return false;
	return cp < ' ' || (cp >= 0x7f && cp <= 0x9f) || cp == 0xfeff ||
	       !utf8_xml_char(cp);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* The next character that stays, its length in *n; 0 at the end. */
static uint32_t
next_char(const char *s, size_t len, size_t *i)
{
	uint32_t cp;
	size_t n;

	while (*i < len) {
		n = utf8_decode((const uint8_t *)s + *i, len - *i, &cp);
		if (n == 0) {
			n = 1;
			cp = 0xfffd;
		}
		*i += n;
		if (cp == '\r') {
			if (*i < len && s[*i] == '\n')
				(*i)++;
			cp = '\n';
		}
		if (!is_dropped(cp))
			return cp;
	}
	return 0;
}

size_t
presence_text_clean(
    char out[static XMPP_PRESENCE_STATUS_SIZE], const char *s, size_t len)
{
	size_t used = 0, chars = 0, i = 0, whole = 0;
	bool joined = false;
	uint32_t cp;

	/* whole: where the last character began that nothing ties to the one
	 * before it, which is where a long text is cut. */
	while ((cp = next_char(s, len, &i)) != 0) {
		bool attached = joined || utf8_attached(cp);

		if (chars == 0 && (cp == ' ' || cp == '\t' || cp == '\n'))
			continue;
		if (chars == XMPP_PRESENCE_STATUS_CHARS) {
			if (attached && whole > 0)
				used = whole;
			break;
		}
		if (!attached)
			whole = used;
		used += utf8_encode((uint8_t *)out + used, cp);
		joined = cp == 0x200d;
		chars++;
	}
	while (used > 0 && is_blank(out[used - 1]))
		used--;
	out[used] = '\0';
	return used;
}

/* --- languages ---------------------------------------------------------- */

void
presence_text_language(
    char out[static XMPP_PRESENCE_LANGUAGE_SIZE], const char *tag, size_t len)
{
	size_t run = 0;

	out[0] = '\0';
	if (tag == NULL || len == 0 || len >= XMPP_PRESENCE_LANGUAGE_SIZE ||
	    !isalpha((unsigned char)tag[0]))
		return;
	for (size_t i = 0; i < len; i++) {
		run = tag[i] == '-' ? 0 : run + 1;
		if ((tag[i] != '-' && !isalnum((unsigned char)tag[i])) ||
		    run > 8 ||
		    (tag[i] == '-' && (i + 1 == len || tag[i + 1] == '-')))
			return;
	}
	memcpy(out, tag, len);
	out[len] = '\0';
}

const char *
presence_text_lcid(unsigned long lcid)
{
	static const struct {
		unsigned short lcid;
		const char *tag;
	} known[] = {
		{ 1025, "ar-SA" },
		{ 1026, "bg-BG" },
		{ 1027, "ca-ES" },
		{ 1028, "zh-TW" },
		{ 1029, "cs-CZ" },
		{ 1030, "da-DK" },
		{ 1031, "de-DE" },
		{ 1032, "el-GR" },
		{ 1033, "en-US" },
		{ 1035, "fi-FI" },
		{ 1036, "fr-FR" },
		{ 1037, "he-IL" },
		{ 1038, "hu-HU" },
		{ 1040, "it-IT" },
		{ 1041, "ja-JP" },
		{ 1042, "ko-KR" },
		{ 1043, "nl-NL" },
		{ 1044, "nb-NO" },
		{ 1045, "pl-PL" },
		{ 1046, "pt-BR" },
		{ 1048, "ro-RO" },
		{ 1049, "ru-RU" },
		{ 1050, "hr-HR" },
		{ 1051, "sk-SK" },
		{ 1053, "sv-SE" },
		{ 1054, "th-TH" },
		{ 1055, "tr-TR" },
		{ 1057, "id-ID" },
		{ 1058, "uk-UA" },
		{ 1060, "sl-SI" },
		{ 1061, "et-EE" },
		{ 1062, "lv-LV" },
		{ 1063, "lt-LT" },
		{ 1066, "vi-VN" },
		{ 1069, "eu-ES" },
		{ 1081, "hi-IN" },
		{ 1086, "ms-MY" },
		{ 1087, "kk-KZ" },
		{ 2052, "zh-CN" },
		{ 2055, "de-CH" },
		{ 2057, "en-GB" },
		{ 2058, "es-MX" },
		{ 2060, "fr-BE" },
		{ 2064, "it-CH" },
		{ 2067, "nl-BE" },
		{ 2070, "pt-PT" },
		{ 3076, "zh-HK" },
		{ 3079, "de-AT" },
		{ 3081, "en-AU" },
		{ 3082, "es-ES" },
		{ 3084, "fr-CA" },
		{ 4100, "zh-SG" },
		{ 4105, "en-CA" },
		{ 4108, "fr-CH" },
		{ 5129, "en-NZ" },
		{ 6153, "en-IE" },
		{ 9242, "sr-Latn-RS" },
		{ 10266, "sr-Cyrl-RS" },
		{ 1110, "gl-ES" },
		{ 16393, "en-IN" },
		{ 1034, "es-ES" },
		{ 1106, "cy-GB" },
		{ 1039, "is-IS" },
		{ 1065, "fa-IR" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].lcid == lcid)
			return known[i].tag;
	return NULL;
}
