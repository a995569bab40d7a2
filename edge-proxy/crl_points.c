/* crl_points - see the header. */
#include "edge-proxy/crl_points.h"

#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

/* Keeps the name when it is the address of a document. */
static void
take_name(struct crl_points *out, const GENERAL_NAME *name)
{
	struct http_url url;
	const ASN1_STRING *text;
	const char *data;
	size_t len;

	if (name->type != GEN_URI || out->count == CRL_POINTS_MAX)
		return;
	text = name->d.uniformResourceIdentifier;
	data = (const char *)ASN1_STRING_get0_data(text);
	len = (size_t)ASN1_STRING_length(text);
	if (http_url_parse(&url, data, len) < 0)
		return;
	memcpy(out->urls[out->count], data, len);
	out->urls[out->count][len] = '\0';
	out->count++;
}

void
crl_points_lists(struct crl_points *out, X509 *cert)
{
	CRL_DIST_POINTS *points;

	*out = (struct crl_points){ 0 };
	points =
	    X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT *p = sk_DIST_POINT_value(points, i);

		if (p->distpoint == NULL || p->distpoint->type != 0 ||
		    p->reasons != NULL || p->CRLissuer != NULL)
			continue;
		for (int k = 0;
		     k < sk_GENERAL_NAME_num(p->distpoint->name.fullname); k++)
			take_name(out, sk_GENERAL_NAME_value(
					   p->distpoint->name.fullname, k));
	}
	CRL_DIST_POINTS_free(points);
	ERR_clear_error();
}

void
crl_points_responders(struct crl_points *out, X509 *cert)
{
	AUTHORITY_INFO_ACCESS *all;

	*out = (struct crl_points){ 0 };
	all = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(all); i++) {
		const ACCESS_DESCRIPTION *a =
		    sk_ACCESS_DESCRIPTION_value(all, i);

		if (OBJ_obj2nid(a->method) == NID_ad_OCSP)
			take_name(out, a->location);
	}
	AUTHORITY_INFO_ACCESS_free(all);
	ERR_clear_error();
}
